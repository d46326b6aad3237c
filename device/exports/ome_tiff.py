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
    about: dict[str, Any] = {"Description": RESEARCH_USE_ONLY}
    plain: dict[str, Any] = {"compression": "zlib"}
    if time := iso_time(field.wall_time_s):
        about["AcquisitionDate"] = time
    if size := field.pixel_size_um:
        about |= {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
        # Programs that know no OME take the scale from the tags of plain TIFF.
        plain |= {"resolution": (1e4 / size, 1e4 / size), "resolutionunit": "CENTIMETER"}
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


FORMAT = FileFormat(
    name="ome-tiff", help="each field with the labels of its cells, to scale", suffix="zip", write=write_ome_tiff
)
