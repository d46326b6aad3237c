"""The formats that a slide can leave the device in, and writing one."""

from typing import IO

from device.exports import archive, coco, documents, ecotaxa, geojson, hl7, imagej, ome_tiff, tables, training
from device.exports.base import ExportFormat, FileFormat, SlideSource, Step, no_step
from device.settings import Settings
from device.store.store import Store
from smear.errors import StoreError
from smear.registry import Registry

EXPORTS = Registry(
    "smearscope.exports",
    ExportFormat,
    (
        archive.FORMAT, tables.FORMAT, documents.FORMAT, geojson.FORMAT, imagej.FORMAT, ome_tiff.FORMAT, coco.FORMAT,
        ecotaxa.FORMAT, hl7.FORMAT, training.FORMAT,
    ),
    what="format of exports",
    error=StoreError,
)  # fmt: skip


def export_slide(
    store: Store,
    slide_id: int,
    name: str,
    out: IO[bytes],
    settings: Settings | None = None,
    step: Step = no_step,
) -> None:
    """Write a slide in the file format called `name` to `out`, which need not be seekable, as it is at one moment.

    `settings` hold the laboratory's classes of cells and how many leukocytes are to be counted; `step` is
    called after each field.

    Raises:
        StoreError: there is no such format or slide, or the disk failed.
    """
    kind = EXPORTS.find(name)
    if not isinstance(kind, FileFormat):
        raise StoreError(f"the format {name} is no file; 'smearscope slides export --format {name}' writes its folder")
    with store.snapshot():
        kind.write(SlideSource.of(store, slide_id, settings or Settings(), step), out)
