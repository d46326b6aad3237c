"""`smearscope analyze`: pictures from files, one result each, with masks and overlays on request."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from device.commands.options import (
    ModelChoice,
    config_option,
    data_option,
    model_options,
    open_processor,
    settings_and_data,
)
from smear.errors import ImageError, SmearscopeError, StoreError
from smear.findings import CellMask, Finding, Frame, Quality, Refusal, RefusalCode
from smear.images import list_images, read_image, write_image
from smear.inference.frame_processor import FrameProcessor
from smear.inference.overlay import draw_overlay, finding_json


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where masks and overlays go; None: not wanted."""

    masks: Path | None
    overlays: Path | None

    def write(self, name: Path, frame: Frame, finding: Finding) -> None:
        """Write what is wanted for the picture whose output is called `name`, a relative path."""
        if self.masks is not None:
            write_image(_ready(self.masks / name), finding.mask.values)
        if self.overlays is not None:
            write_image(_ready(self.overlays / name), draw_overlay(frame.image, finding))


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line and picture.")
@click.option("--masks", type=click.Path(path_type=Path, file_okay=False), help="Folder for mask PNGs (0, 128, 255).")
@click.option("--overlays", type=click.Path(path_type=Path, file_okay=False), help="Folder for outlined pictures.")
@click.option(
    "--pixel-size-um",
    type=click.FloatRange(0.01, 10),
    help="Edge of one pixel on the slide.  [default: unknown, each picture is one whole field]",
)
@model_options
@data_option
@config_option
def command(
    paths: tuple[Path, ...],
    as_json: bool,
    masks: Path | None,
    overlays: Path | None,
    pixel_size_um: float | None,
    choice: ModelChoice,
    data_path: Path | None,
    config_path: Path | None,
) -> None:
    """Examine pictures: files, or folders with all pictures below them.

    A picture that cannot be read is named on stderr (and in its JSON line); the others are still examined, and
    the exit code is 1.
    """
    settings, data = settings_and_data(config_path, data_path)
    pictures = list(_pictures(paths))
    processor = open_processor(settings, data, choice)
    outputs = Outputs(masks, overlays)
    failed = 0
    for path, name in zip(pictures, _output_names(pictures), strict=True):
        try:
            result = _examine(processor, path, name, pixel_size_um, outputs)
        except ImageError as error:
            failed += 1
            click.echo(f"smearscope: {' '.join(str(error).split())}", err=True)
            result = finding_json(str(path), _unread(str(error), processor)) | {"error": str(error)}
        click.echo(json.dumps(result) if as_json else _line(result))
    processor.close()
    if failed:
        raise SmearscopeError(f"{failed} of {len(pictures)} pictures could not be examined; see the lines above")


def _examine(
    processor: FrameProcessor, path: Path, name: Path, pixel_size_um: float | None, outputs: Outputs
) -> dict[str, Any]:
    frame = Frame(read_image(path), str(path), pixel_size_um, 0, time.monotonic(), time.time())
    processed = processor.process(frame)
    outputs.write(name, processed.frame, processed.finding)
    return finding_json(str(path), processed.finding)


def _pictures(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = list_images(path)
        if not found:
            raise ImageError(
                f"{path}: no picture in this folder; give a folder with JPEG, PNG, BMP, TIFF or WebP files"
            )
        yield from found


def _output_names(pictures: list[Path]) -> list[Path]:
    """Return STEM.png for each picture; below its folder's name where two pictures share a stem."""
    stems = Counter(path.stem for path in pictures)
    names = [Path(path.parent.name if stems[path.stem] > 1 else "", f"{path.stem}.png") for path in pictures]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:  # same folder name too: number them rather than overwrite one with the other
        return [name.with_stem(f"{name.stem}-{i}") if name in twice else name for i, name in enumerate(names)]
    return names


def _unread(reason: str, processor: FrameProcessor) -> Finding:
    nothing = Quality(focus=0.0, clipped=0.0, brightness=0.0, cell_share=0.0)
    return Finding(
        None, None, {}, (Refusal(RefusalCode.UNREADABLE, reason),), (), CellMask(np.zeros((1, 1), np.uint8)), nothing,
        bundle_sha256=processor.pipeline.bundle.sha256, level=processor.pipeline.level,
        runtime=processor.pipeline.runtime,
    )  # fmt: skip


def _line(result: dict[str, Any]) -> str:
    """One picture for people."""
    top = result["top"]
    share = f" {result['probabilities'][top]:.0%}" if top else ""
    if result["label"]:
        said = f"{result['label']}{share}"
    elif top:
        said = f"refused (would be {top}{share}): {_reasons(result)}"
    else:
        said = f"refused: {_reasons(result)}"
    return f"{result['image']}  {len(result['cells'])} cells  {said}"


def _reasons(result: dict[str, Any]) -> str:
    return "; ".join(refusal["advice"] for refusal in result["refusals"])


def _ready(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path.parent}: {error.strerror}; choose another folder") from error
    return path
