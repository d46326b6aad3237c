"""Fields as OME-TIFF: the photograph and the label image of its cells in one file, with the scale in micrometres."""

import io
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from device.exports.archive import Archive, archive_of
from device.exports.base import FileFormat, SlideSource, iso_time
from device.store.records import FieldRecord
from smear import RESEARCH_USE_ONLY

_MAX_LABEL = np.iinfo(np.uint16).max


def write_ome_tiff(source: SlideSource, out: IO[bytes]) -> None:
    """Write an OME-TIFF for each field that has a photograph."""
    with archive_of(source, out) as archive:
        for field, picture in archive.pictures():
            archive.add(f"{source.name(field)}.ome.tif", _tiff(archive, field, picture), packed=True)


def _tiff(archive: Archive, field: FieldRecord, picture: NDArray[np.uint8]) -> bytes:
    import tifffile  # here: other formats do without

    file, name = io.BytesIO(), archive.source.name(field)
    about = {"Description": RESEARCH_USE_ONLY, **_taken(field), **_scale(field.pixel_size_um)}
    # Programs that know no OME take the scale from the tags of plain TIFF.
    plain: dict[str, Any] = {"compression": "zlib"}
    if field.pixel_size_um is not None:
        plain |= {"resolution": (1e4 / field.pixel_size_um,) * 2, "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(file, ome=True) as tiff:
        tiff.write(picture, photometric="rgb", metadata={"Name": name, "axes": "YXS", **about}, **plain)
        labels = _labels(archive, field, picture.shape[:2])
        tiff.write(labels, metadata={"Name": f"{name} cells", "axes": "YX", **about}, **plain)
    return file.getvalue()


def _labels(archive: Archive, field: FieldRecord, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Return the label image, uint16 (H, W): 0 for none, and for each cell its number in the field plus one."""
    labels = np.zeros(shape, np.uint16)
    for cell, pixels in archive.cells(field):
        if 0 <= cell.number < _MAX_LABEL:
            left, top, width, height = pixels.box
            window = labels[top : top + height, left : left + width]
            window[pixels.inside[: window.shape[0], : window.shape[1]] > 0] = cell.number + 1
    return labels


def _taken(field: FieldRecord) -> dict[str, Any]:
    time = iso_time(field.wall_time_s)
    return {"AcquisitionDate": time} if time else {}


def _scale(pixel_size_um: float | None) -> dict[str, Any]:
    if pixel_size_um is None:
        return {}
    return {
        "PhysicalSizeX": pixel_size_um,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": pixel_size_um,
        "PhysicalSizeYUnit": "µm",
    }


FORMAT = FileFormat(
    name="ome-tiff", help="each field with the labels of its cells, to scale", suffix="zip", write=write_ome_tiff
)
