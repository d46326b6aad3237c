"""The audit as one HTML page that needs no other file: totals, example pairs, sessions and scale bars."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from smear.classes import LABELS
from smear.images import encode, read_image
from smear.imaging.masking import SCALE_BAR_BOX
from smear.templating import render
from train.data.audit import SCALE_BARS, Audit, Row, totals
from train.data.near_duplicates import MIN_INLIERS, Pair
from train.reporting.page import Table

TITLE = "Audit of the fields"
PAIRS = 24  # shown: half with the fewest inliers, where errors would be, half drawn at random
PER_SESSION = 10  # fields shown of each session
THUMBNAIL_PX, PAIR_PX = 112, 168
WIDTH_PX = 1250


class Thumbnail(NamedTuple):
    """A small picture of a field, or of its corner."""

    name: str
    jpeg: bytes


class PairView(NamedTuple):
    """Two near-duplicates side by side."""

    names: str
    evidence: str
    pictures: tuple[Thumbnail, Thumbnail]


class Group(NamedTuple):
    """Fields with something in common, and examples of them."""

    name: str
    fields: int
    counts: str  # by class
    pictures: tuple[Thumbnail, ...]


def page(found: Audit) -> str:
    """Return the audit as HTML; it holds thumbnails of the fields, so it must stay with the data."""
    least_sharp = sorted(range(len(found.rows)), key=lambda i: found.rows[i].sharpness)[:PER_SESSION]
    return render(
        "train.reporting",
        "audit.html",
        title=TITLE,
        width=WIDTH_PX,
        totals=totals(found),
        classes=_classes(found),
        min_inliers=MIN_INLIERS,
        pairs=[_pair(found, pair) for pair in _example_pairs(found)],
        sessions=_groups(found, lambda row: row.session),
        scale_bars=_groups(found, lambda row: row.scale_bar, corner=True),
        least_sharp=_thumbnails(found, least_sharp),
    )


def _classes(found: Audit) -> Table:
    head = ["Class", "Fields", "In groups", "Groups", "Exact copies", *SCALE_BARS, "Blurred"]
    groups = found.groups()
    copies = Counter(found.rows[second].label for _, second in found.duplicates)
    lines = []
    for label in LABELS:
        rows = [r for r in found.rows if r.label == label]
        own = [g for g in groups if found.rows[g[0]].label == label]
        styles = Counter(r.scale_bar for r in rows)
        counts = [len(rows), sum(map(len, own)), len(own), copies[label], *(styles[s] for s in SCALE_BARS)]
        lines.append([label, *map(str, counts), str(sum(r.blurred for r in rows))])
    return Table("", head, lines)


def _example_pairs(found: Audit) -> list[Pair]:
    weakest_first = sorted(found.pairs, key=lambda pair: pair.inliers)
    rest = weakest_first[PAIRS // 2 :]
    sample = [rest[i] for i in np.random.default_rng(0).permutation(len(rest))[: PAIRS // 2]]
    return weakest_first[: PAIRS // 2] + sample


def _pair(found: Audit, pair: Pair) -> PairView:
    evidence = (
        f"{pair.inliers} points, zoom {pair.zoom:.2f}, shift {pair.shift[0]:.0f}, {pair.shift[1]:.0f} px, "
        f"correlation {pair.correlation:.2f}"
    )
    first, second = (_thumbnail(found, index, PAIR_PX) for index in (pair.first, pair.second))
    return PairView(f"{first.name} and {second.name}", evidence, (first, second))


def _groups(found: Audit, key: Callable[[Row], str], corner: bool = False) -> list[Group]:
    groups = []
    for name, rows in sorted(found.by(key).items()):
        some = sorted(np.random.default_rng(0).permutation(rows)[:PER_SESSION].tolist())
        counts = Counter(found.rows[i].label for i in rows)
        by_class = ", ".join(f"{label} {counts[label]}" for label in LABELS if counts[label])
        groups.append(Group(name, len(rows), by_class, _thumbnails(found, some, corner)))
    return groups


def _thumbnails(found: Audit, rows: Sequence[int], corner: bool = False) -> tuple[Thumbnail, ...]:
    return tuple(_thumbnail(found, i, THUMBNAIL_PX, corner) for i in rows)


def _thumbnail(found: Audit, index: int, size: int, corner: bool = False) -> Thumbnail:
    image = read_image(found.data.records[index].path)
    if corner:
        image = image[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :]
    scale = size / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return Thumbnail(found.rows[index].file, encode(np.asarray(small, np.uint8), ".jpg", quality=80))
