"""How to convert: the settings of one conversion."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from convert.examples import REPRESENTATIVE
from convert.export.tflite import CONVERTED
from convert.quantization.quantization_aware import STEPS
from convert.verification.acceptance import Limits
from smear.bundle.levels import Level
from smear.bundle.manifest import Role
from smear.inference.tflite import AI_EDGE_LITERT

BASELINE: Level = "float32"  # what every other level is compared with, whether or not it ships
ROLES: tuple[Role, ...] = ("segmenter", "classifier")


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of one conversion."""

    levels: tuple[Level, ...] = CONVERTED
    limits: Limits = field(default_factory=Limits)
    fields: int = 200  # validation fields on which outputs are compared with Keras; figures are measured on all
    representative: int = REPRESENTATIVE  # training fields that calibrate quantized levels
    runtimes: tuple[str, ...] = (AI_EDGE_LITERT.name,)  # in this environment; the first one measures
    tflite_python: Path | None = None  # interpreter of an environment that has tflite-runtime
    slow_fields: int = 40  # of `fields`, for levels that take seconds a field
    onnx: bool = False
    reference: bool = False  # keep every level, whatever it loses: a bundle to compare with, not to ship
    finetune_steps: int = STEPS  # of int8, where plain int8 loses too much; with 0 only its biases are corrected
    report: Callable[[str], None] = lambda line: None  # called with each step of the work
