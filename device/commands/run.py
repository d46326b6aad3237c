"""`smearscope run`: examine fields live, show them, record them, and sum the slide up."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from device.clock import SystemClock, boot_id, clock_synced
from device.commands.options import (
    camera_option,
    config_option,
    data_option,
    model_options,
    open_pipeline,
    open_source,
    settings_and_data,
)
from device.compose import Button
from device.displays import open_display
from device.feed import CameraFeed
from device.health import read_health
from device.protocols import Display
from device.recorder import Recorder
from device.report import SIMULATED, field_table, slide_summary
from device.screen import LiveScreen
from device.session import Examined, Examiner, run_session
from device.settings import Settings
from device.store import Circumstances, Store
from device.tracker import FieldTracker
from smear.bundle import Level
from smear.errors import SmearscopeError

INTERRUPTED = 130  # 128 + SIGINT: ended before the fields asked for were examined
TABLE_ROWS = 30  # a terminal page; the rest is in 'smearscope slides show'


@click.command()
@camera_option
@click.option("--display", metavar="NAME", help="auto, window, kmsdrm, png:PATH or none.  [default: auto]")
@click.option("--fields", type=click.IntRange(1), metavar="N", help="Stop after N examined fields.  [default: never]")
@click.option("--slide", "slide_name", metavar="NAME", help="Name of the slide.  [default: date and time]")
@model_options
@data_option
@config_option
def command(
    camera: str | None,
    display: str | None,
    fields: int | None,
    slide_name: str | None,
    bundle: Path | None,
    level: Level | None,
    runtime: str | None,
    threads: int | None,
    data_path: Path | None,
    config_path: Path | None,
) -> None:
    """Examine fields live until Ctrl-C or N fields.

    Each distinct field is recorded once; a field seen again is shown, but not counted again. At the end the
    slide is summed up. Try it without a microscope: smearscope run --camera simulated: --fields 30
    """
    settings, data = settings_and_data(config_path, data_path)
    pipeline = open_pipeline(settings, data, bundle, level, runtime, threads)
    console = Console(stderr=True)
    with ExitStack() as opened:
        opened.callback(pipeline.close)
        source = open_source(settings, camera)
        opened.callback(source.close)
        shown = open_display(display or settings.display.name, png_path=data / "screen.png")
        opened.callback(shown.close)
        store = opened.enter_context(open_store(settings, data, console))
        if source.simulated:
            console.print(SIMULATED, style="bold yellow", markup=False)
        recorder = Recorder(
            store,
            lambda: circumstances(source.simulated),
            FieldTracker if settings.slide.count_once else None,
            settings.slide.review_doubtful,
        )
        recorder.start_slide(slide_name or date_name())
        feed = CameraFeed(source, settings.camera.timeout_s)
        examiner = Examiner(feed, pipeline, recorder, fields)
        screen = LiveScreen(
            shown,
            SystemClock(),
            camera=source.name,
            simulated=source.simulated,
            actions=screen_actions(recorder),
            lost_after_s=settings.camera.timeout_s,
        )
        failure: SmearscopeError | None = None
        with stopping() as stop, progress(console, fields) as on_examined:
            try:
                run_session(feed, examiner, screen, stop, on_examined)
            except KeyboardInterrupt:  # the window was closed, or a second Ctrl-C
                stop.set()
            except SmearscopeError as error:  # said after the summary of what was recorded before it
                failure = error
        recorder.end_slide()
        sum_up(store, data, shown, recorder)
    if failure is not None:
        raise failure
    finish(examiner, recorder, interrupted=fields is not None and stop.is_set())


def open_store(settings: Settings, data: Path, console: Console) -> Store:
    """Open the store for recording, say what it found, and forget what is too old."""
    store = Store.record(data, settings.store.retention(), busy_timeout_s=settings.store.busy_timeout_s)
    for notice in store.notices:
        console.print(notice, style="yellow", markup=False)
    if clock_synced():  # else a wrong date could make everything look old
        store.forget_old()
    return store


def circumstances(simulated: bool) -> Circumstances:
    """Return what is true of the machine now."""
    health = read_health()
    return Circumstances(
        simulated=simulated,
        boot_id=boot_id(),
        clock_synced=clock_synced(),
        throttled=health.throttled,
        temperature_c=health.temperature_c,
    )


def date_name() -> str:
    """Return a slide's name for who gives none: the local date and time."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")


def screen_actions(recorder: Recorder) -> dict[Button, Callable[[], object]]:
    """Return what each button on the screen does."""
    return {
        Button.NEW_SLIDE: lambda: recorder.start_slide(date_name()),
        Button.END_SLIDE: recorder.end_slide,
        Button.KEEP_FIELD: recorder.keep_latest,
    }


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Let Ctrl-C and SIGTERM set an event, so that the field under examination is finished and recorded.

    A second Ctrl-C interrupts at once.
    """
    stop = threading.Event()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, on_interrupt)
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress(console: Console, fields: int | None) -> Iterator[Callable[[Examined], None]]:
    """Show a bar while a known number of fields is examined; nothing where the end is open."""
    columns = (TextColumn("examining"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=fields is None) as bar:
        task = bar.add_task("fields", total=fields)

        def on_examined(examined: Examined) -> None:
            bar.update(task, completed=examined.number)

        yield on_examined


def sum_up(store: Store, data: Path, shown: Display, recorder: Recorder) -> None:
    """Print the table of fields, the summary of each slide, and where everything is."""
    console = Console()
    for number in recorder.slides:
        record = store.slide(number)
        if latest := store.latest_fields(number, TABLE_ROWS)[::-1]:
            console.print(field_table(latest, record))
        console.print(slide_summary(record, recorder.seen_before_in.get(number, 0)))
        click.echo(f"Stored: slide {number} in {data} (again: smearscope slides show {number})")
    if path := getattr(shown, "path", None):
        click.echo(f"Screen: {path}")


def finish(examiner: Examiner, recorder: Recorder, interrupted: bool) -> None:
    """Exit with what the session came to: 0 when all is well."""
    for text in examiner.unreadable:
        click.echo(f"smearscope: {text}", err=True)
    if examiner.unreadable:
        click.echo(f"smearscope: {len(examiner.unreadable)} pictures could not be read", err=True)
    if recorder.not_stored:
        click.echo(f"smearscope: {recorder.not_stored} fields were not stored: {recorder.last_fault}", err=True)
    if interrupted:
        sys.exit(INTERRUPTED)
    if examiner.unreadable or recorder.not_stored:
        sys.exit(1)
