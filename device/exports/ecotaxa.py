"""Cells as EcoTaxa imports them: a crop of each, and a table of their measures whose second line gives the types."""

import csv
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from device.exports.archive import archive_of
from device.exports.base import FileFormat, SlideSource, iso_time
from device.exports.outlines import CellPixels, cell_pixels
from device.exports.tables import without_formulas
from device.store.records import CellRecord, FieldRecord
from device.store.review.audit_trail import Action
from smear.images import encode
from smear.site import NOT_CHECKED

_MARGIN = 0.25  # of the cell's longer side, on each side of the crop: its surroundings help to tell what it is
_TEXT, _NUMBER = "[t]", "[f]"
_COLUMNS = {
    "img_file_name": _TEXT,
    "object_id": _TEXT,
    "object_date": _TEXT,
    "object_time": _TEXT,
    "object_annotation_category": _TEXT,
    "object_annotation_status": _TEXT,
    "object_annotation_person_name": _TEXT,
    "object_annotation_date": _TEXT,
    "object_annotation_time": _TEXT,
    "object_x": _NUMBER,
    "object_y": _NUMBER,
    "object_width": _NUMBER,
    "object_height": _NUMBER,
    "object_outline": _TEXT,
    "object_area": _NUMBER,
    "object_area_um2": _NUMBER,
    "object_nc_ratio": _NUMBER,
    "object_circ": _NUMBER,
    "object_touches_edge": _NUMBER,
    "object_nucleus_hue": _NUMBER,
    "object_cytoplasm_hue": _NUMBER,
    "object_accepted": _NUMBER,
    "object_opinion": _TEXT,
    "object_opinion_p": _NUMBER,
    "sample_id": _TEXT,
    "sample_name": _TEXT,
    "sample_operator": _TEXT,
    "sample_stain": _TEXT,
    "sample_specimen": _TEXT,
    "acq_id": _TEXT,
    "acq_pixel_um": _NUMBER,
    "process_id": _TEXT,
    "process_site_certificate": _TEXT,
}
"""The table's columns; EcoTaxa takes its own names, and any others that begin with object, sample, acq or process."""


def write_ecotaxa(source: SlideSource, out: IO[bytes]) -> None:
    """Write a crop of each cell, and the table, whose name must begin with "ecotaxa"."""
    with archive_of(source, out) as archive:
        for field, picture in archive.pictures():
            for cell, pixels in archive.cells(field):
                archive.add(f"{_name(source, field, cell)}.jpg", encode(_crop(picture, pixels), ".jpg"), packed=True)
        with archive.text(f"ecotaxa_{_sample(source)}.tsv", "latin-1") as text:  # which EcoTaxa reads, and no UTF-8
            writer = csv.DictWriter(text, _COLUMNS, delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerow(_COLUMNS)
            for field in source.fields():
                for cell in source.cells(field) if field.id in archive.there else ():
                    writer.writerow(without_formulas(_row(source, field, cell, cell_pixels(cell, field))))


def _row(source: SlideSource, field: FieldRecord, cell: CellRecord, pixels: CellPixels) -> dict[str, Any]:
    slide, name = source.slide, _name(source, field, cell)
    x, y, width, height = pixels.box
    return {
        "img_file_name": f"{name}.jpg",
        "object_id": name,
        **_date_and_time("object", field.wall_time_s),
        **_annotation(source, cell),
        "object_x": x,
        "object_y": y,
        "object_width": width,
        "object_height": height,
        "object_outline": pixels.source,
        "object_area": cell.area_px,
        "object_area_um2": cell.area_um2,
        "object_nc_ratio": cell.nc_ratio,
        "object_circ": cell.circularity,
        "object_touches_edge": int(cell.touches_edge),
        "object_nucleus_hue": cell.nucleus_hue,
        "object_cytoplasm_hue": cell.cytoplasm_hue,
        "object_accepted": int(cell.accepted),
        "object_opinion": cell.opinion,
        "object_opinion_p": cell.opinion_p,
        "sample_id": _sample(source),
        "sample_name": slide.name,
        "sample_operator": slide.operator,
        "sample_stain": slide.stain,
        "sample_specimen": slide.specimen,
        "acq_id": _sample(source),
        "acq_pixel_um": field.pixel_size_um,
        "process_id": f"{_sample(source)}-{field.bundle_sha256[:12]}-{field.level}",
        "process_site_certificate": field.site_certificate or NOT_CHECKED,
    }


def _annotation(source: SlideSource, cell: CellRecord) -> dict[str, Any]:
    """Return the class of a cell with who gave it and when: to EcoTaxa a class is validated by somebody."""
    if cell.cell_class is None:
        return {}
    events = source.store.events_of_cell(cell.field_id, cell.number)
    undone = {each.undoes for each in events}
    said = next((each for each in reversed(events) if each.action == Action.CLASSIFY and each.id not in undone), None)
    category = {"object_annotation_category": cell.cell_class}
    if said is None:  # the disk has lost it
        return category
    return category | {
        "object_annotation_status": "validated",
        "object_annotation_person_name": said.operator,
        **_date_and_time("object_annotation", said.wall_time_s),
    }


def _date_and_time(prefix: str, unix_s: float) -> dict[str, str]:
    date, _, time = iso_time(unix_s).partition("T")
    return {f"{prefix}_date": date.replace("-", ""), f"{prefix}_time": time[:8].replace(":", "")}


def _sample(source: SlideSource) -> str:
    return f"{source.device}-{source.slide.id:06d}"


def _name(source: SlideSource, field: FieldRecord, cell: CellRecord) -> str:
    return f"{source.name(field)}-{cell.number:04d}"


def _crop(picture: NDArray[np.uint8], pixels: CellPixels) -> NDArray[np.uint8]:
    left, top, width, height = pixels.box
    margin = round(max(width, height) * _MARGIN)
    return picture[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]


FORMAT = FileFormat(
    name="ecotaxa", help="a crop of each cell and a table of measures for EcoTaxa", suffix="zip", write=write_ecotaxa
)
