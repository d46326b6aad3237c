"""A working bundle of two one-layer models, written with the flatbuffer schema alone, without TensorFlow."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from smear.bundle.files import sha256_of
from smear.bundle.folder import Bundle, load_bundle, write_manifest
from smear.bundle.manifest import Classifier, InputScale, Manifest, ModelFile, Role, Segmenter, TrainingData
from smear.classes import LABELS
from smear.images import write_atomic
from smear.imaging.masking import CROP_SIZE
from smear.imaging.resampling import FIELD_SIZE, MODEL_PIXEL_SIZE_UM
from smear.inference.tflite import open_runtime
from smear.inference.verification import INPUTS, answer

LEVEL = "float32"
# Logits of background, cytoplasm and nucleus for R, G, B in 0..1, from a logistic regression on drawn fields:
# right for 98.6 % of their pixels.
SEGMENT_WEIGHTS = np.array([[-3.7, 27.3, -19.7], [-6.7, 3.1, 3.1], [10.3, -30.4, 16.5]], np.float32)
SEGMENT_BIAS = np.array([3.2, 0.0, -3.2], np.float32)
# Logits of the four classes and "other" for the mean colour of a crop: pinker is earlier, and blue is none of them.
CLASS_WEIGHTS = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4], [2, 2, 0], [-60, 0, 60]], np.float32)
CLASS_BIAS = np.array([0.2, 0.0, 0.3, 0.1, -8.0], np.float32)


def make(folder: Path) -> Path:
    """Write the bundle into `folder`, golden outputs and checksums included."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[Role, Path] = {
        "segmenter": folder / "segmenter.float32.tflite",
        "classifier": folder / "classifier.float32.tflite",
    }
    files["segmenter"].write_bytes(pixel_model(SEGMENT_WEIGHTS, SEGMENT_BIAS, FIELD_SIZE))
    files["classifier"].write_bytes(mean_model(CLASS_WEIGHTS, CLASS_BIAS, CROP_SIZE))
    write_atomic(folder / "golden.npz", _golden(files))
    entries = {
        role: {LEVEL: ModelFile(file=path.name, sha256=sha256_of(path), bytes=path.stat().st_size)}
        for role, path in files.items()
    }
    write_manifest(
        folder,
        Manifest(
            name="tiny",
            created="2026-01-01T00:00:00+00:00",
            labels=LABELS,
            input=InputScale(size=FIELD_SIZE, pixel_size_um=MODEL_PIXEL_SIZE_UM),
            segmenter=Segmenter(name="one_layer", output="logits", levels=entries["segmenter"]),
            classifier=Classifier(
                name="mean_colour", shown="crops", input_size=CROP_SIZE, output="logits", other=True,
                temperature=0.5, abstain_below=0.1, ood_above=0.5, levels=entries["classifier"],
            ),
            training_data=TrainingData(fingerprint="0" * 64, n=0, split="none"),
            git_revision="none",
            files={"golden.npz": sha256_of(folder / "golden.npz")},
        ),
    )  # fmt: skip
    return folder


def load(folder: Path) -> Bundle:
    """Make a bundle in `folder` and open it."""
    return load_bundle(make(folder))


def _golden(files: Mapping[Role, Path]) -> bytes:
    rng = np.random.default_rng(1)
    sizes: dict[Role, int] = {"segmenter": FIELD_SIZE, "classifier": CROP_SIZE}
    arrays: dict[str, Any] = {}
    for role, path in files.items():
        pictures = rng.integers(0, 256, (2, sizes[role], sizes[role], 3), np.uint8)
        model = open_runtime(path)
        arrays[INPUTS[role]] = pictures
        arrays[f"{role}.{LEVEL}"] = answer(role, model, pictures)
        arrays[f"tolerance.{role}.{LEVEL}"] = np.array(0.01)
        model.close()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def pixel_model(weights: np.ndarray, bias: np.ndarray, size: int) -> bytes:
    """Return a TFLite model of one 1x1 convolution: (1, size, size, 3) to (1, size, size, n)."""
    net = _Net()
    given = net.tensor((1, size, size, weights.shape[1]))
    out = net.tensor((1, size, size, len(weights)))
    filters = net.tensor((len(weights), 1, 1, weights.shape[1]), weights)
    net.convolve([given, filters, net.tensor(bias.shape, bias)], out)
    return net.finish(given, out)


def two_convolutions(first: np.ndarray, second: np.ndarray, size: int) -> bytes:
    """Return a TFLite model of two 1x1 convolutions without bias, one behind the other, behind a third that copies."""
    net = _Net()
    channels = first.shape[1]
    given = now = net.tensor((1, size, size, channels))
    for weights in (np.eye(channels, dtype=np.float32), first, second):
        out = net.tensor((1, size, size, len(weights)))
        filters = net.tensor((len(weights), 1, 1, weights.shape[1]), weights)
        net.convolve([now, filters, net.tensor((len(weights),), np.zeros(len(weights), np.float32))], out)
        now = out
    return net.finish(given, now)


def map_model(filters: np.ndarray, offset: np.ndarray, weights: np.ndarray, bias: np.ndarray, size: int) -> bytes:
    """Return a TFLite model of two convolutions, the second 1x1: (1, size, size, 3) to (1, places, places, n).

    `filters` is float (k, s, s, 3): they lie side by side, so there are size / s places each way.
    """
    net, stride = _Net(), filters.shape[1]
    places = size // stride
    given = net.tensor((1, size, size, filters.shape[3]))
    middle, out = net.tensor((1, places, places, len(filters))), net.tensor((1, places, places, len(weights)))
    first = [given, net.tensor(filters.shape, filters), net.tensor(offset.shape, offset)]
    net.convolve(first, middle, stride, relu=True)
    last = weights.reshape(len(weights), 1, 1, -1)
    net.convolve([middle, net.tensor(last.shape, last), net.tensor(bias.shape, bias)], out)
    return net.finish(given, out)


def mean_model(weights: np.ndarray, bias: np.ndarray, size: int) -> bytes:
    """Return a TFLite model of a mean and a dense layer: (1, size, size, 3) to (1, n)."""
    net = _Net()
    given = net.tensor((1, size, size, weights.shape[1]))
    mean, out = net.tensor((1, weights.shape[1])), net.tensor((1, len(weights)))
    net.average([given, net.tensor((2,), np.array([1, 2], np.int32))], mean)
    net.dense([mean, net.tensor(weights.shape, weights), net.tensor(bias.shape, bias)], out)
    return net.finish(given, out)


def copying_int8_model(shape: tuple[int, ...], scale: float, zero: int) -> bytes:
    """Return a TFLite model that gives its int8 input back: all it does is what its caller's quantization does."""
    net = _Net()
    given, out = (net.tensor(shape, quantization=(scale, zero)) for _ in range(2))
    net.reshape([given, net.tensor((len(shape),), np.array(shape, np.int32))], out)
    return net.finish(given, out)


class _Net:
    """A model under construction, in the object API of the schema that ai-edge-litert ships."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated

        self.schema = s = schema_py_generated
        self.model, self.graph = s.ModelT(), s.SubGraphT()
        self.model.version, self.model.buffers, self.model.operatorCodes = 3, [s.BufferT()], []
        self.graph.tensors, self.graph.operators, self.graph.name = [], [], b"main"

    def tensor(
        self, shape: tuple[int, ...], data: np.ndarray | None = None, quantization: tuple[float, int] | None = None
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.shape, tensor.buffer, tensor.name = list(shape), 0, f"t{len(self.graph.tensors)}".encode()
        kinds = self.schema.TensorType
        tensor.type = kinds.INT32 if data is not None and data.dtype == np.int32 else kinds.FLOAT32
        if quantization:
            tensor.type, tensor.quantization = kinds.INT8, self.schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [quantization[0]], [quantization[1]]
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def convolve(self, inputs: list[int], output: int, stride: int = 1, relu: bool = False) -> None:
        options, kinds = self.schema.Conv2DOptionsT(), self.schema.ActivationFunctionType
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = kinds.RELU if relu else kinds.NONE
        self._operator("CONV_2D", "Conv2DOptions", options, inputs, output)

    def average(self, inputs: list[int], output: int) -> None:
        self._operator("MEAN", "ReducerOptions", self.schema.ReducerOptionsT(), inputs, output)

    def dense(self, inputs: list[int], output: int) -> None:
        self._operator("FULLY_CONNECTED", "FullyConnectedOptions", self.schema.FullyConnectedOptionsT(), inputs, output)

    def reshape(self, inputs: list[int], output: int) -> None:
        self._operator("RESHAPE", "ReshapeOptions", self.schema.ReshapeOptionsT(), inputs, output)

    def _operator(self, name: str, kind: str, options: object, inputs: list[int], output: int) -> None:
        code, operator = self.schema.OperatorCodeT(), self.schema.OperatorT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = code.builtinCode, 1
        self.model.operatorCodes.append(code)
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.model.operatorCodes) - 1, inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = getattr(self.schema.BuiltinOptions, kind), options
        self.graph.operators.append(operator)

    def finish(self, given: int, output: int) -> bytes:
        import flatbuffers

        self.graph.inputs, self.graph.outputs, self.model.subgraphs = [given], [output], [self.graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
