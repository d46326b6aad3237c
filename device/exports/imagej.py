"""Cells as ImageJ ROIs: beside each photograph a zip for the ROI Manager."""

import io
import re
import zipfile
from typing import IO

from device.counting.class_colours import UNCLASSIFIED, class_colours
from device.exports.archive import Archive, archive_of
from device.exports.base import FileFormat, SlideSource
from device.exports.outlines import BOX
from device.store.records import FieldRecord

_MAX_GROUP = 255  # ImageJ keeps the group in one byte


def write_imagej(source: SlideSource, out: IO[bytes]) -> None:
    """Write photographs, and a zip of ROIs for each."""
    with archive_of(source, out) as archive:
        for field, photograph in archive.photographs():
            name = source.name(field)
            archive.add(f"{name}.jpg", photograph, packed=True)
            archive.add(f"{name}.zip", _rois(archive, field), packed=True)


def _rois(archive: Archive, field: FieldRecord) -> bytes:
    import roifile  # here: other formats do without

    colours = class_colours(archive.source.classes)
    groups = {each.name: number for number, each in enumerate(archive.source.classes[:_MAX_GROUP], 1)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as rois:
        for cell, pixels in archive.cells(field):
            called = cell.cell_class or UNCLASSIFIED
            label = f"{cell.name} {called}" + (f" ({BOX})" if pixels.source == BOX else "")
            roi = roifile.ImagejRoi.frompoints(pixels.polygon(), name=label)
            roi.roitype = roifile.ROI_TYPE.TRACED  # along the edges of pixels, as ImageJ's own wand does
            roi.stroke_color = bytes((255, *colours.get(called, colours[UNCLASSIFIED])))
            roi.group = groups.get(called, 0)
            roi.props = f"outline: {pixels.source}\nopinion: {cell.opinion or ''}\n"
            # The ROI Manager lists the names of files; a class's name may not become a path.
            rois.writestr(f"{cell.name} {re.sub('[^A-Za-z0-9]+', '-', called)}.roi", roi.tobytes())
    return packed.getvalue()


FORMAT = FileFormat(
    name="imagej", help="photographs with the cells as ROIs for ImageJ", suffix="zip", write=write_imagej
)
