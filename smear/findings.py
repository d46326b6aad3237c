"""What travels along the pipeline: the frame, its mask, its cells and the finding."""

from dataclasses import dataclass, field

import numpy as np

from smear.errors import ImageError

BACKGROUND, CYTOPLASM, NUCLEUS = 0, 128, 255
"""Values of a `CellMask`, and of every mask PNG that Smearscope writes."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one field, as a camera or a file gave it."""

    image: np.ndarray  # RGB uint8 (H, W, 3)
    source: str  # camera name or file path
    pixel_size_um: float | None = None  # edge of one pixel on the slide; None: unknown
    sequence: int = 0
    monotonic_s: float = 0.0  # when it was taken, on the boot's own clock
    wall_time_s: float = 0.0  # when it was taken, Unix time

    def __post_init__(self) -> None:
        require_rgb(self.image)


def require_rgb(image: np.ndarray) -> None:
    """Refuse anything but RGB uint8 (H, W, 3).

    Raises:
        ImageError: `image` is something else.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ImageError(f"a field must be RGB uint8 (H, W, 3), not {image.dtype} {image.shape}; convert it first")


@dataclass(frozen=True, slots=True, eq=False)
class CellMask:
    """Which pixels are leukocyte: uint8 (H, W) of `BACKGROUND`, `CYTOPLASM` and `NUCLEUS`."""

    values: np.ndarray

    @property
    def cell(self) -> np.ndarray:
        """Bool (H, W): cytoplasm or nucleus."""
        return np.asarray(self.values != BACKGROUND)

    @property
    def nucleus(self) -> np.ndarray:
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
    contour: np.ndarray  # int32 (N, 2), x and y
    touches_edge: bool  # cut by the frame: counted, but not measured against others
    probabilities: tuple[float, ...] = ()  # in the order of LABELS; empty when not classified

    def resembling(self, probabilities: tuple[float, ...]) -> "Cell":
        """Return the same cell with these `probabilities`: five times as fast as `dataclasses.replace`."""
        measured = self.bbox, self.centroid, self.area_px, self.area_um2, self.nc_ratio, self.circularity
        return Cell(*measured, self.contour, self.touches_edge, probabilities)


@dataclass(frozen=True, slots=True)
class Quality:
    """What the gate measured in one field, before any label."""

    focus: float  # Tenengrad energy on cells relative to a calibrated best focus; absolute when uncalibrated
    clipped: float  # share of the cells' pixels at 0 or 255 in any channel; without a cell, of all in all three
    brightness: float  # mean luminance of the glass, 0 to 1
    cell_share: float  # share of the field covered by leukocytes
    colour_drift: float = 0.0  # CIE76 distance of the glass from the calibrated glass; 0 when uncalibrated
    ood_score: float | None = None  # larger is stranger; None when there was nothing to score


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """Everything that was concluded from one frame.

    `label` is None when the field is refused; `refusals` then says why, in sentences a person can act on.
    `top` is the best class whether or not it was refused, and None only when no cell was found.
    """

    label: str | None
    top: str | None
    probabilities: dict[str, float]  # by class name; empty when no cell was found
    refusals: tuple[str, ...]
    cells: tuple[Cell, ...]
    mask: CellMask
    quality: Quality
    timing_ms: dict[str, float] = field(default_factory=dict)  # by stage, in the order of the pipeline
    bundle_sha256: str = ""
    level: str = ""
    runtime: str = ""
