"""A second output for a converted classifier: the feature map that its last two layers read."""

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from smear.errors import ConversionError

IDENTIFIER = b"TFL3"


def with_features(data: bytes) -> bytes:
    """Return the TFLite model `data` with one more output, the input of the last convolution but one.

    No operation is added and no weight changed, so that its first output stays the same bit by bit. The features are
    taken there, and not from the widest map behind it, because what that map clips is what a cell of another kind
    would show; see docs/decisions/0017.

    Raises:
        ConversionError: it is not a TFLite model that ends with two convolutions.
    """
    if data[4:8] != IDENTIFIER:
        raise ConversionError("the classifier is not a TFLite model; convert it again")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    graph = model.subgraphs[0]
    kinds = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    convolutions = [op for op in graph.operators if kinds[op.opcodeIndex] == schema.BuiltinOperator.CONV_2D]
    if len(convolutions) < 2 or int(convolutions[-1].inputs[0]) != int(convolutions[-2].outputs[0]):
        raise ConversionError("the classifier does not end with two convolutions, so it has no feature map to give")
    logits, features = int(graph.outputs[0]), int(convolutions[-2].inputs[0])
    if list(graph.tensors[logits].shape[:3]) != list(graph.tensors[features].shape[:3]):
        raise ConversionError("the classifier's last convolutions read a map of another size than they answer with")
    graph.outputs = [logits, features]
    model.signatureDefs = []  # they name one output; no runtime here goes by names
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def channels(data: bytes) -> int:
    """Return how many channels the feature map of the TFLite model `data` has; 0 without one."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data)).subgraphs[0]
    return int(graph.tensors[graph.outputs[1]].shape[-1]) if len(graph.outputs) > 1 else 0
