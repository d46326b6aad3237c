"""How to convert: what the command line asks for, in one place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from convert.examples import REPRESENTATIVE
from convert.export.tflite import CONVERTED
from convert.quantization.quantization_aware import STEPS
from convert.verification.acceptance import Limits
from smear.bundle.manifest import Level, Role

REFERENCE: Level = "float32"  # what every other level is held against, whether or not it ships
ROLES: tuple[Role, ...] = ("segmenter", "classifier")


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert."""

    levels: tuple[Level, ...] = CONVERTED
    limits: Limits = field(default_factory=Limits)
    fields: int = 200  # validation fields on which outputs are compared with Keras; the gate measures on all
    representative: int = REPRESENTATIVE
    runtimes: tuple[str, ...] = ("ai-edge-litert",)  # in this environment; the first one measures
    tflite_python: Path | None = None  # interpreter of an environment that has tflite-runtime
    slow_fields: int = 40  # of `fields`, for levels that take seconds a field
    onnx: bool = False
    reference: bool = False  # keep every level, whatever it loses: a pair that others are compared with, not shipped
    finetune_steps: int = STEPS  # of int8, where plain int8 loses too much; with 0 its biases are corrected, no more
    say: Callable[[str], None] = lambda line: None
