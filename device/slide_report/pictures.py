"""The pictures of a report: whole fields and single cells with their outlines, each photograph opened once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2

from device.reporting.cell_pictures import Image, cell_side_px, cropped, photograph_of, resized, scaled_outline
from device.slide_report.class_marks import ClassMark
from device.store import Store
from device.store.records import CellRecord
from smear.images import encode
from smear.inference.overlay import draw_outlines
from smear.progress import progress

FIELD_PX = 400  # width of a whole field: 58 mm on paper at 175 dots per inch
CELL_PX = 160
_FIELD_QUALITY, _CELL_QUALITY = 70, 78  # of JPEG: a whole field takes 20 to 40 kB and a cell 5 kB
_TEXT_PX = 16  # height of the letter beside a classified cell


@dataclass(frozen=True, slots=True)
class Pictures:
    """JPEG files by the number of their field, and by that and the number of their cell."""

    fields: dict[int, bytes] = field(default_factory=dict)
    cells: dict[tuple[int, int], bytes] = field(default_factory=dict)


def take_pictures(
    store: Store,
    fields: Iterable[int],
    cells: Iterable[CellRecord],
    marks: Mapping[str | None, ClassMark],
    quiet: bool = True,
) -> Pictures:
    """Return the pictures of `fields` and `cells`; what has no photograph that can be read has no picture."""
    found, whole = Pictures(), set(fields)
    wanted: dict[int, list[CellRecord]] = {number: [] for number in whole}
    for cell in cells:
        wanted.setdefault(cell.field_id, []).append(cell)
    for field_id in progress(sorted(wanted), "opening photographs", quiet):
        if (photograph := photograph_of(store, field_id)) is not None:
            field, image = photograph
            if field_id in whole:
                found.fields[field_id] = field_picture(image, store.cells(field_id), marks)
            for cell in wanted[field_id]:
                side = cell_side_px(field.pixel_size_um, wanted[field_id])
                found.cells[field_id, cell.number] = cell_picture(image, cell, side, marks)
    return found


def field_picture(image: Image, cells: Sequence[CellRecord], marks: Mapping[str | None, ClassMark]) -> bytes:
    """Return RGB `image` as a JPEG of `FIELD_PX` with each of its `cells` outlined, and the letter of its class."""
    scale = FIELD_PX / image.shape[1]
    drawn = resized(image, (FIELD_PX, max(1, round(scale * image.shape[0]))))
    draw_outlines(drawn, [(scaled_outline(cell, scale), _mark(cell, marks).colour) for cell in cells])
    for cell in cells:
        if cell.cell_class is not None:
            x, y, width, height = (round(value * scale) for value in cell.bbox)
            _write(drawn, _mark(cell, marks).key, (x + width // 2 - _TEXT_PX // 3, y + height // 2 + _TEXT_PX // 2))
    return encode(drawn, ".jpg", _FIELD_QUALITY)


def cell_picture(image: Image, cell: CellRecord, side_px: int, marks: Mapping[str | None, ClassMark]) -> bytes:
    """Return a square of `side_px` of RGB `image` around one cell as a JPEG of `CELL_PX`, with its outline.

    At the rim of the photograph the square is moved inside it.
    """
    return encode(cropped(image, cell, side_px, CELL_PX, _mark(cell, marks).colour), ".jpg", _CELL_QUALITY)


def _mark(cell: CellRecord, marks: Mapping[str | None, ClassMark]) -> ClassMark:
    return marks.get(cell.cell_class, marks[None])  # None as well where the disk has damaged the name


def _write(image: Image, letter: str, at: tuple[int, int]) -> None:
    for colour, thick in (((24, 20, 28), 3), ((255, 255, 255), 1)):
        cv2.putText(image, letter, at, cv2.FONT_HERSHEY_SIMPLEX, _TEXT_PX / 22, colour, thick, cv2.LINE_AA)
