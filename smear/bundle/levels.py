"""The levels at which a bundle stores its weights: how exact, how fast, and what each needs to run."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from smear.errors import BundleError
from smear.registry import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSpec(Spec):
    """One level of quantization."""

    slow: bool = False  # runtimes have reference kernels for it only: forty times the time of int8, seconds per field
    needs_delegate: bool = False  # runs only through the library of an accelerator, such as the Edge TPU's
    cpu_level: str | None = None  # for such a level: the one with the same weights that runs on the CPU


LEVEL_SPECS = (
    LevelSpec(name="float32", help="as trained: the reference for the others"),
    LevelSpec(name="float16", help="half the size; computed in float32"),
    LevelSpec(name="dynamic", help="int8 weights, activations quantized at run time"),
    LevelSpec(name="int8", help="int8 weights and activations: the fastest on a CPU"),
    LevelSpec(name="int16x8", help="int8 weights, int16 activations: closer to float32, but slow", slow=True),
    LevelSpec(name="edgetpu", help="int8 compiled for a Coral Edge TPU", needs_delegate=True, cpu_level="int8"),
)
LEVELS: tuple[str, ...] = tuple(spec.name for spec in LEVEL_SPECS)
SLOW: frozenset[str] = frozenset(spec.name for spec in LEVEL_SPECS if spec.slow)


def level_spec(name: str) -> LevelSpec:
    """Return the level called `name`.

    Raises:
        BundleError: there is none.
    """
    for spec in LEVEL_SPECS:
        if spec.name == name:
            return spec
    raise BundleError(f"{name!r} is no level; write one of: {', '.join(LEVELS)}")


def _known(name: str) -> str:
    if name not in LEVELS:
        raise ValueError(f"allowed: {', '.join(LEVELS)}")
    return name


_SCHEMA: dict[str, Any] = {"type": "string", "enum": list(LEVELS)}
Level = Annotated[str, AfterValidator(_known), WithJsonSchema(_SCHEMA)]
"""The name of a level, as pydantic checks it."""
