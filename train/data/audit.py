"""An audit of the fields: near-duplicates, stain sessions, and what besides the cells could give a class away."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from smear.classes import LABELS
from smear.images import read_image
from smear.imaging.masking import SCALE_BAR_BOX
from smear.imaging.resampling import FIELD_SIZE, to_model_scale
from smear.progress import progress
from train.data import near_duplicates, stain_sessions
from train.data.dataset import Dataset
from train.data.reviewed_fields import slide_of

SCALE_BARS = ("red text", "black text", "white box", "none")
DARK = 90  # of 255, in all channels: the ink of a bar; no nucleus is as dark and as grey
GREY = 45  # largest difference between the channels of black ink after JPEG
LONG_INK_PX = 60  # black "200 px" or "500 px" has 90 to 130 dark pixels ...
SHORT_INK_PX = 8  # ... black on a white box has 12 to 30; none of 2605 corners had a number in between
RED = (60, 40)  # by which red exceeds green and blue in red ink
NO_PATIENTS = "A patient-wise split is impossible with these files: no file names a patient, a slide or a date."


@dataclass(frozen=True, slots=True)
class Row:
    """The audit of one field; splits read the first five columns."""

    file: str
    label: str
    sha256: str
    group: str  # "g0001": near-duplicates share it, and fields of one slide where their names tell
    session: str  # "Benign-1"
    scale_bar: str  # one of SCALE_BARS
    sharpness: float  # variance of the Laplacian of the green channel
    blurred: bool  # less than half as sharp as the median of its session
    slide: str  # device and slide; empty: its name does not tell


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of a data set."""

    data: Dataset
    rows: tuple[Row, ...]  # in the order of `data.records`
    pairs: tuple[near_duplicates.Pair, ...]  # near-duplicates, by index into `rows`
    duplicates: tuple[tuple[int, int], ...]  # identical files, by index into `rows`
    silhouettes: dict[int, float]  # by number of sessions

    def groups(self) -> list[list[int]]:
        """Return the groups of more than one field, largest first."""
        members = self.by(lambda row: row.group).values()
        return sorted((m for m in members if len(m) > 1), key=lambda m: (-len(m), m))

    def by(self, key: Callable[[Row], str]) -> dict[str, list[int]]:
        """Return the indices of the rows by their `key`, in order."""
        members: dict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(self.rows):
            members[key(row)].append(index)
        return members


def audit(data: Dataset, quiet: bool = False) -> Audit:
    """Examine every field of `data` at the models' scale.

    Raises:
        ImageError: a picture can no longer be read.
    """
    opened = (to_model_scale(read_image(r.path)).pixels for r in progress(data.records, "Opening fields", quiet))
    images = [pixels[:FIELD_SIZE, :FIELD_SIZE] for pixels in opened]
    labels = [r.label for r in data.records]
    same = near_duplicates.duplicates([r.sha256 for r in data.records])
    pairs = near_duplicates.find(images, labels, quiet)
    slides = [slide_of(Path(r.file).stem) or "" for r in data.records]
    firsts: dict[str, int] = {}
    of_one_slide = [(firsts.setdefault(slide, i), i) for i, slide in enumerate(slides) if slide]
    joined = near_duplicates.groups(len(images), [*same, *((p.first, p.second) for p in pairs), *of_one_slide])
    colours = np.stack([stain_sessions.background_colours(i) for i in progress(images, "Background colours", quiet)])
    found = stain_sessions.find(colours, labels, joined)
    sharp = np.array([sharpness(image) for image in images])
    usual = {name: float(np.median(sharp[[s == name for s in found]])) for name in set(found)}
    number = {root: n for n, root in enumerate(sorted(set(joined)), 1)}
    rows = tuple(
        Row(
            record.file,
            record.label,
            record.sha256,
            f"g{number[joined[i]]:04d}",
            found[i],
            scale_bar(images[i]),
            round(float(sharp[i]), 1),
            bool(sharp[i] < usual[found[i]] / 2),
            slides[i],
        )
        for i, record in enumerate(data.records)
    )
    return Audit(data, rows, tuple(pairs), tuple(same), stain_sessions.silhouettes(colours, labels))


def scale_bar(image: NDArray[np.uint8]) -> str:
    """Return which of `SCALE_BARS` is drawn in the bottom right corner of an RGB uint8 (224, 224, 3) field."""
    corner = image[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :].astype(int)
    high, low = corner.max(axis=2), corner.min(axis=2)
    ink = int(((high < DARK) & (high - low < GREY)).sum())
    if ink >= LONG_INK_PX:
        return "black text"
    if ink >= SHORT_INK_PX:
        return "white box"
    red = (corner[..., 0] - corner[..., 1] > RED[0]) & (corner[..., 0] - corner[..., 2] > RED[1])
    return "red text" if red.any() else "none"


def sharpness(image: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of the green channel, without the scale bar, which is always sharp."""
    edges = cv2.Laplacian(image[..., 1], cv2.CV_32F)
    return float(edges[: -SCALE_BAR_BOX[1] - 4].var())


def to_csv(rows: Sequence[Row]) -> bytes:
    """Return `rows` as CSV with a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[each.name for each in fields(Row)], *map(astuple, rows)])
    return text.getvalue().encode()


def totals(found: Audit) -> list[str]:
    """Return the totals of the audit, one sentence each."""
    groups, members = found.groups(), found.data.counts()
    inside = sum(len(g) for g in groups)
    best = ", ".join(f"{count}: {score:.2f}" for count, score in found.silhouettes.items())
    return [
        f"{len(found.rows)} fields ({', '.join(f'{k} {v}' for k, v in members.items())}), {len(found.data.skipped)} "
        f"unreadable; fingerprint {found.data.fingerprint[:12]}",
        f"{len(found.duplicates)} files are exact copies of an earlier one",
        f"{len(groups)} groups of near-duplicates or of one slide cover {inside} fields "
        f"({inside / len(found.rows):.0%}), the largest {max(map(len, groups), default=0)}; "
        f"matched pairs: {len(found.pairs)}",
        f"sessions by the colour of glass and red cells; mean silhouette for each number of them: {best}",
        f"{sum(r.blurred for r in found.rows)} fields are less than half as sharp as the median of their session",
        _origin(found.rows),
    ]


def _origin(rows: Sequence[Row]) -> str:
    slides = Counter(row.slide for row in rows if row.slide)
    if not slides:
        return NO_PATIENTS
    return (
        f"{slides.total()} fields of {len(slides)} slides have their slide in their names: each slide is one group, "
        "which the grouped split keeps whole. No file names a patient."
    )


def session_table(found: Audit) -> Table:
    """Return the sizes of the sessions and the styles of their scale bars."""
    table = Table("Session", "Fields", *SCALE_BARS, "Sharpness (median)")
    for name in sorted({r.session for r in found.rows}, key=lambda s: (LABELS.index(s.split("-")[0]), s)):
        rows = [r for r in found.rows if r.session == name]
        styles = Counter(r.scale_bar for r in rows)
        sharp = float(np.median([r.sharpness for r in rows]))
        table.add_row(name, str(len(rows)), *(str(styles[s]) for s in SCALE_BARS), f"{sharp:.0f}")
    return table
