"""`smearscope run`: examine fields live, show them, record them, and sum the slide up."""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from device import bundles
from device.cameras.calibration import Corrector, OpticalSetup, ProfileStore
from device.commands.options import (
    OPERATOR_VARIABLE,
    camera_option,
    config_option,
    data_option,
    details_options,
    display_option,
    model_options,
    objective_option,
    open_source,
    settings_and_data,
)
from device.commands.recording import (
    begin_slide,
    circumstances,
    close_slide,
    date_is_known,
    open_store,
    start_over,
    sum_up,
)
from device.control.handlers import ControlHandlers
from device.control.protocol import socket_path
from device.control.record_answers import record_answers
from device.control.server import Answer, ControlServer
from device.model_choice import ModelChoice, bundle_path, open_processor, use_of
from device.quality_control.state import QcWatch
from device.reporting.tables import SIMULATED
from device.screen.live_screen import LiveScreen
from device.screen.navigation.own_actions import OwnActions
from device.screen.patient_display import display_of
from device.session.active_faults import ActiveFaults
from device.session.calibrated_camera import CalibratedCamera
from device.session.camera_worker import CameraWorker
from device.session.health_worker import HEALTH, HealthWorker
from device.session.inference_worker import InferenceWorker, ProcessorSlot
from device.session.invoke_deadline import Deadlines, InvokeDeadline
from device.session.label_hysteresis import LabelHysteresis
from device.session.model_loader import BUNDLE, BundleWatch, ModelLoader
from device.session.results import Examined
from device.session.retention_worker import RETENTION, RetentionWorker
from device.session.session import Heartbeat, run_session
from device.session.start_guard import StartGuard
from device.session.supervisor import Part, Supervisor, Turn
from device.settings import Settings
from device.store.duplicate_fields import FieldTracker
from device.store.recorder import Recorder
from device.store.records import SlideDetails
from device.system.clock import SystemClock, boot_id
from device.system.log_file import LogFile
from device.system.memory import fail_before_the_kernel_acts, share_one_heap
from device.system.signals import stopping
from device.system.systemd import Journal, Notifier, Priority
from smear import __version__
from smear.errors import SettingsError, SmearscopeError
from smear.inference.proof import prove

INTERRUPTED = 130  # 128 + SIGINT: ended before the fields asked for were examined


@click.command()
@camera_option
@display_option
@click.option("--fields", type=click.IntRange(1), metavar="N", help="Stop after N examined fields.  [default: never]")
@click.option("--slide", "slide_name", metavar="NAME", help="Name of the slide.  [default: date and time]")
@click.option("--operator", metavar="NAME", envvar=OPERATOR_VARIABLE, default="", help="Who is at work.")
@details_options
@objective_option
@model_options
@data_option
@config_option
def command(
    camera: str | None,
    display: str | None,
    fields: int | None,
    slide_name: str | None,
    details: SlideDetails,
    objective: str | None,
    choice: ModelChoice,
    data_path: Path | None,
    config_path: Path | None,
) -> None:
    """Examine fields live until Ctrl-C or N fields.

    Each distinct field is recorded once; a field seen again is shown, but not counted again. At the end the
    slide is summed up. Try it without a microscope: smearscope run --camera simulated: --fields 30
    """
    share_one_heap()
    settings, data = settings_and_data(config_path, data_path)
    console, clock, notifier, log = Console(stderr=True), SystemClock(), Notifier(), LogFile(data)
    faults, hysteresis = ActiveFaults(Journal(keep=log.add)), LabelHysteresis() if settings.slide.count_once else None
    deadline = InvokeDeadline(Deadlines.of(notifier.watchdog_s, settings.store.busy_timeout_s))
    loader = ModelLoader(
        lambda: bundle_path(settings, data, choice.bundle),
        lambda path, level, proven: open_processor(
            settings,
            data,
            (asked := replace(choice, level=level)),
            deadline.wrap,
            hysteresis,
            path,
            (lambda bundle: prove(bundle, use_of(settings, data, bundle.sha256, asked))) if proven else None,
        ),
        lambda: level_now(config_path, data, settings, choice),
        settings.model.cpu_fallback,
        faults,
    )
    guard = guard_of(settings, data, choice, notifier.managed, faults)
    with ExitStack() as opened:
        opened.callback(notifier.close)
        processors = ProcessorSlot(
            loader.load, Corrector(setup=OpticalSetup(objective=objective or ProfileStore(data).objective()))
        )
        processors.replace(loader.load(prove=bundles.is_foreign(loader.find(), data / bundles.MODELS)))
        fail_before_the_kernel_acts()
        camera_worker = CameraWorker(
            camera or settings.camera.name,
            CalibratedCamera(
                lambda controls: open_source(settings, camera, controls),
                ProfileStore(data),
                processors,
                clock,
                lambda text: console.print(f"smearscope: {text}", style="yellow", markup=False, soft_wrap=True),
            ).open,
            settings.camera.timeout_s,
            faults,
        )
        opened.callback(camera_worker.close)
        shown = display_of(settings.display, display, data, faults, clock, patient=notifier.managed)
        opened.callback(shown.close)
        if not notifier.managed:  # somebody waits for it: what is missing at the start is said at once
            camera_worker.open_first()
            shown.open_first()
        store = open_store(settings, data, console)
        opened.callback(lambda: recorder.store.close())
        recorder = Recorder(
            store,
            lambda: circumstances(camera_worker.simulated, processors.corrector),
            FieldTracker if settings.slide.count_once else None,
            settings.slide.review_doubtful,
            lambda: start_over(settings, data, console),
            quality_control=QcWatch(settings.qc, lambda: camera_worker.simulated),
        )
        inference_worker = InferenceWorker(camera_worker, processors, recorder, faults, deadline, fields, hysteresis)
        opened.callback(inference_worker.close)
        if camera_worker.simulated:
            console.print(SIMULATED, style="bold yellow", markup=False)
        begin_slide(recorder, slide_name, camera_worker.simulated, console, details)
        answers = {
            **record_answers(data, settings, config_path, given_settings(camera, display, choice)),
            **ControlHandlers(camera_worker, inference_worker, recorder, faults, data, clock).answers(),
            "screen": lambda request: shown.mirror.picture(request.get("known")),
            "web is": shown.mirror.web_is,
            "screen touch": lambda request: shown.mirror.touch(recorder.store, request),
        }
        health = HealthWorker(data, settings.store.retention().min_free_bytes)
        screen = LiveScreen(
            shown,
            clock,
            faults,
            camera_worker,
            OwnActions(answers, recorder, settings, data, details.operator, shown),
            settings.camera.timeout_s,
            lambda: processors.corrector.calibration,
            lambda: health.newest,
        )
        with stopping(notifier) as (stop, hung_up), progress(console, fields) as on_examined:
            failure = end_of(
                lambda: run_session(
                    Supervisor(clock, faults),
                    camera_worker,
                    inference_worker,
                    screen,
                    Heartbeat(notifier, clock, camera_worker, inference_worker),
                    stop,
                    guard.until_first(on_examined),
                    other_parts(
                        answers,
                        data,
                        {
                            "bundle": BundleWatch(loader, processors, faults).work,
                            RETENTION: RetentionWorker(recorder, faults, date_is_known).work,
                            HEALTH: health.work,
                        },
                    ),
                ),
                stop,
                guard,
                log,
            )
            not_closed = close_slide(recorder, leave_open=hung_up.is_set())
        sum_up(recorder, data)
        if shown.path:
            click.echo(f"Screen: {shown.path}")
    if failure is not None:
        raise failure
    finish(inference_worker, recorder, not_closed, interrupted=fields is not None and stop.is_set())


def given_settings(camera: str | None, display: str | None, choice: ModelChoice) -> dict[str, object]:
    """Return what the command line says in place of the settings, by SECTION.KEY."""
    options = {"camera.name": camera, "display.name": display} | {f"model.{k}": v for k, v in asdict(choice).items()}
    return {name: value for name, value in options.items() if value is not None}


def level_now(config: Path | None, data: Path, settings: Settings, choice: ModelChoice) -> str:
    """Return the level that is asked for, or set by now: it is changed while the device runs."""
    try:
        return choice.level or settings_and_data(config, data)[0].model.level
    except SettingsError:  # somebody edits the file
        return settings.model.level


def guard_of(settings: Settings, data: Path, choice: ModelChoice, managed: bool, faults: ActiveFaults) -> StartGuard:
    """Go back to the previous installed bundle where the service did not start with the present one, and say so."""
    own = managed and choice.bundle is None and settings.model.bundle is None
    guard = StartGuard(data / bundles.MODELS if own else None, boot_id())
    key = settings.model.require_signature
    if said := guard.begin(lambda bundle: prove(bundle, use_of(settings, data, bundle.sha256, choice)), key):
        faults.report(BUNDLE, said)
    return guard


def end_of(
    session: Callable[[], None], stop: threading.Event, guard: StartGuard, log: LogFile
) -> SmearscopeError | None:
    """Run `session`; return what ended it, to be said after the summary of what was recorded before."""
    log.add(Priority.INFO, f"a session of Smearscope {__version__} begins")
    try:
        session()
    except KeyboardInterrupt:  # the window was closed, or a second Ctrl-C
        stop.set()
    except SmearscopeError as error:
        log.add(Priority.ERROR, str(error))
        return error
    log.add(Priority.INFO, "the session ends")
    guard.succeeded()
    return None


def other_parts(answers: Mapping[str, Answer], data: Path, works: Mapping[str, Callable[[Turn], None]]) -> list[Part]:
    """Return what runs beside camera and inference; without it the fields go on, so its faults end nothing."""
    server = ControlServer(socket_path(data), answers)
    return [Part(name, work, patient=True) for name, work in {"control": server.work, **works}.items()]


@contextmanager
def progress(console: Console, fields: int | None) -> Iterator[Callable[[Examined], None]]:
    """Show a bar while a known number of fields is examined; nothing where the end is open."""
    columns = (TextColumn("examining"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=fields is None) as bar:
        task = bar.add_task("fields", total=fields)

        def on_examined(examined: Examined) -> None:
            bar.update(task, completed=examined.number)

        yield on_examined


def finish(inference_worker: InferenceWorker, recorder: Recorder, not_closed: str | None, interrupted: bool) -> None:
    """Exit with what the session came to: 0 when all is well."""
    for text in inference_worker.unreadable_reasons:
        click.echo(f"smearscope: {text}", err=True)
    if inference_worker.unreadable:
        click.echo(f"smearscope: {inference_worker.unreadable} pictures could not be read", err=True)
    if recorder.not_stored:
        click.echo(f"smearscope: {recorder.not_stored} fields were not stored: {recorder.last_fault}", err=True)
    if not_closed:
        click.echo(f"smearscope: the slide could not be ended: {not_closed}", err=True)
    if interrupted:
        sys.exit(INTERRUPTED)
    if inference_worker.unreadable or recorder.not_stored or not_closed:
        sys.exit(1)
