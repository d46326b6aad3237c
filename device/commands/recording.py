"""What `smearscope run` does with its store: open it, begin or resume a slide, end it, and sum up."""

from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from device.cameras.calibration import DEFAULT_OBJECTIVE, Corrector
from device.reporting.tables import field_table, slide_summary
from device.settings import Settings
from device.store import Circumstances, Store
from device.store.database import move_aside
from device.store.recorder import Recorder
from device.store.records import SlideDetails
from device.system.clock import SystemClock, boot_id, clock_synced
from device.system.health import read_health
from smear.errors import StoreError
from smear.output_files import printable

TABLE_ROWS = 30  # a terminal page; the rest is in 'smearscope slides show'


def open_store(settings: Settings, data: Path, console: Console) -> Store:
    """Open the store for recording, say what it found, and forget what is too old."""
    store = Store.record(data, settings.store.retention(), busy_timeout_s=settings.store.busy_timeout_s)
    for notice in store.notices:
        console.print(notice, style="yellow", markup=False)
    store.forget_old(date_is_known())
    return store


def start_over(settings: Settings, data: Path, console: Console) -> Store:
    """Move a store that was found damaged while it was open aside, and open a new one."""
    aside = move_aside(data, SystemClock().wall_s())
    console.print(
        f"the store was damaged; it was moved to {aside} and a new one was started", style="yellow", markup=False
    )
    return open_store(settings, data, console)


def date_is_known() -> bool:
    """Return whether a record's age may be told by the date; else a wrong one could make everything look old."""
    return bool(clock_synced())


def circumstances(simulated: bool, corrector: Corrector) -> Circumstances:
    """Return what is true of the machine now; `corrector` is that of the frames."""
    health = read_health()
    return Circumstances(
        simulated=simulated,
        calibration_id=corrector.applied_id,
        boot_id=boot_id(),
        clock_synced=clock_synced(),
        throttled=health.throttled,
        temperature_c=health.temperature_c,
        objective=None if corrector.objective == DEFAULT_OBJECTIVE else corrector.objective,
    )


def date_name() -> str:
    """Return a slide's name for who gives none: the local date and time."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")


def begin_slide(
    recorder: Recorder, name: str | None, simulated: bool, console: Console, details: SlideDetails | None = None
) -> None:
    """Start the slide `name`, or go on with the one that a killed run left open, unless another name is given.

    Drawn fields and a microscope's are never mixed in one slide. `details` are of a slide that is started.
    """
    wanted = printable(name) if name else None
    left = recorder.store.open_slide()
    if left is not None and left.simulated == simulated and wanted in {None, left.name}:
        recorder.resume_slide(left)
        console.print(f"going on with slide {left.id} ({left.name}), which was left open", markup=False)
    else:
        recorder.start_slide(wanted or date_name(), details)


def close_slide(recorder: Recorder, leave_open: bool) -> str | None:
    """End the open slide, or leave it for the next run to go on with; return what kept that from being written."""
    try:
        if leave_open:
            recorder.leave_open()
        else:
            recorder.end_slide()
    except StoreError as error:
        return str(error)
    return None


def sum_up(recorder: Recorder, data: Path) -> None:
    """Print the table of fields, the summary of each slide, and where everything is."""
    console, store = Console(), recorder.store
    for number in recorder.slides:
        slide = store.slide(number)
        if latest := store.latest_fields(number, TABLE_ROWS)[::-1]:
            console.print(field_table(latest, slide))
        console.print(slide_summary(slide, store.reviewed_counts(number)))
        click.echo(f"Stored: slide {number} in {printable(data)} (again: smearscope slides show {number})")
        if slide.ended_s is None:
            click.echo("The slide is still open; the next 'smearscope run' goes on with it.")
