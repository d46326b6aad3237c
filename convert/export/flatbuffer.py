"""Reads the operations of a TFLite file without running it."""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from smear.errors import ConversionError

IDENTIFIER = b"TFL3"
_CONSTANT_VALUES = 64  # integers of small constants (axes, strides, paddings) that limits look at


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the graph."""

    name: str
    shape: tuple[int, ...]
    kind: str  # "INT8", "FLOAT32", ... as the schema names it
    constant: bool  # its values are in the file
    dynamic: bool  # a dimension is left open
    quantized: bool
    values: tuple[int, ...] = ()  # of a small INT32 constant


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph."""

    index: int
    operation: str  # "CONV_2D", ...
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    activation: str  # fused after it: "NONE", "RELU", ...
    options: Any  # the schema's table of its options, or None

    def option(self, name: str, default: int) -> int:
        """Return the option that the schema calls `name` ("DilationWFactor")."""
        return int(getattr(self.options, name[0].lower() + name[1:], default))


@dataclass(frozen=True, slots=True)
class Graph:
    """The operations of the first subgraph, in the order they run."""

    nodes: tuple[Node, ...]
    subgraphs: int


def read_graph(file: Path) -> Graph:
    """Read the operations of the TFLite model `file`.

    Raises:
        ConversionError: it is missing or no TFLite model.
    """
    try:
        data = file.read_bytes()
        if data[4:8] != IDENTIFIER:
            raise ValueError("it lacks the identifier TFL3")
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    except (OSError, ValueError, struct.error, IndexError, TypeError) as error:
        raise ConversionError(f"{file}: not a TFLite model ({error}); convert it again") from error
    graph = model.subgraphs[0]
    tensors = [_tensor(tensor, model.buffers) for tensor in graph.tensors]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    nodes = tuple(_node(i, op, codes, tensors) for i, op in enumerate(graph.operators))
    return Graph(nodes, len(model.subgraphs))


def _tensor(tensor: Any, buffers: list[Any]) -> Tensor:
    data = buffers[tensor.buffer].data
    shape = tuple(int(d) for d in tensor.shape) if tensor.shape is not None else ()
    signature = tensor.shapeSignature if tensor.shapeSignature is not None else shape
    kind = _KINDS[tensor.type]
    constant = data is not None and len(data) > 0
    values: tuple[int, ...] = ()
    if constant and kind == "INT32" and math.prod(shape) <= _CONSTANT_VALUES:
        values = tuple(int(v) for v in np.asarray(data, np.uint8).view("<i4"))
    quantized = tensor.quantization is not None and tensor.quantization.scale is not None
    name = tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)
    return Tensor(name, shape, kind, constant, any(int(d) < 0 for d in signature), quantized, values)


def _node(index: int, operator: Any, codes: list[int], tensors: list[Tensor]) -> Node:
    options = operator.builtinOptions
    activation = _ACTIVATIONS[getattr(options, "fusedActivationFunction", 0)]
    inputs = tuple(tensors[i] for i in operator.inputs if i >= 0)
    outputs = tuple(tensors[i] for i in operator.outputs if i >= 0)
    return Node(index, _OPERATIONS[codes[operator.opcodeIndex]], inputs, outputs, activation, options)


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


_KINDS = _names(schema.TensorType)
_ACTIVATIONS = _names(schema.ActivationFunctionType)
_OPERATIONS = _names(schema.BuiltinOperator)
