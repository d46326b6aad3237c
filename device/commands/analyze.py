"""`smearscope analyze`: pictures from files, one result each, with masks and overlays on request."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from device.archive.examiner import Examiner, Job, PictureResult, PictureTask, unread
from device.archive.inputs import Inputs
from device.archive.result_file import WRITERS
from device.archive.results import ResultTable, result_settings
from device.archive.slide import tiles_of
from device.archive.slide_cells import SlideCells
from device.archive.workers import Lost, ThisProcess, Workers, in_order, usable_workers
from device.commands.options import FiniteRange, config_option, data_option, model_options
from device.data_folder import find_data_folder
from device.settings import load_settings
from device.system.signals import interruptible
from smear import RESEARCH_USE_ONLY
from smear.errors import SmearscopeError, StoreError
from smear.images.urls import is_url
from smear.output_files import OutputFolder, printable
from smear.progress import progress
from smear.site import NOT_CHECKED

SLIDES = ".geojson"


class WorkersType(click.ParamType[int]):
    """A number of processes, or "auto"."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; see `click.ParamType`."""
        return usable_workers() if value == "auto" else int(click.IntRange(1, 256).convert(value, param, ctx))


@dataclass(slots=True)
class Tally:
    """What a run says at its end."""

    notes: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    reused: int = 0

    def add(self, done: PictureResult) -> None:
        """Count one picture."""
        self.notes.update(done.notes)
        self.failed += done.error is not None

    def reuse(self, done: PictureResult) -> None:
        """Count one picture that an earlier run examined."""
        self.add(done)
        self.reused += 1


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line and picture.")
@click.option("--masks", type=click.Path(path_type=Path, file_okay=False), help="Folder for mask PNGs (0, 128, 255).")
@click.option("--overlays", type=click.Path(path_type=Path, file_okay=False), help="Folder for outlined pictures.")
@click.option(
    "--pixel-size-um",
    type=FiniteRange(0.01, 10),
    help="Edge of one pixel on the slide.  [default: an OME-TIFF's own; else unknown, each picture is one whole field]",
)
@click.option("--workers", type=WorkersType(), default=1, help="Processes that examine.  [default: 1]")
@click.option("--scheduler", metavar="URL", help="Dask scheduler whose workers examine, such as tcp://host:8786.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File of one row a picture, in place of lines: {', '.join(WRITERS)}; {SLIDES}: cells of a whole slide.",
)
@click.option("--resume", is_flag=True, help="Go on with --out: what its manifest holds is not examined again.")
@model_options
@data_option
@config_option
def command(
    paths: tuple[str, ...],
    as_json: bool,
    workers: int,
    scheduler: str | None,
    out: Path | None,
    resume: bool,
    data_path: Path | None,
    config_path: Path | None,
    **wanted: Any,
) -> None:
    """Examine pictures: files, or folders with all pictures below them.

    JPEG, PNG, TIFF, BMP and WebP of one picture each are read. Masks and overlays lie on the picture as viewers
    show it: turned as its EXIF orientation says.

    A picture that cannot be read is named on stderr (and in its JSON line); the others are still examined, and
    the exit code is 1. No file is replaced but masks, overlays and results of an earlier run.
    """
    _require_sense(out, as_json, resume, paths, bool(wanted["masks"] or wanted["overlays"]))
    if scheduler is not None:
        _require_cluster_sense(workers, **wanted)
        paths = tuple(path if is_url(path) else str(Path(path).absolute()) for path in paths)
    settings = load_settings(config_path)
    data = find_data_folder(settings, data_path)  # only its models are used, and it may be missing
    job = Job(settings, data, digests=out is not None, **wanted)
    where = workers if scheduler is None else scheduler
    if out is not None and out.suffix == SLIDES:
        with interruptible():
            _examine_slide(Path(paths[0]), job, where, out)
        return
    inputs, tally = Inputs(paths), Tally()
    inputs.require_pictures()
    try:
        with interruptible():
            _examine(inputs, job, where, tally, as_json, out, resume)
    except KeyboardInterrupt:
        if out is not None and out.exists():
            click.echo(f"smearscope: {printable(out)} holds what is done; go on with --resume", err=True)
        raise
    if out is None and not as_json:
        click.echo(RESEARCH_USE_ONLY)
    _sum_up(inputs, tally)


def _require_sense(out: Path | None, as_json: bool, resume: bool, paths: tuple[str, ...], pictures: bool) -> None:
    if out is None and resume:
        raise click.UsageError("--resume goes on with a file of results; name it with --out")
    if out is not None and as_json:
        raise click.UsageError("--out takes the results; leave out --json")
    if out is not None and out.suffix == SLIDES:
        if len(paths) != 1 or not Path(paths[0]).is_file() or resume or pictures:
            raise click.UsageError(
                f"a {SLIDES} file holds the cells of one whole slide: name its file; no --resume, --masks, --overlays"
            )
    elif out is not None and out.suffix not in WRITERS:
        raise click.UsageError(f"--out {out.name}: give a name that ends with {', '.join((*WRITERS, SLIDES))}")


def _require_cluster_sense(workers: int, masks: Path | None, overlays: Path | None, **others: Any) -> None:
    if workers != 1:
        raise click.UsageError("--scheduler has workers of its own; leave out --workers")
    if masks or overlays:
        raise click.UsageError("--masks and --overlays are written where pictures are examined; leave out --scheduler")


def _examine(
    inputs: Inputs, job: Job, where: str | int, tally: Tally, as_json: bool, out: Path | None, resume: bool
) -> None:
    """Examine picture after picture; print each result, or put it into the table `out`."""
    with ExitStack() as opened:
        table = None
        if out is not None:
            table = opened.enter_context(ResultTable(out, result_settings(job), resume))
        wanted = job.masks or job.overlays
        tasks = inputs.tasks_with_outputs(job.masks, job.overlays) if wanted else inputs.tasks()
        workers = opened.enter_context(closing(_workers(job, where)))
        todo = _shown(tasks, inputs, printed=table is None)
        if table is not None:
            todo = table.missing(workers, todo, tally.reuse)
        for task, found in in_order(workers, Examiner.pictures, todo):
            done = _lost(task, job, found) if isinstance(found, Lost) else found
            tally.add(done)
            if done.error is not None:
                click.echo(f"smearscope: {' '.join(done.error.split())}", err=True)
            if table is not None:
                table.manifest.add(task, done)
            else:
                click.echo(done.json if as_json else _line(json.loads(done.json)))


def _examine_slide(path: Path, job: Job, where: str | int, out: Path) -> None:
    """Write the cells of the whole slide at `path` to `out`."""
    if out.exists():
        raise StoreError(f"{printable(out)} is there already; choose another name")
    number, tiles = tiles_of(path, job.pixel_size_um)
    cells = SlideCells()
    with closing(_workers(job, where)) as workers, OutputFolder(out.parent) as folder, folder.writing(out.name) as file:
        shown = progress(tiles, "Examining tiles", quiet=not sys.stderr.isatty(), total=number)
        results = in_order(workers, Examiner.tiles, shown)
        complete = cells.write(path, results, file)
        if not cells.tiles:
            raise KeyboardInterrupt  # before the file appears, which a second run would not replace
    click.echo(f"{printable(out)}: {cells.found} cells in {number} tiles ({_tally_of(cells.tiles)})")
    if not complete:
        raise KeyboardInterrupt
    click.echo(RESEARCH_USE_ONLY)
    for sentence in cells.faults:
        click.echo(f"smearscope: {sentence}", err=True)
    if cells.faults:
        raise SmearscopeError(f"{len(cells.faults)} of {number} tiles could not be examined; see the lines above")


def _tally_of(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _workers(job: Job, where: str | int) -> Workers:
    """Return the workers of a scheduler's address, or so many processes of this machine."""
    if isinstance(where, str):
        from device.archive.cluster import Cluster  # here: an extra of its own

        cluster = Cluster(job, where)
        if not cluster.threads:
            click.echo(f"smearscope: waiting for a worker; start one with 'dask worker {where}'", err=True)
        return cluster
    if where == 1:
        return ThisProcess(job)
    from device.archive.process_pool import ProcessPool  # here: one picture needs no other process

    return ProcessPool(job, where)


def _shown(tasks: Iterator[PictureTask], inputs: Inputs, printed: bool) -> Iterator[PictureTask]:
    """Yield `tasks` behind a progress bar where there is a terminal that nothing is `printed` on."""
    if not sys.stderr.isatty() or (printed and sys.stdout.isatty()):
        return tasks
    return progress(tasks, "Examining", total=inputs.number())


def _lost(task: PictureTask, job: Job, lost: Lost) -> PictureResult:
    asked = result_settings(job)
    return unread(task.name, f"{task.name}: {lost.reason}", asked["bundle"], asked["level"], asked["runtime"])


def _sum_up(inputs: Inputs, tally: Tally) -> None:
    """Say on stderr what was converted, passed over and done before.

    Raises:
        SmearscopeError: a picture or folder could not be read.
    """
    for note, count in tally.notes.items():
        click.echo(f"smearscope: {_pictures(count)}: {note}", err=True)
    if inputs.passed_over:
        kinds = ", ".join(f"{count} {printable(kind)}" for kind, count in sorted(inputs.passed_over.items()))
        click.echo(f"smearscope: files passed over: {kinds}", err=True)
    if tally.reused:
        click.echo(f"smearscope: {_pictures(tally.reused)} of {inputs.count}: examined by an earlier run", err=True)
    for sentence in sorted(inputs.unreadable):
        click.echo(f"smearscope: {sentence}", err=True)
    faults = []
    if tally.failed:
        faults.append(f"{tally.failed} of {inputs.count} pictures could not be examined")
    if inputs.unreadable:
        faults.append(f"{len(inputs.unreadable)} folders could not be opened")
    if faults:
        raise SmearscopeError(f"{' and '.join(faults)}; see the lines above")


def _pictures(count: int) -> str:
    return f"{count} {'picture' if count == 1 else 'pictures'}"


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
