"""The level and the threads that are the fastest on this machine, as `smearscope bench pick` measured them."""

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema

from smear.bundle.files import FileFault, read_file
from smear.bundle.levels import LEVELS, Level
from smear.output_files import write_atomic

PICK = "pick.json"  # below the data folder
AUTO = "auto"
CHOICES = (AUTO, *LEVELS)
UNMEASURED: tuple[Level, int] = ("int8", 1)  # where nothing was picked
HOW = "run 'smearscope bench pick' while the machine does nothing else"


def _known_level(name: str) -> str:
    if name not in CHOICES:
        raise ValueError(f"allowed: {', '.join(CHOICES)}")
    return name


def _known_threads(value: object) -> object:
    if value == AUTO or (type(value) is int and 1 <= value <= 64):
        return value
    raise ValueError(f"allowed: {AUTO}, or a whole number at least 1 and at most 64")


LevelChoice = Annotated[str, AfterValidator(_known_level)]
"""The settings' level, which may be `AUTO`; `ThreadsChoice` likewise."""
_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 64}, {"const": AUTO}]}
ThreadsChoice = Annotated[int | Literal["auto"], PlainValidator(_known_threads), WithJsonSchema(_SCHEMA)]


class Figure(BaseModel):
    """What one combination took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level
    threads: int
    ms: float  # median of a field
    ratio: tuple[float, float, float]  # to the first of all, with its interval


class Pick(BaseModel):
    """The fastest combination of one bundle on one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle_sha256: str
    machine: str
    level: Level
    threads: Annotated[int, Field(ge=1, le=64)]
    figures: tuple[Figure, ...]


def machine() -> str:
    """Return what a pick holds for: the processor's name and how many there are."""
    return f"{os.cpu_count()} x {processor()}"


def processor() -> str:
    """Return the processor's name, as Linux says it."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.machine())
    return platform.machine()


def read_pick(data: Path | None, bundle_sha256: str) -> Pick | None:
    """Return what was picked for this bundle on this machine; None where that was not measured."""
    if data is None:
        return None
    try:
        pick = Pick.model_validate_json(read_file(data / PICK))
    except (FileFault, ValidationError):
        return None
    return pick if (pick.bundle_sha256, pick.machine) == (bundle_sha256, machine()) else None


def write_pick(data: Path, pick: Pick) -> Path:
    """Keep `pick` in the data folder; return its file."""
    data.mkdir(parents=True, exist_ok=True)
    write_atomic(data / PICK, pick.model_dump_json(indent=1).encode())
    return data / PICK


def resolved(level: str, threads: int | str, pick: Pick | None) -> tuple[Level, int]:
    """Return level and threads with each `AUTO` replaced: threads were measured together with their level."""
    best = UNMEASURED if pick is None else (pick.level, pick.threads)
    level = best[0] if level == AUTO else level
    if isinstance(threads, int):
        return level, threads
    return level, best[1] if level == best[0] else UNMEASURED[1]
