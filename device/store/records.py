"""What the store gives back: slides, fields and cells as frozen records."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from device.store.slide_summary import SlideTally
from smear.findings import Refusal, RefusalCode

REVIEW_CODES = frozenset({RefusalCode.UNCERTAIN, RefusalCode.OUT_OF_DISTRIBUTION, RefusalCode.NOT_THESE_CLASSES})
"""Refusals that a person may decide by looking; the others ask for another picture instead."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What was true of the machine when a field was taken, beyond the frame and the finding."""

    simulated: bool = False
    calibration_id: str | None = None
    boot_id: str = ""
    clock_synced: bool | None = None
    throttled: int | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """One slide with the counts over its distinct fields."""

    id: int
    name: str
    started_s: float
    ended_s: float | None  # None while it is open
    simulated: bool
    keep: bool
    tally: SlideTally
    bundles: tuple[str, ...] = ()  # sha256 of each model bundle that examined a field of it


@dataclass(frozen=True, slots=True)
class FieldRecord:
    """One recorded field; the columns of the table `fields`, with JSON unpacked."""

    id: int
    slide_id: int
    wall_time_s: float
    monotonic_s: float
    boot_id: str
    clock_synced: bool | None
    source: str
    pixel_size_um: float | None
    width: int
    height: int
    label: str | None
    top: str | None
    probabilities: dict[str, float]
    refusals: tuple[Refusal, ...]
    cell_count: int
    focus: float
    clipped: float
    brightness: float
    cell_share: float
    colour_drift: float
    ood_score: float | None
    timing_ms: dict[str, float]
    bundle_sha256: str
    level: str
    runtime: str
    calibration_id: str | None
    site_certificate: str | None  # None: the label was not checked at the site
    throttled: int | None
    temperature_c: float | None
    review: bool
    reviewed_label: str | None
    keep: bool
    image: str | None  # path below the data folder; None once retention removed the photograph

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One recorded leukocyte."""

    field_id: int
    number: int
    bbox: tuple[int, int, int, int]
    area_px: float
    area_um2: float | None
    nc_ratio: float
    circularity: float
    touches_edge: bool
    probabilities: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return dataclasses.asdict(self)
