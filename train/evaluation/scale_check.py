"""What a bundle makes of pictures at a scale that is known, and of the same at a scale that is wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smear.classes import LABELS
from smear.findings import Frame, RefusalCode
from smear.images import read_image
from smear.inference.frame_processor import FrameProcessor

NEAR = math.log(1.1)  # an estimate within 10 % of the true pixel size
MANY_FREE = 20  # red cells that touch no other


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """All pictures of one set at one pixel size: counts."""

    times: float | None  # what was typed over the true pixel size; None: nothing was typed
    pictures: int
    sure: int  # estimates that could refuse a picture
    near: int  # of the sure ones, within 10 % of the true pixel size
    with_free_cells: int  # of the sure ones, those with `MANY_FREE` free red cells
    near_with_free_cells: int
    scale_refused: int
    labelled_right: int  # the label is the name of the picture's folder; 0 where the folders are no classes
    right_or_scale_refused: int
    white_cells: int  # found in all pictures
    leukaemia: int  # pictures with a label other than the first class, Benign


def check_scale(
    processor: FrameProcessor, pictures: Sequence[Path], pixel_size_um: float, times: float | None
) -> ScaleRow:
    """Examine `pictures`, whose true scale is `pixel_size_um`, as if it were `times` that; None: as if it were unknown.

    Raises:
        ImageError: a picture cannot be read.
        InferenceError: a model did not answer.
    """
    counts, claimed = [0] * 9, None if times is None else pixel_size_um * times
    for path in pictures:
        finding = processor.examine(Frame(read_image(path), str(path), claimed))
        said = finding.scale.red_cells if finding.scale is not None else None
        sure = said is not None and said.sure
        near = said is not None and sure and abs(math.log(said.pixel_size_um / pixel_size_um)) <= NEAR
        free = said is not None and sure and said.red_cells >= MANY_FREE
        refused = any(refusal.code == RefusalCode.SCALE_DISAGREES for refusal in finding.refusals)
        right = finding.label is not None and finding.label == path.parent.name
        of_this = (
            sure, near, free, free and near, refused, right, right or refused, len(finding.cells),
            finding.label in LABELS[1:],
        )  # fmt: skip
        counts = [total + int(one) for total, one in zip(counts, of_this, strict=True)]
    return ScaleRow(times, len(pictures), *counts)


def markdown(rows: Sequence[ScaleRow]) -> str:
    """Return the rows as a Markdown table."""
    head = (
        "| pixel size | pictures | sure | within 10 % | 20 free red cells, within 10 % | refused for the scale "
        "| right | right or refused for it | white cells a picture | leukaemia labels |"
    )
    lines = [head, "|" + "---|" * 10]
    for row in rows:
        share_of_free = f"{row.near_with_free_cells} of {row.with_free_cells}"
        lines.append(
            f"| {_typed(row.times)} | {row.pictures} | {row.sure} | {row.near} | {share_of_free} | {row.scale_refused} "
            f"| {row.labelled_right} | {row.right_or_scale_refused} | {row.white_cells / row.pictures:.2f} "
            f"| {row.leukaemia} |"
        )
    return "\n".join(lines)


def _typed(times: float | None) -> str:
    if times is None:
        return "unknown"
    return "right" if times == 1 else f"{times:g} times"
