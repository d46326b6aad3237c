"""What the store gives back: slides, fields and cells as frozen records."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.store.names import DETAILS
from device.store.slide_summary import SlideTally
from smear.findings import Refusal, RefusalCode

REVIEW_CODES = frozenset({RefusalCode.UNCERTAIN, RefusalCode.OUT_OF_DISTRIBUTION, RefusalCode.NOT_THESE_CLASSES})
"""Refusals that a person may decide by looking; the others ask for another picture instead."""

QC_CLEARED, QC_NOT_CLEARED = "cleared", "not cleared"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What was true of the machine when a field was taken, beyond the frame and the finding."""

    simulated: bool = False
    calibration_id: str | None = None
    boot_id: str = ""
    clock_synced: bool | None = None
    throttled: int | None = None
    temperature_c: float | None = None
    qc: str | None = None  # quality control of the day: QC_CLEARED or QC_NOT_CLEARED; None: not asked for
    objective: str | None = None  # in the light path; None: nobody named one


@dataclass(frozen=True, slots=True)
class SlideDetails:
    """What may be said of a slide besides its name; "" says nothing."""

    operator: str = ""
    stain: str = ""
    specimen: str = ""  # blood, marrow, ...
    note: str = ""

    def checked(self) -> "SlideDetails":
        """Return the details without blanks around them.

        Raises:
            StoreError: one is too long or cannot be shown in a line.
        """
        return SlideDetails(**{column: check(getattr(self, column)) for column, check in DETAILS.items()})


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
    operator: str = ""
    stain: str = ""
    specimen: str = ""  # blood, marrow, ...
    note: str = ""
    version: int = 1  # an amendment of a signed slide begins the next one
    signed: bool = False  # this version is signed: the slide is read-only
    bundles: tuple[str, ...] = ()  # sha256 of each model bundle that examined a field of it

    def to_json(self) -> dict[str, Any]:
        """Return the slide with its summary as JSON types."""
        tally = self.tally
        own = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name != "tally"}
        return own | {
            "fields_total": tally.total,
            "fields_accepted": tally.accepted,
            "fields_refused": tally.refused,
            "fields_empty": tally.empty,
            "fields_site_checked": tally.site_checked,  # of the accepted ones
            "fields_qc_not_cleared": tally.not_cleared,  # of all
            "seen_again": tally.seen_again,
            "refusals": dict(tally.refusals),
            "classes": {name: dataclasses.asdict(share) for name, share in tally.class_shares().items()},
            "leading": tally.leading(),
            "cells": tally.cells,
            "bundles": list(self.bundles),  # more than one: the models were changed while the slide was examined
        }


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
    qc: str | None  # quality control of the day: QC_CLEARED or QC_NOT_CLEARED; None: not asked for
    throttled: int | None
    temperature_c: float | None
    review: bool
    reviewed_label: str | None
    keep: bool
    image: str | None  # path below the data folder; None once retention removed the photograph

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class CellRecord:
    """One recorded leukocyte, in pixels of its photograph."""

    field_id: int
    number: int
    slide_id: int
    bbox: tuple[int, int, int, int]  # x, y, width, height
    area_px: float
    area_um2: float | None
    nc_ratio: float
    circularity: float
    touches_edge: bool
    accepted: bool  # its field carries a label: the cell may be counted
    opinion: str | None  # the network's best class of the cell: not calibrated, orders the gallery and no more
    opinion_p: float | None
    nucleus_hue: float | None  # degrees; None: unknown
    cytoplasm_hue: float | None
    cell_class: str | None  # what a person called it last; None: nobody did
    contour: NDArray[np.int32] | None  # (n, 2) of x and y; None: recorded before outlines were kept
    probabilities: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The cell's name in tables, exports and on the command line: FIELD.NUMBER."""
        return f"{self.field_id}.{self.number}"

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return values | {"contour": None if self.contour is None else self.contour.tolist()}
