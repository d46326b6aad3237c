"""Cells as COCO instances, which CVAT and Label Studio import."""

from collections.abc import Iterator
from typing import IO, Any

from device.counting.class_colours import UNCLASSIFIED, class_colours
from device.exports.archive import Archive, archive_of
from device.exports.base import FileFormat, SlideSource, iso_time
from device.exports.documents import write_object
from smear import RESEARCH_USE_ONLY, __version__
from smear.site import NOT_CHECKED


def write_coco(source: SlideSource, out: IO[bytes]) -> None:
    """Write photographs, and one file of annotations for all of them."""
    with archive_of(source, out) as archive:
        for field, photograph in archive.photographs():
            archive.add(f"images/{source.name(field)}.jpg", photograph, packed=True)
        categories = {each.name: number for number, each in enumerate(source.classes, 1)}
        categories[UNCLASSIFIED] = len(categories) + 1
        about = {"description": f"{source.slide.name}. {RESEARCH_USE_ONLY}", "version": f"smearscope {__version__}"}
        with archive.text("annotations/instances_default.json") as text:
            write_object(
                text,
                {"info": about, "licenses": []},
                images=_images(archive),
                annotations=_annotations(archive, categories),
                categories=_categories(source, categories),  # last: annotations may add some
            )


def _images(archive: Archive) -> Iterator[dict[str, Any]]:
    for field in archive.source.fields():
        if field.id in archive.there:
            yield {
                "id": field.id,
                "file_name": f"{archive.source.name(field)}.jpg",
                "width": field.width,
                "height": field.height,
                "date_captured": iso_time(field.wall_time_s),
                "pixel_size_um": field.pixel_size_um,
                "site_certificate": field.site_certificate or NOT_CHECKED,
            }


def _annotations(archive: Archive, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield an annotation for each cell; a class that the settings no longer have is added to `categories`."""
    number = 0
    for field in archive.source.fields():
        for cell, pixels in archive.cells(field) if field.id in archive.there else ():
            number += 1
            yield {
                "id": number,
                "image_id": field.id,
                "category_id": categories.setdefault(cell.cell_class or UNCLASSIFIED, len(categories) + 1),
                "segmentation": [pixels.polygon().ravel().tolist()],
                "area": pixels.area,
                "bbox": list(pixels.box),
                "iscrowd": 0,
                "attributes": {"cell": cell.name, "outline": pixels.source, "accepted": cell.accepted},
            }


def _categories(source: SlideSource, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    colours = class_colours(source.classes)
    for name, number in categories.items():
        colour = colours.get(name, colours[UNCLASSIFIED])
        yield {"id": number, "name": name, "supercategory": "cell", "color": list(colour)}


FORMAT = FileFormat(
    name="coco", help="photographs with the cells as COCO polygons for CVAT and Label Studio", suffix="zip",
    write=write_coco,
)  # fmt: skip
