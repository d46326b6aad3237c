"""Cells as GeoJSON for QuPath: beside each photograph a file of objects with class, colour and measures."""

import json
import uuid
from typing import IO, Any

from device.counting.class_colours import class_colours
from device.exports.archive import Archive, archive_of
from device.exports.base import FileFormat, SlideSource
from device.exports.outlines import CellPixels
from device.store.records import CellRecord, FieldRecord
from smear import RESEARCH_USE_ONLY
from smear.site import NOT_CHECKED

_SPACE = uuid.UUID("7c1f1c52-5d0e-4f0c-9a58-0f6a3f0b8f7e")
"""Of the objects' identifiers: the same cell has the same one in every export, so QuPath can update it."""


def write_geojson(source: SlideSource, out: IO[bytes]) -> None:
    """Write photographs, and a GeoJSON file for each: QuPath imports objects into one image at a time."""
    with archive_of(source, out) as archive:
        for field, photograph in archive.photographs():
            name = source.name(field)
            archive.add(f"{name}.jpg", photograph, packed=True)
            features = _collection(archive, field, f"{name}.jpg")
            archive.add(f"{name}.geojson", json.dumps(features, ensure_ascii=False, allow_nan=False).encode())


def _collection(archive: Archive, field: FieldRecord, image: str) -> dict[str, Any]:
    source = archive.source
    colours = class_colours(source.classes)
    return {
        "type": "FeatureCollection",
        "notice": RESEARCH_USE_ONLY,
        "slide": source.slide.name,
        "image": image,
        "pixel_size_um": field.pixel_size_um,  # coordinates are pixels of the image
        "site_certificate": field.site_certificate or NOT_CHECKED,
        "features": [_feature(source, field, colours, *cell) for cell in archive.cells(field)],
    }


def _feature(
    source: SlideSource,
    field: FieldRecord,
    colours: dict[str, tuple[int, int, int]],
    cell: CellRecord,
    pixels: CellPixels,
) -> dict[str, Any]:
    corners = pixels.polygon().tolist()
    properties = {
        "objectType": "detection",
        "name": cell.name,
        "measurements": _measures(cell, field.pixel_size_um),
        "metadata": {"outline": pixels.source, "accepted": str(cell.accepted).lower(), "opinion": cell.opinion or ""},
    }
    if cell.cell_class is not None:  # QuPath's unclassified objects have none
        colour = {"color": list(colours[cell.cell_class])} if cell.cell_class in colours else {}
        properties["classification"] = {"name": cell.cell_class, **colour}
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_SPACE, f"{source.name(field)}-{cell.number}")),
        "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
        "properties": properties,
    }


def _measures(cell: CellRecord, pixel_size_um: float | None) -> dict[str, float]:
    """Return the measures, with QuPath's names of units; what is not known has no entry."""
    found = {
        "Area px^2": cell.area_px,
        "Area µm^2": cell.area_um2,
        "Pixel size µm": pixel_size_um,
        "Nucleus/Cell area ratio": cell.nc_ratio,
        "Circularity": cell.circularity,
        "Nucleus hue": cell.nucleus_hue,
        "Cytoplasm hue": cell.cytoplasm_hue,
        "Touches edge": float(cell.touches_edge),
        "Opinion probability (not calibrated)": cell.opinion_p,
    }
    return {name: value for name, value in found.items() if value is not None}


FORMAT = FileFormat(
    name="geojson", help="photographs with the cells as objects for QuPath", suffix="zip", write=write_geojson
)
