"""`smearscope analyze`: pictures from files, one result each, with masks and overlays on request."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from device.commands.options import (
    FiniteRange,
    ModelChoice,
    config_option,
    data_option,
    model_options,
    open_processor,
)
from device.data_folder import find_data_folder
from device.reporting.analysis_outputs import AnalysisOutputs, output_names
from device.settings import load_settings
from smear import RESEARCH_USE_ONLY
from smear.errors import ImageError, SmearscopeError
from smear.findings import CellMask, Finding, Frame, Quality, Refusal, RefusalCode
from smear.images import Picture, look_through, read_field
from smear.inference.frame_processor import FrameProcessor
from smear.inference.overlay import finding_json
from smear.output_files import printable
from smear.site import NOT_CHECKED


@dataclass(slots=True)
class Inputs:
    """What the paths of the command line come to."""

    pictures: list[Path] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)  # by kind
    unreadable: list[str] = field(default_factory=list)  # a sentence for each folder that cannot be opened


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line and picture.")
@click.option("--masks", type=click.Path(path_type=Path, file_okay=False), help="Folder for mask PNGs (0, 128, 255).")
@click.option("--overlays", type=click.Path(path_type=Path, file_okay=False), help="Folder for outlined pictures.")
@click.option(
    "--pixel-size-um",
    type=FiniteRange(0.01, 10),
    help="Edge of one pixel on the slide.  [default: an OME-TIFF's own; else unknown, each picture is one whole field]",
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

    JPEG, PNG, TIFF, BMP and WebP of one picture each are read. Masks and overlays lie on the picture as viewers
    show it: turned as its EXIF orientation says.

    A picture that cannot be read is named on stderr (and in its JSON line); the others are still examined, and
    the exit code is 1. No file is replaced but masks and overlays of an earlier run.
    """
    settings = load_settings(config_path)
    data = find_data_folder(settings, data_path)  # only its models are used, and it may be missing
    inputs = _inputs(paths)
    names = output_names(inputs.pictures)
    with AnalysisOutputs(masks, overlays) as outputs:
        outputs.require_free(names)
        processor = open_processor(settings, data, choice)
        try:
            notes, failed = _examine_all(inputs.pictures, names, processor, pixel_size_um, outputs, as_json)
        finally:
            processor.close()
    if not as_json:
        click.echo(RESEARCH_USE_ONLY)
    _sum_up(inputs, notes, failed)


def _examine_all(
    pictures: list[Path],
    names: list[Path],
    processor: FrameProcessor,
    pixel_size_um: float | None,
    outputs: AnalysisOutputs,
    as_json: bool,
) -> tuple[Counter[str], int]:
    """Examine and print picture after picture; return how often each note was made, and how many failed."""
    notes: Counter[str] = Counter()
    failed = 0
    extra: dict[str, Any]
    for path, name in zip(pictures, names, strict=True):
        try:
            picture = read_field(path)
            finding = _examined(processor, path, picture, name, pixel_size_um, outputs)
        except ImageError as error:
            failed += 1
            click.echo(f"smearscope: {' '.join(str(error).split())}", err=True)
            finding, extra = _unread(str(error), processor), {"error": str(error)}
        else:
            notes.update(picture.notes)
            extra = {"notes": list(picture.notes)} if picture.notes else {}
        result = finding_json(printable(path), finding) | extra | {"notice": RESEARCH_USE_ONLY}
        click.echo(json.dumps(result, allow_nan=False) if as_json else _line(result))
    return notes, failed


def _examined(
    processor: FrameProcessor,
    path: Path,
    picture: Picture,
    name: Path,
    pixel_size_um: float | None,
    outputs: AnalysisOutputs,
) -> Finding:
    size = pixel_size_um or picture.pixel_size_um
    frame = Frame(picture.image, printable(path), size, 0, time.monotonic(), time.time())
    processed = processor.process(frame)
    outputs.write(name, processed.frame, processed.finding)
    return processed.finding


def _inputs(paths: tuple[Path, ...]) -> Inputs:
    inputs = Inputs()
    for path in paths:
        if not path.is_dir():
            inputs.pictures.append(path)
            continue
        found = look_through(path)
        inputs.pictures += found.pictures
        inputs.passed_over.update(found.passed_over)
        inputs.unreadable += found.unreadable
        if not found.pictures and not found.unreadable:
            raise ImageError(
                f"{printable(path)}: no picture in this folder; give a folder with JPEG, PNG, BMP, TIFF or WebP files"
            )
    return inputs


def _sum_up(inputs: Inputs, notes: Counter[str], failed: int) -> None:
    """Say on stderr what was converted and passed over.

    Raises:
        SmearscopeError: a picture or folder could not be read.
    """
    for note, count in notes.items():
        click.echo(f"smearscope: {count} {'picture' if count == 1 else 'pictures'}: {note}", err=True)
    if inputs.passed_over:
        kinds = ", ".join(f"{count} {printable(kind)}" for kind, count in sorted(inputs.passed_over.items()))
        click.echo(f"smearscope: files passed over: {kinds}", err=True)
    for sentence in inputs.unreadable:
        click.echo(f"smearscope: {sentence}", err=True)
    faults = []
    if failed:
        faults.append(f"{failed} of {len(inputs.pictures)} pictures could not be examined")
    if inputs.unreadable:
        faults.append(f"{len(inputs.unreadable)} folders could not be opened")
    if faults:
        raise SmearscopeError(f"{' and '.join(faults)}; see the lines above")


def _unread(reason: str, processor: FrameProcessor) -> Finding:
    nothing = Quality(focus=0.0, clipped=0.0, brightness=0.0, cell_share=0.0)
    return Finding(
        None, None, {}, (Refusal(RefusalCode.UNREADABLE, reason),), (), CellMask(np.zeros((1, 1), np.uint8)), nothing,
        bundle_sha256=processor.pipeline.bundle.sha256, level=processor.pipeline.level,
        runtime=processor.pipeline.runtime,
    )  # fmt: skip


def _line(result: dict[str, Any]) -> str:
    """One picture for people."""
    if "error" in result:
        return f"{result['image']}  not examined"
    top = result["top"]
    share = f" {result['probabilities'][top]:.0%}" if top else ""
    if result["label"]:
        said = f"{result['label']}{share}{_site(result)}"
    elif top:
        said = f"refused (would be {top}{share}): {_reasons(result)}"
    else:
        said = f"refused: {_reasons(result)}"
    return f"{result['image']}  {len(result['cells'])} cells  {said}"


def _site(result: dict[str, Any]) -> str:
    site = result["site"]
    return f", {NOT_CHECKED}" if site and not site["checked"] else ""


def _reasons(result: dict[str, Any]) -> str:
    return "; ".join(refusal["advice"] for refusal in result["refusals"])
