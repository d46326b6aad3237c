"""Measures the device from capture to screen, with the parts of a session one after the other in one thread."""

import time
from collections.abc import Iterator, MutableMapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from benchmarks import schema
from benchmarks.interleaved import latency_of
from benchmarks.progress import OnProgress
from benchmarks.suites.end_to_end import PIXEL_SIZE_UM, TimedProcessor, median_stages
from benchmarks.worker import resident_mb
from device.cameras.base import Camera
from device.cameras.registry import open_camera
from device.screen.displays import open_display
from device.screen.live_screen import LiveScreen
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.label_hysteresis import LabelHysteresis
from device.session.results import Examined
from device.store import Circumstances, Store
from device.store.recorder import Recorder
from device.system.clock import SystemClock
from device.system.systemd import Journal
from smear.findings import Frame
from smear.images import write_image
from smear.imaging.pixel_size import SteadyScale
from smear.inference.frame_processor import FrameProcessor

TIMEOUT_S = 60.0  # a camera that gives no frame for so long is broken
FILES = 3  # pictures of the file camera


def live_rows(processor: TimedProcessor, frame: Frame, scratch: Path, on_progress: OnProgress) -> list[schema.Live]:
    """Measure capture to result and to screen, with a file camera that shows `frame` and with a simulated one."""
    for i in range(FILES):
        write_image(scratch / "fields" / f"{i}.png", np.roll(frame.image, i * 400, axis=1))
    height, width = frame.image.shape[:2]
    cameras = {f"files:{scratch / 'fields'}": FILES, "simulated:1?class=Pre": processor.effort.repeats}
    rows = []
    for name, repeats in cameras.items():
        kind = name.split(":", 1)[0]
        on_progress(f"capture to screen, {kind} camera", 0.5)
        with closing(open_camera(name, pixel_size_um=PIXEL_SIZE_UM, size=(width, height))) as camera:
            rows.append(_measure(processor.processor, camera, kind, repeats, scratch / kind))
    return rows


def _measure(models: FrameProcessor, camera: Camera, kind: str, repeats: int, folder: Path) -> schema.Live:
    hysteresis, clock, faults = LabelHysteresis(), SystemClock(), ActiveFaults(Journal())
    processor = FrameProcessor(models.pipeline, hysteresis=hysteresis, estimate_scale=SteadyScale().estimate)
    source = _Source(kind)
    display = PatientDisplay(lambda: open_display("none"), faults, clock)
    screen = LiveScreen(display, clock, faults, source, lambda action, request: None, TIMEOUT_S)
    timings, results, screens = list[dict[str, float]](), list[float](), list[float]()
    megapixels = 0.0
    with Store.record(folder) as store:
        recorder = Recorder(store, lambda: Circumstances(simulated=True))
        recorder.start_slide("bench")
        began = time.perf_counter()
        for number in range(1, repeats + 1):
            timing: dict[str, float] = {}
            with _timed(timing, "capture"):
                frame = camera.read(TIMEOUT_S)
            captured = time.perf_counter()
            processed = processor.process(frame)
            results.append((time.perf_counter() - captured) * 1e3)
            with _timed(timing, "record"):
                recorded = recorder.record(processed.frame, processed.finding, hysteresis.view)
            with _timed(timing, "screen"):
                screen.show(Examined(processed.frame, processed.finding, recorded, number))
            screens.append((time.perf_counter() - captured) * 1e3)
            timings.append({"capture": timing.pop("capture"), **processed.finding.timing_ms, **timing})
            megapixels = frame.image.shape[0] * frame.image.shape[1] / 1e6
        spent_s = time.perf_counter() - began
    screen.close()
    return schema.Live(
        camera=kind,
        megapixels=megapixels,
        to_result=latency_of(results),
        to_screen=latency_of(screens),
        fields_per_s=repeats / spent_s,
        stage_ms=median_stages(timings),
        rss_mb=resident_mb(),
    )


class _Source:
    """What the screen shows as its camera."""

    simulated = stepped = True

    def __init__(self, name: str) -> None:
        self.name = name


@contextmanager
def _timed(timing: MutableMapping[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timing[stage] = (time.perf_counter() - started) * 1e3
