"""One calibration profile: what was measured, and the camera and objective it belongs to."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from smear.site import CameraProfile

SCHEMA_VERSION = 2
GRID = (24, 32)  # rows, columns of the flat field: a lamp's fall-off and a lens's vignette are smoother than that
MAX_GAIN = 4.0  # more would show noise as stain
DEFAULT_OBJECTIVE = "default"
OBJECTIVE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}"  # 40x, 100x oil, Plan-Apo_63: safe in a file's name
_SLUG = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class OpticalSetup:
    """The camera as it is open, and the objective: what a profile must have been made with to be applied."""

    camera: str = ""  # stable name, see `device.cameras.base.CameraIdentity`; empty: none is named
    serial: str | None = None  # None: unknown, as of a camera that is not open
    size: tuple[int, int] | None = None  # width, height; None: unknown until a frame comes
    pixel_format: str | None = None
    objective: str = DEFAULT_OBJECTIVE
    opened_as: str = ""  # the name it was opened by, where that is another one

    def describe(self) -> str:
        """Return it in words: camera, size, pixel format and objective as far as they are known."""
        parts = [self.camera or "the first camera that is opened"]
        if self.serial:
            parts.append(f"serial {self.serial}")
        parts.append("the size it delivers then" if self.size is None else f"{self.size[0]}x{self.size[1]}")
        if self.pixel_format:
            parts.append(self.pixel_format)
        return ", ".join([*parts, f"objective {self.objective}"])


def _flat_grid(flat: list[list[list[float]]] | None) -> list[list[list[float]]] | None:
    if flat is not None and np.asarray(flat, dtype=object).shape != (*GRID, 3):
        raise ValueError(f"not {GRID[0]} rows of {GRID[1]} gains of three channels")
    return flat


Edge = Annotated[int, Field(ge=1, le=100_000)]
Gain = Annotated[float, Field(gt=0, le=MAX_GAIN)]
Control = bool | int | FiniteFloat | str | tuple[FiniteFloat, ...]
Tone = Annotated[float, Field(ge=0, le=255)]


class Calibration(BaseModel):
    """The content of a profile's file; a part that was not calibrated is None."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    id: str = Field(default="", pattern=r"^[0-9A-Za-z-]{0,40}$")  # date and checksum of the rest; in every record
    created: str = ""  # ISO 8601, UTC
    camera: str = ""  # stable name; empty: of the first camera that is opened
    serial: str | None = None  # None: not known
    size: tuple[Edge, Edge] | None = None  # width, height of the frames; None: of the first size that is delivered
    pixel_format: str | None = None
    objective: Annotated[str, StringConstraints(pattern=f"^{OBJECTIVE_PATTERN}$")] = DEFAULT_OBJECTIVE
    white: tuple[Gain, Gain, Gain] | None = None  # gains of R, G, B
    glass: tuple[Tone, Tone, Tone] | None = None  # colour of the empty glass once corrected, 0..255
    flat: Annotated[list[list[list[Gain]]] | None, AfterValidator(_flat_grid)] = None  # by row, column and channel
    controls: dict[str, Control] = Field(default_factory=dict)  # fixed settings in the camera's own words
    pixel_size_um: float | None = Field(default=None, ge=0.01, le=10)
    best_focus: float | None = Field(default=None, gt=0, le=10)

    @property
    def setup(self) -> OpticalSetup:
        """What it was made with."""
        return OpticalSetup(self.camera, self.serial, self.size, self.pixel_format, self.objective)

    @property
    def profile(self) -> CameraProfile:
        """What a site certificate belongs to: the camera, the size of its frames, the objective and its scale."""
        if not self.id:
            return CameraProfile()
        size = f" {self.size[0]}x{self.size[1]}" if self.size else ""
        named = self.objective if self.objective != DEFAULT_OBJECTIVE else None
        return CameraProfile(f"{self.camera}{size}", named, self.pixel_size_um)

    @property
    def pending(self) -> bool:
        """True: a typed scale that is not bound yet to a camera, or to the size that it delivers."""
        return not self.camera or self.size is None

    @property
    def file_name(self) -> str:
        """The profile's file: readable, and another one for each setup."""
        key = repr((self.camera, self.serial, self.size, self.pixel_format, self.objective))
        size = "x".join(map(str, self.size)) if self.size else "any"
        words = _SLUG.sub("-", f"{self.camera or 'any'}-{size}-{self.objective}").strip("-")[:80]
        return f"{words}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.json"

    def misfits(self, setup: OpticalSetup) -> list[str]:
        """Return in what it differs from `setup`, each as "THIS ONE'S, not THAT ONE'S"; empty: it may be applied.

        What either side does not know does not count against it.
        """
        found = []
        if self.camera and setup.camera and self.camera not in {setup.camera, setup.opened_as}:
            found.append(f"camera {self.camera}, not {setup.camera}")
        pairs = (
            ("serial", self.serial, setup.serial),
            ("", _size(self.size), _size(setup.size)),
            ("pixel format", self.pixel_format, setup.pixel_format),
            ("objective", self.objective, setup.objective),
        )
        for what, own, other in pairs:
            if own is not None and other is not None and own != other:
                found.append(f"{what} {own or 'none'}, not {other or 'none'}".strip())
        return found

    def assigned_to(self, setup: OpticalSetup) -> "Calibration":
        """Return the same as a profile of `setup`."""
        return self.model_copy(
            update={
                "schema_version": SCHEMA_VERSION,
                "camera": setup.camera,
                "serial": setup.serial,
                "size": setup.size,
                "pixel_format": setup.pixel_format,
                "objective": setup.objective,
            }
        )

    def dated(self, wall_s: float) -> "Calibration":
        """Return the same with its date, Unix time, and a new id."""
        now = datetime.fromtimestamp(wall_s, UTC)
        bare = self.model_copy(update={"id": "", "created": now.isoformat(timespec="seconds")})
        digest = hashlib.sha256(bare.model_dump_json().encode()).hexdigest()[:8]
        return bare.model_copy(update={"id": f"{now:%Y%m%dT%H%M%SZ}-{digest}"})


NONE = Calibration()


def _size(size: tuple[int, int] | None) -> str | None:
    return None if size is None else f"{size[0]}x{size[1]}"
