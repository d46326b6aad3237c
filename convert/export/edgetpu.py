"""Predicts from an int8 file which of its operations an Edge TPU would run."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from convert.export.flatbuffer import Node, Tensor, read_graph

PREDICTED = "predicted"  # marks a figure that no compiler has confirmed
SOFTMAX_LIMIT = 16_000  # elements; Coral's table of operations
INNER_DIMS = 3  # at most this many dimensions over 1

Limit = Callable[[Node], str | None]
"""Returns why a node of a supported kind is not mapped; None if it is."""


@dataclass(frozen=True, slots=True)
class OperationPrediction:
    """The prediction for one operation."""

    index: int
    operation: str
    maps: bool
    reason: str  # empty when it maps


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one model; nothing here was compiled."""

    operations: tuple[OperationPrediction, ...]

    @property
    def share(self) -> float:
        """Share of the operations that are predicted to run on the Edge TPU."""
        return sum(v.maps for v in self.operations) / max(1, len(self.operations))

    def lines(self) -> list[str]:
        """Return the prediction as lines of text: the operations that do not map and why, then the share."""
        lines = [f"{v.index:3d} {v.operation}: stays on the CPU: {v.reason}" for v in self.operations if not v.maps]
        kinds = Counter(v.operation for v in self.operations if v.maps)
        mapped = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        return [
            *lines,
            f"predicted (not compiled): {self.share:.0%} of {len(self.operations)} operations map: {mapped}",
        ]


def predict(file: Path) -> Prediction:
    """Predict for each operation of the TFLite model `file` whether an Edge TPU would run it.

    The rules are those of Coral's page "TensorFlow models on the Edge TPU": full int8, fixed shapes, constant
    parameters, at most three inner dimensions over 1, a list of operations with a limit for some, and one
    contiguous run from the input: the first operation that does not map ends it.

    Raises:
        ConversionError: `file` is no TFLite model.
    """
    graph = read_graph(file)
    operations: list[OperationPrediction] = []
    alone = graph.subgraphs == 1
    ended = None if alone else f"the model has {graph.subgraphs} subgraphs, only one is supported"
    for node in graph.nodes:
        reason = ended or _fault(node)
        operations.append(OperationPrediction(node.index, node.operation, reason is None, reason or ""))
        if reason is not None and ended is None:
            ended = f"comes after operation {node.index} ({node.operation}), which ends the part on the Edge TPU"
    return Prediction(tuple(operations))


def _fault(node: Node) -> str | None:
    limits = OPERATIONS.get(node.operation)
    if limits is None:
        return "not among the operations of the Edge TPU"
    faults = chain(map(_tensor_fault, (*node.inputs, *node.outputs)), (limit(node) for limit in limits))
    return next(filter(None, faults), None)


def _tensor_fault(tensor: Tensor) -> str | None:
    if tensor.dynamic:
        return f"{tensor.name} has no fixed shape"
    if tensor.kind == "INT32" and tensor.constant:  # biases, axes, shapes
        return None
    if tensor.kind not in {"INT8", "UINT8"}:
        return f"{tensor.name} is {tensor.kind}, not int8"
    if not tensor.quantized:
        return f"{tensor.name} has no quantization parameters"
    if not tensor.constant and len(tensor.shape) > INNER_DIMS and any(d > 1 for d in tensor.shape[:-INNER_DIMS]):
        return f"{tensor.name} {tensor.shape} has more than {INNER_DIMS} inner dimensions over 1"
    return None


def _constant_parameters(node: Node) -> str | None:
    data = 2 if node.operation == "TRANSPOSE_CONV" else 0  # which lists the shape of its output and its filter first
    variable = [t.name for i, t in enumerate(node.inputs) if i != data and not t.constant]
    return f"{variable[0]} is not constant when compiled" if variable else None


def _no_activation(node: Node) -> str | None:
    return f"has the fused activation {node.activation}" if node.activation != "NONE" else None


def _same_dilation(node: Node) -> str | None:
    x, y = node.option("DilationWFactor", 1), node.option("DilationHFactor", 1)
    return f"dilation {x} in x is not {y} in y" if x != y else None


def _concatenation(node: Node) -> str | None:
    return "joins a constant tensor" if any(t.constant for t in node.inputs) else None


def _default_weights(node: Node) -> str | None:
    if node.option("WeightsFormat", 0) != 0:
        return "weights are not in the default format"
    wide = [d for d in node.outputs[0].shape if d > 1]
    return "its output is not one-dimensional" if len(wide) > 1 else None


def _not_over_batch(node: Node) -> str | None:
    axes = node.inputs[1].values if len(node.inputs) > 1 else ()
    rank = len(node.inputs[0].shape)
    if any(axis % rank == 0 for axis in axes) and node.inputs[0].shape[0] != 1:
        return "reduces over the batch"
    over_depth = any(axis % rank == rank - 1 for axis in axes)
    if over_depth and node.inputs[0].shape[-1] % 4:
        return f"reduces {node.inputs[0].shape[-1]} channels, not a multiple of 4"
    return None


def _no_batch_padding(node: Node) -> str | None:
    return "pads the batch" if any(node.inputs[1].values[:2]) else None


def _softmax(node: Node) -> str | None:
    shape = node.inputs[0].shape
    if len([d for d in shape if d > 1]) > 1:
        return f"softmax over {shape}, only one dimension is supported"
    return f"more than {SOFTMAX_LIMIT} elements" if max(shape) > SOFTMAX_LIMIT else None


def _unit_strides(node: Node) -> str | None:
    if any(s != 1 for s in node.inputs[3].values):
        return "strides are not all 1"
    masks = node.option("EllipsisMask", 0), node.option("NewAxisMask", 0)
    return "uses an ellipsis or a new axis" if any(masks) else None


def _three_dimensional(node: Node) -> str | None:
    return None if node.inputs[0].shape[0] == 1 else "resizes more than one picture"


_UNLIMITED = (
    "ADD", "EXPAND_DIMS", "L2_NORMALIZATION", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "PACK", "QUANTIZE", "RELU",
    "RELU6", "RELU_N1_TO_1", "RESHAPE", "RSQRT", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "SQUARED_DIFFERENCE", "SQUEEZE",
    "SUB", "TANH", "TRANSPOSE",
)  # fmt: skip
OPERATIONS: dict[str, tuple[Limit, ...]] = dict.fromkeys(_UNLIMITED, ()) | {
    "AVERAGE_POOL_2D": (_no_activation,),
    "CONCATENATION": (_no_activation, _concatenation),
    "CONV_2D": (_constant_parameters, _same_dilation),
    "DEPTHWISE_CONV_2D": (_constant_parameters, _same_dilation),
    "FULLY_CONNECTED": (_constant_parameters, _default_weights),
    "MAX_POOL_2D": (_no_activation,),
    "MEAN": (_not_over_batch,),
    "PAD": (_no_batch_padding,),
    "PRELU": (_constant_parameters,),
    "REDUCE_MAX": (_not_over_batch,),
    "REDUCE_MIN": (_not_over_batch,),
    "RESIZE_BILINEAR": (_three_dimensional,),
    "RESIZE_NEAREST_NEIGHBOR": (_three_dimensional,),
    "SOFTMAX": (_softmax,),
    "STRIDED_SLICE": (_unit_strides,),
    "SUM": (_not_over_batch,),
    "TRANSPOSE_CONV": (_constant_parameters,),
}
"""Coral's table of operations (runtime 14) by TFLite name, with the limits that a file shows. The table also says
that some resizes and large reshapes may stay on the CPU without stating sizes: only the compiler knows those."""
