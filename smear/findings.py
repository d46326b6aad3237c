"""The data types of the pipeline: a frame, its mask, its cells, and the finding with its refusals."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.errors import ImageError
from smear.site import SiteStatus

BACKGROUND, CYTOPLASM, NUCLEUS = 0, 128, 255
"""Values of a `CellMask`, and of every mask PNG that Smearscope writes."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one field, as a camera or a file gave it."""

    image: NDArray[np.uint8]  # RGB (H, W, 3)
    source: str  # camera name or file path
    pixel_size_um: float | None = None  # edge of one pixel on the slide; None: unknown
    sequence: int = 0
    monotonic_s: float = 0.0  # when it was taken, on the boot's own clock
    wall_time_s: float = 0.0  # when it was taken, Unix time

    def __post_init__(self) -> None:
        require_rgb(self.image)


def require_rgb(image: NDArray[Any]) -> None:
    """Refuse anything but RGB uint8 (H, W, 3).

    Raises:
        ImageError: `image` is something else.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ImageError(f"a field must be RGB uint8 (H, W, 3), not {image.dtype} {image.shape}; convert it first")


@dataclass(frozen=True, slots=True, eq=False)
class CellMask:
    """Which pixels are leukocyte: uint8 (H, W) of `BACKGROUND`, `CYTOPLASM` and `NUCLEUS`."""

    values: NDArray[np.uint8]

    @property
    def cell(self) -> NDArray[np.bool_]:
        """Bool (H, W): cytoplasm or nucleus."""
        return np.asarray(self.values != BACKGROUND)

    @property
    def nucleus(self) -> NDArray[np.bool_]:
        """Bool (H, W): nucleus alone."""
        return np.asarray(self.values == NUCLEUS)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One leukocyte, measured in the pixels of its own frame."""

    bbox: tuple[int, int, int, int]  # x, y, width, height
    centroid: tuple[float, float]  # x, y
    area_px: float
    area_um2: float | None  # None where the pixel size is unknown
    nc_ratio: float  # nucleus area / whole cell area, 0 to 1
    circularity: float  # 4 pi area / perimeter^2 of the contour, 1 for a disc
    contour: NDArray[np.int32]  # (N, 2), x and y
    touches_edge: bool  # cut by the frame: counted, but not measured against others
    probabilities: tuple[float, ...] = ()  # in the order of LABELS; empty when not classified

    def with_probabilities(self, probabilities: tuple[float, ...]) -> "Cell":
        """Return the same cell with these `probabilities`: five times as fast as `dataclasses.replace`."""
        measured = self.bbox, self.centroid, self.area_px, self.area_um2, self.nc_ratio, self.circularity
        return Cell(*measured, self.contour, self.touches_edge, probabilities)


class RefusalCode(StrEnum):
    """Why a field gets no label. Codes are stored, counted and compared; they never change once released."""

    TOO_DARK = "too_dark"
    BAD_EXPOSURE = "bad_exposure"
    TINTED_BACKGROUND = "tinted_background"
    NO_CELLS = "no_cells"
    OUT_OF_FOCUS = "out_of_focus"
    TOO_CROWDED = "too_crowded"
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    NOT_THESE_CLASSES = "not_these_classes"
    UNCERTAIN = "uncertain"
    LIGHT_CHANGED = "light_changed"
    SCALE_DISAGREES = "scale_disagrees"
    UNSTEADY = "unsteady"
    INVALID_ANSWER = "invalid_answer"
    UNREADABLE = "unreadable"
    SITE_NOT_CHECKED = "site_not_checked"
    DAMAGED_RECORD = "damaged_record"
    OTHER = "other"  # of a record whose code this version does not know


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a field gets no label: a code for programs, and a sentence for people."""

    code: RefusalCode
    advice: str  # what is wrong, with its figure, and what to do: "out of focus (...): turn the fine focus"

    def __str__(self) -> str:
        return self.advice


@dataclass(frozen=True, slots=True)
class Quality:
    """What the gate measured in one field, before any label."""

    focus: float  # Tenengrad energy at cell rims, relative to the calibrated best focus; absolute when uncalibrated
    clipped: float  # share of the cells' pixels at 0 or 255 in any channel; without a cell, of all in all three
    brightness: float  # luminance of the background, 0 to 1
    cell_share: float  # share of the field covered by leukocytes
    colour_drift: float = 0.0  # CIE76 distance of the background from the calibrated one; 0 when uncalibrated
    ood_score: float | None = None  # out-of-distribution score, larger is less like the training data; None: not scored


@dataclass(frozen=True, slots=True)
class RedCellScale:
    """What the red cells of a frame say of its scale."""

    pixel_size_um: float  # edge of one pixel on the slide
    doubt: float  # standard error of its logarithm: 0.1 is 10 %
    red_cells: int  # free ones, that no other covers
    sure: bool  # enough cells of one size, found again at the scale that they gave

    @property
    def interval_um(self) -> tuple[float, float]:
        """Bounds that hold the pixel size in 95 of 100 fields."""
        return self.pixel_size_um * math.exp(-2 * self.doubt), self.pixel_size_um * math.exp(2 * self.doubt)


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale that a frame was examined at, and what its red cells say of it."""

    pixel_size_um: float  # as it was used, of the frame
    given: bool  # False: unknown; the longer side was taken for one whole field of the data set
    red_cells: RedCellScale | None  # None: none were seen


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """Everything that was concluded from one frame.

    `label` is None when the field is refused; `refusals` then says why.
    `top` is the best class whether or not it was refused, and None only when no cell was found.
    """

    label: str | None
    top: str | None
    probabilities: dict[str, float]  # by class name; empty when no cell was found
    refusals: tuple[Refusal, ...]
    cells: tuple[Cell, ...]
    mask: CellMask
    quality: Quality
    timing_ms: dict[str, float] = field(default_factory=dict)  # by stage, in the order of the pipeline
    bundle_sha256: str = ""
    level: str = ""
    runtime: str = ""
    site: SiteStatus | None = None  # None: outside a site, as in training and in the benchmarks
    scale: Scale | None = None  # None: of a record, or of what could not be read
