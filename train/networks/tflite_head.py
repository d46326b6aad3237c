"""The last layer of a converted classifier of cells, read and replaced in its TFLite file at any level.

Its last operation is a 1x1 convolution from the widest feature map to the logits of each place. A field's logits are
the mean of that map, so they are linear in the mean features of the field.
"""

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from smear.errors import TrainingError

IDENTIFIER = b"TFL3"
_DTYPES: dict[int, Any] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT16: np.int16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
}
MOST_INT8 = 127.0
_LIMITS = {
    schema.TensorType.INT8: (-128, 127),
    schema.TensorType.INT16: (-32767, 32767),
    schema.TensorType.INT32: (-(2**31), 2**31 - 1),
}


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The weights of the last layer: float (outputs, features) and float (outputs,)."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return float (n, outputs) for float (n, features)."""
        return np.asarray(features @ self.weights.T + self.bias)


class _Model:
    """One TFLite file, unpacked."""

    def __init__(self, data: bytes) -> None:
        if data[4:8] != IDENTIFIER:
            raise TrainingError("the classifier is not a TFLite model; install the bundle again")
        self.model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
        self.graph = self.model.subgraphs[0]
        last = [op for op in self.graph.operators if self._kind(op) == schema.BuiltinOperator.CONV_2D][-1:]
        if not last or tuple(self.graph.tensors[last[0].inputs[1]].shape[1:3]) != (1, 1):
            raise TrainingError("the classifier does not end with a 1x1 convolution: it is not shown all cells at once")
        self.features, self.weights, self.bias = (int(index) for index in last[0].inputs)
        self.logits = int(last[0].outputs[0])

    def _kind(self, operator: Any) -> int:
        code = self.model.operatorCodes[operator.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def stored(self, index: int) -> Any:
        """Return the tensor that holds constant `index`; float16 ones stand behind an operation that widens them."""
        for operator in self.graph.operators:
            if self._kind(operator) == schema.BuiltinOperator.DEQUANTIZE and int(operator.outputs[0]) == index:
                return self.graph.tensors[operator.inputs[0]]
        return self.graph.tensors[index]

    def values(self, index: int) -> NDArray[np.float64]:
        """Return constant `index` as real numbers."""
        tensor = self.stored(index)
        raw = np.frombuffer(
            np.asarray(self.model.buffers[tensor.buffer].data, np.uint8).tobytes(), _DTYPES[tensor.type]
        )
        found = raw.reshape(tensor.shape).astype(np.float64)
        if (scale := _scale(tensor)) is not None:
            found *= scale.reshape(-1, *([1] * (found.ndim - 1))) if len(scale) > 1 else scale
        return found

    def write(self, index: int, values: NDArray[Any]) -> None:
        """Replace constant `index`; quantized ones by `values` over its scale, which must be set before."""
        tensor = self.stored(index)
        kind = _DTYPES[tensor.type]
        if (scale := _scale(tensor)) is not None:
            steps = scale.reshape(-1, *([1] * (values.ndim - 1))) if len(scale) > 1 else scale
            values = np.rint(values / steps)
        if tensor.type in _LIMITS:
            values = np.clip(values, *_LIMITS[tensor.type])
        data = np.ascontiguousarray(values.reshape(tensor.shape).astype(kind))
        buffer = schema.BufferT()  # a new one: a file may keep two equal constants as one
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        tensor.buffer = len(self.model.buffers) - 1

    def to_bytes(self) -> bytes:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())


def _scale(tensor: Any) -> NDArray[np.float64] | None:
    known = tensor.quantization
    if known is None or known.scale is None or not len(known.scale):
        return None
    return np.asarray(known.scale, np.float64)


def read_head(data: bytes) -> Head:
    """Return the last layer of the TFLite classifier `data`.

    Raises:
        TrainingError: it has no such layer.
    """
    model = _Model(data)
    weights = model.values(model.weights)
    return Head(weights.reshape(len(weights), -1), model.values(model.bias).ravel())


def without_head(data: bytes) -> bytes:
    """Return the TFLite classifier `data` up to its widest feature map, which becomes its only output.

    Raises:
        TrainingError: it has no such layer.
    """
    model = _Model(data)
    model.graph.outputs = [model.features]
    model.model.signatureDefs = []  # they name the output that was
    return model.to_bytes()


def with_head(data: bytes, head: Head, low: float, high: float) -> bytes:
    """Return the TFLite classifier `data` with another last layer; no other weight is changed.

    `low` and `high` are the least and the greatest logit of any place: what a quantized output must be able to hold,
    besides what it holds now.

    Raises:
        TrainingError: it has no such layer.
    """
    model = _Model(data)
    weights = model.stored(model.weights)
    rows = head.weights.reshape(weights.shape)
    scale = _scale(weights)
    if scale is not None:
        most = np.abs(head.weights).max(axis=1) if len(scale) > 1 else np.abs(head.weights).max(keepdims=True).ravel()
        steps = (np.maximum(most, 1e-9) / MOST_INT8).astype(np.float32)
        weights.quantization.scale = steps
        step = _scale(model.graph.tensors[model.features])
        bias, output = model.stored(model.bias), model.graph.tensors[model.logits]
        if step is not None and _scale(bias) is not None:  # else the sums are made in float32
            bias.quantization.scale = (step[0] * np.broadcast_to(steps, head.bias.shape)).astype(np.float32)
            _widen_range(output, low, high)
    model.write(model.weights, rows)
    model.write(model.bias, head.bias)
    return model.to_bytes()


def _widen_range(tensor: Any, low: float, high: float) -> None:
    """Let the quantized `tensor` hold `low` to `high` as well as what it could hold; 16 bits are symmetric about 0."""
    known, symmetric = tensor.quantization, tensor.type == schema.TensorType.INT16
    least, most = _LIMITS[tensor.type]
    step, zero = float(known.scale[0]), int(known.zeroPoint[0])
    low, high = min(low, (least - zero) * step), max(high, (most - zero) * step)
    if symmetric:
        low, high = -max(-low, high), max(-low, high)
    step = (high - low) / (most - least)
    known.scale = np.array([step], np.float32)
    known.zeroPoint = np.array([0 if symmetric else round(least - low / step)], np.int64)
