"""Counts the multiply-adds of a TFLite file, and cuts out each operation as a model of its own."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.schema import BenchmarkError


@dataclass(frozen=True, slots=True)
class Piece:
    """One operation cut out of a model."""

    operation: str
    multiply_adds: int
    model: bytes


def multiply_adds(file: Path) -> int | None:
    """Return the multiply-adds of one inference of the TFLite model `file`; None where its schema is not installed."""
    try:
        schema = _schema()
    except BenchmarkError:
        return None
    model = _read(schema, file)
    codes, graph = _codes(schema, model), model.subgraphs[0]
    return sum(_multiply_adds_of(codes[op.opcodeIndex], op, graph.tensors) for op in graph.operators)


def pieces(file: Path) -> Iterator[Piece]:
    """Yield each operation of the TFLite model `file` as a runnable model.

    Raises:
        BenchmarkError: the file is no TFLite model, or the schema is not installed.
    """
    schema = _schema()
    whole = _read(schema, file)
    codes, graph = _codes(schema, whole), whole.subgraphs[0]
    for op in graph.operators:
        inputs = [i for i in op.inputs if i >= 0 and not _is_constant(graph.tensors[i], whole.buffers)]
        if not inputs or any(i < 0 for i in op.outputs):
            continue
        cut = _packed(_only(schema, whole, op, inputs))
        name = codes[op.opcodeIndex]
        yield Piece(_kind(name, op, graph.tensors), _multiply_adds_of(name, op, graph.tensors), cut)


def _kind(operation: str, op: Any, tensors: list[Any]) -> str:
    """Return the operation, with the kernel size of convolutions: 1x1 is a plain matrix product."""
    if operation not in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
        return operation
    _, height, width, _ = tensors[op.inputs[1]].shape
    return f"{operation} {height}x{width}"


def _only(schema: Any, whole: Any, op: Any, inputs: list[int]) -> Any:
    """Return a model of `op` alone, its tensors in the same order and numbered anew."""
    graph = whole.subgraphs[0]
    used = sorted({int(i) for i in (*op.inputs, *op.outputs) if i >= 0})
    position = {old: new for new, old in enumerate(used)} | {-1: -1}
    model, part, alone = schema.ModelT(), schema.SubGraphT(), copy.copy(op)
    model.version, model.operatorCodes = 3, whole.operatorCodes
    model.buffers, part.tensors = [schema.BufferT()], []
    for i in used:
        tensor = copy.copy(graph.tensors[i])
        if _is_constant(tensor, whole.buffers):
            model.buffers.append(whole.buffers[tensor.buffer])
            tensor.buffer = len(model.buffers) - 1
        else:
            tensor.buffer = 0
        part.tensors.append(tensor)
    alone.inputs = [position[int(i)] for i in op.inputs]
    alone.outputs = [position[int(i)] for i in op.outputs]
    part.operators, part.name = [alone], b"main"
    part.inputs, part.outputs = [position[int(i)] for i in inputs], alone.outputs
    model.subgraphs = [part]
    return model


def matrix_product(size: int, quantized: bool) -> bytes:
    """Return a model of one (size, size) x (size, size) product, int8 or float32, with a constant right side.

    Raises:
        BenchmarkError: the schema is not installed.
    """
    schema = _schema()
    model, graph, op, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 4 if quantized else 1
    rng = np.random.default_rng(0)
    right = rng.integers(-127, 128, (size, size)).astype(np.int8)
    weights = schema.BufferT()
    weights.data = np.frombuffer((right if quantized else right.astype(np.float32)).tobytes(), np.uint8)
    model.version, model.operatorCodes, model.buffers = 3, [code], [schema.BufferT(), weights]
    graph.tensors = []
    for i, name in enumerate((b"left", b"right", b"product")):
        tensor = schema.TensorT()
        tensor.shape, tensor.name, tensor.buffer = [size, size], name, int(i == 1)
        tensor.type = schema.TensorType.INT8 if quantized else schema.TensorType.FLOAT32
        if quantized:
            tensor.quantization = schema.QuantizationParametersT()
            # The product is scaled down so that it uses the whole range of int8.
            tensor.quantization.scale = [(1 / 127, 1 / 127, math.sqrt(size) / 127)[i]]
            tensor.quantization.zeroPoint = [0]
        graph.tensors.append(tensor)
    op.inputs, op.outputs, op.opcodeIndex = [0, 1, -1], [2], 0
    op.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    op.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators, graph.inputs, graph.outputs, graph.name = [op], [0], [2], b"main"
    model.subgraphs = [graph]
    return _packed(model)


def onnx_product(size: int) -> bytes:
    """Return an ONNX model of one (size, size) x (size, size) product of integers with a constant right side.

    uint8 times int8: the pair for which processors have instructions.

    Raises:
        ImportError: `onnx` is not installed.
    """
    from onnx import TensorProto, helper, numpy_helper

    right = np.random.default_rng(0).integers(-127, 128, (size, size)).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [size, size])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def _packed(model: Any) -> bytes:
    """Return the flatbuffer of a TFLite `model`."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        advice = "pip install 'smearscope[device]'"
        raise BenchmarkError(f"TFLite files are read and built with ai-edge-litert; {advice}") from error
    return schema_py_generated


def _read(schema: Any, file: Path) -> Any:
    data = file.read_bytes()
    if data[4:8] != b"TFL3":
        raise BenchmarkError(f"{file}: not a TFLite model; install the bundle again")
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))


def _codes(schema: Any, model: Any) -> list[str]:
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]


def _is_constant(tensor: Any, buffers: list[Any]) -> bool:
    data = buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _multiply_adds_of(operation: str, op: Any, tensors: list[Any]) -> int:
    """Return the multiply-adds of one operation; only convolutions and dense layers have any."""

    def size(index: int, axes: slice = slice(None)) -> int:
        return math.prod(int(n) for n in tensors[index].shape[axes])

    if operation in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
        return size(op.inputs[1]) * size(op.outputs[0], slice(1, 3))
    if operation == "TRANSPOSE_CONV":  # inputs: shape of the output, weights, picture
        return size(op.inputs[1]) * size(op.inputs[2], slice(1, 3))
    return size(op.inputs[1]) * size(op.outputs[0], slice(-1)) if operation == "FULLY_CONNECTED" else 0
