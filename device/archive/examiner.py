"""One process's part of an archive: the models opened once, then batch after batch of pictures or tiles."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.archive.slide import Tile, TileResult, has_tissue, open_slide, read_tile, tile_result
from device.model_choice import ModelChoice, open_processor
from device.reporting.analysis_outputs import AnalysisOutputs
from device.settings import Settings
from smear import RESEARCH_USE_ONLY
from smear.errors import ImageError
from smear.findings import CellMask, Finding, Frame, Quality, Refusal, RefusalCode
from smear.images import digest_of, read_field
from smear.inference.frame_processor import FrameProcessor, SiteCheck
from smear.inference.overlay import finding_json
from smear.output_files import printable


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every picture of an archive; it goes to each process once."""

    settings: Settings
    data: Path | None
    choice: ModelChoice
    pixel_size_um: float | None = None  # None: an OME-TIFF's own, else unknown
    masks: Path | None = None
    overlays: Path | None = None
    digests: bool = False  # whether the sha256 of each picture is wanted


@dataclass(frozen=True, slots=True)
class PictureTask:
    """One picture to be examined."""

    path: Path | str  # a file, or a URL
    number: int  # from 0, in the order given
    output: Path | None = None  # the name of its mask and overlay

    @property
    def name(self) -> str:
        """What the picture is called in every output."""
        return printable(self.path)


@dataclass(frozen=True, slots=True)
class PictureResult:
    """What became of one picture."""

    json: str  # the line of --json
    error: str | None = None  # why it could not be examined
    notes: tuple[str, ...] = ()
    sha256: str | None = None


class Examiner:
    """Examines what belongs to one job."""

    def __init__(self, job: Job, bundle: Path | None = None, site: SiteCheck | None = None) -> None:
        """Open the models, from the folder `bundle` where it is given; see `open_processor`."""
        self.job = job
        self.processor: FrameProcessor = open_processor(job.settings, job.data, job.choice, path=bundle, site=site)
        self._outputs = AnalysisOutputs(job.masks, job.overlays)
        self._slide: tuple[Path, Any] | None = None  # the one that is open

    def close(self) -> None:
        """Free the models."""
        self._outputs.close()
        self.processor.close()

    def digests(self, tasks: Sequence[PictureTask]) -> list[str | None]:
        """Return the sha256 of each picture; None where it cannot be read."""
        return [_digest(task.path) for task in tasks]

    def pictures(self, tasks: Sequence[PictureTask]) -> list[PictureResult]:
        """Examine pictures, and write their masks and overlays.

        Raises:
            StoreError: a mask or overlay cannot be written.
            InferenceError: a model did not answer.
        """
        return [self._picture(task) for task in tasks]

    def tiles(self, tiles: Sequence[Tile]) -> list[TileResult]:
        """Examine tiles of whole slides, where there is tissue; see `pictures`."""
        return [self._tile(tile) for tile in tiles]

    def _tile(self, tile: Tile) -> TileResult:
        try:
            if self._slide is None or self._slide[0] != tile.path:
                self._slide = tile.path, open_slide(tile.path)
            slide = self._slide[1]
            if not has_tissue(slide, tile):
                return TileResult(state=("no tissue",))
            frame = Frame(read_tile(slide, tile), printable(tile.path), tile.pixel_size_um)
            return tile_result(tile, self.processor.examine(frame))
        except ImageError as error:
            self._slide = None  # after an error OpenSlide answers nothing else
            return TileResult(error=f"{printable(tile.path)}: {error}")

    def _picture(self, task: PictureTask) -> PictureResult:
        try:
            picture = read_field(task.path, digest=self.job.digests)
            size = self.job.pixel_size_um or picture.pixel_size_um
            processed = self.processor.process(Frame(picture.image, task.name, size, 0, time.monotonic(), time.time()))
            if task.output is not None:
                self._outputs.write(task.output, processed.frame, processed.finding)
        except ImageError as error:
            pipeline = self.processor.pipeline
            return unread(task.name, str(error), pipeline.bundle.sha256, pipeline.level, pipeline.runtime)
        notes = {"notes": list(picture.notes)} if picture.notes else {}
        return PictureResult(_line(task.name, processed.finding, notes), None, picture.notes, picture.sha256 or None)


def unread(name: str, reason: str, bundle_sha256: str, level: str, runtime: str) -> PictureResult:
    """Return the result of the picture called `name`, which could not be examined."""
    nothing = Quality(focus=0.0, clipped=0.0, brightness=0.0, cell_share=0.0)
    finding = Finding(
        None, None, {}, (Refusal(RefusalCode.UNREADABLE, reason),), (), CellMask(np.zeros((1, 1), np.uint8)), nothing,
        bundle_sha256=bundle_sha256, level=level, runtime=runtime,
    )  # fmt: skip
    return PictureResult(_line(name, finding, {"error": reason}), reason)


def _line(name: str, finding: Finding, extra: dict[str, Any]) -> str:
    return json.dumps(finding_json(name, finding) | extra | {"notice": RESEARCH_USE_ONLY}, allow_nan=False)


def _digest(path: Path | str) -> str | None:
    try:
        return digest_of(path)  # of whatever is there: whether it is a picture is seen when it is examined
    except ImageError:
        return None
