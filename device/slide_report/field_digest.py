"""What the fields of a slide say together, gathered in one pass: a slide of any length takes a few numbers a field."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from device.store.records import FieldRecord

MEASURES = {
    "focus": "Focus at the rims of cells",
    "brightness": "Brightness of the background, 0 to 1",
    "cell_share": "Share of the field covered by leukocytes",
    "clipped": "Share of the cells' pixels that are black or white",
    "colour_drift": "Colour of the background, CIE76 from the calibrated one",
    "ood_score": "Out-of-distribution score",
}
MAX_REVIEWS = 40  # listed


class Spread(NamedTuple):
    """The middle and the bounds of 90 % of some values."""

    low: float
    median: float
    high: float


class Models(NamedTuple):
    """Which models answered, in what precision, under which runtime."""

    bundle_sha256: str
    level: str
    runtime: str


@dataclass(slots=True)
class Refused:
    """The fields that were refused with one code."""

    advice: str  # of the first one, with its figures
    first: int  # number of that field
    pictured: "array[int]" = field(default_factory=lambda: array("q"))  # fields with a photograph


@dataclass(slots=True)
class FieldDigest:
    """The fields of a slide; each list holds numbers of fields in the order they were taken."""

    fields: int = 0
    first_s: float | None = None  # when the first one was taken, Unix time
    last_s: float | None = None
    pictured: "array[int]" = field(default_factory=lambda: array("q"))  # accepted ones with a photograph
    removed: int = 0  # photographs that retention removed
    refused: dict[str, Refused] = field(default_factory=dict)  # by code
    reviews: list[FieldRecord] = field(default_factory=list)  # the first `MAX_REVIEWS`
    reviewed: int = 0
    waiting: int = 0  # for a person's review
    models: Counter[Models] = field(default_factory=Counter)
    calibrations: Counter[str | None] = field(default_factory=Counter)
    certificates: Counter[str | None] = field(default_factory=Counter)  # of accepted fields
    qc: Counter[str | None] = field(default_factory=Counter)
    pixel_sizes: Counter[float | None] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # width and height in pixels
    sources: Counter[str] = field(default_factory=Counter)  # camera or file
    unsynced: int = 0  # taken while no time server had set the clock
    throttled: int = 0  # taken while the board was short of power or too hot
    hottest_c: float | None = None
    _values: "dict[str, array[float]]" = field(default_factory=lambda: {name: array("d") for name in MEASURES})

    def add(self, record: FieldRecord) -> None:
        """Take one more field in."""
        self.fields += 1
        self.first_s = record.wall_time_s if self.first_s is None else min(self.first_s, record.wall_time_s)
        self.last_s = record.wall_time_s if self.last_s is None else max(self.last_s, record.wall_time_s)
        self.removed += record.image is None
        self.waiting += record.review
        if record.label is not None:
            self.certificates[record.site_certificate] += 1
            if record.image is not None:
                self.pictured.append(record.id)
        for refusal in record.refusals:
            known = self.refused.setdefault(str(refusal.code), Refused(refusal.advice, record.id))
            if record.image is not None:
                known.pictured.append(record.id)
        if record.reviewed_label is not None:
            self.reviewed += 1
            if len(self.reviews) < MAX_REVIEWS:
                self.reviews.append(record)
        self._add_circumstances(record)
        for name, values in self._values.items():
            value = getattr(record, name)
            # Without a calibrated background there is nothing to differ from, and the drift is 0.
            if value is not None and (value or name != "colour_drift"):
                values.append(value)

    def _add_circumstances(self, record: FieldRecord) -> None:
        self.models[Models(record.bundle_sha256, record.level, record.runtime)] += 1
        self.calibrations[record.calibration_id] += 1
        self.qc[record.qc] += 1
        self.pixel_sizes[record.pixel_size_um] += 1
        self.sizes[record.width, record.height] += 1
        self.sources[record.source] += 1
        self.unsynced += record.clock_synced is False
        self.throttled += bool(record.throttled)
        if record.temperature_c is not None:
            self.hottest_c = max(record.temperature_c, -273.0 if self.hottest_c is None else self.hottest_c)

    def spreads(self) -> dict[str, Spread]:
        """Return the spread of each measure that was taken, by its name in words."""
        return {
            title: Spread(*map(float, np.percentile(self._values[name], (5, 50, 95))))
            for name, title in MEASURES.items()
            if self._values[name]
        }


def digest(records: Iterable[FieldRecord]) -> FieldDigest:
    """Return what `records` say together."""
    found = FieldDigest()
    for record in records:
        found.add(record)
    return found


def spaced(numbers: Sequence[int], count: int) -> list[int]:
    """Return `count` of `numbers`, or all if there are fewer, evenly spaced from the first to the last."""
    if len(numbers) <= count:
        return list(numbers)
    return [numbers[round(place)] for place in np.linspace(0, len(numbers) - 1, count)]
