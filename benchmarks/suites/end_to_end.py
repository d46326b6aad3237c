"""The whole device: where a frame's time goes, from capture to screen, and how it grows."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import schema
from benchmarks.environment import resident_mb
from benchmarks.interleaved import Effort, Say, latency_of
from device.cameras.registry import open_camera
from device.screen.displays import open_display
from device.screen.layout import ScreenState, compose
from device.store import Store
from device.store.duplicate_fields import FieldTracker, describe
from device.store.slide_summary import SlideTally
from smear.bundle.manifest import Bundle, Role
from smear.findings import Finding, Frame
from smear.images import write_image
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.runtime import Runtime
from smear.synthetic import render

SENSOR = (1088, 1456)  # height and width of the Pi's global shutter camera: 1.58 megapixels
PIXEL_SIZE_UM = 0.25  # of SENSOR: a 40x objective, as the simulated camera has it
CELLS = 20  # leukocytes in the field that the overhead is stated for
_CELL_COUNTS = {"quick": (1, 20, 100), "full": (1, 3, 10, 20, 48, 100, 200, 300)}
_MEGAPIXELS = {"quick": (0.3, 1.5), "full": (0.3, 0.75, 1.5, 3.0, 6.0, 12.0)}
_RECORDS = {"quick": (1_000, 10_000), "full": (1_000, 10_000, 100_000, 1_000_000)}
_NIGH_S = 60.0  # a camera that gives no frame for so long is broken


Span = tuple[float, float]
"""Milliseconds on the wall clock, and of processor time."""


class InvokeClock:
    """Times the bare `invoke` of the interpreters inside a pipeline; `wrap` goes between pipeline and models."""

    def __init__(self) -> None:
        self.ms: dict[str, list[Span]] = {"segmenter": [], "classifier": []}

    def wrap(self, role: Role, model: Runtime) -> Runtime:
        """Return `model` with its interpreter under the clock: quantizing its input counts as overhead."""
        # No door leads to the interpreter, as nobody else needs one; the pipeline itself must stay as it is.
        vars(model)["_interpreter"] = _Clocked(vars(model)["_interpreter"], self.ms[role])
        return model

    def take(self) -> dict[str, list[Span]]:
        """Return what was timed since the last call."""
        taken = {role: list(times) for role, times in self.ms.items()}
        for times in self.ms.values():
            times.clear()
        return taken


class _Clocked:
    def __init__(self, interpreter: Any, times: list[Span]) -> None:
        self._interpreter, self._times = interpreter, times

    def invoke(self) -> None:
        """Invoke, and note how long it took."""
        started, worked = time.perf_counter(), time.process_time()
        self._interpreter.invoke()
        self._times.append(((time.perf_counter() - started) * 1e3, (time.process_time() - worked) * 1e3))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._interpreter, name)


class Rig:
    """A pipeline under the clock."""

    def __init__(self, bundle: Bundle, level: str, effort: Effort) -> None:
        self.clock, self.effort = InvokeClock(), effort
        self.processor = FrameProcessor(Pipeline(bundle, level, wrap=self.clock.wrap))

    def stages(self, name: str, frame: Frame) -> schema.Stages:
        """Examine `frame` again and again; medians of each stage, and of the bare invokes."""
        self.processor.examine(frame)
        self.clock.take()
        rows, bare, finding, counts = defaultdict[str, list[float]](list), list[Span](), None, dict[str, list[Span]]()
        until, worked = time.perf_counter() + self.effort.seconds, list[float]()
        for turn in range(self.effort.repeats):
            before = time.process_time()
            finding = self.processor.examine(frame)
            worked.append((time.process_time() - before) * 1e3)
            counts = self.clock.take()
            spans = [span for times in counts.values() for span in times]
            bare.append((sum(wall for wall, _ in spans), sum(cpu for _, cpu in spans)))
            for stage, ms in finding.timing_ms.items():
                rows[stage].append(ms)
            if turn >= 2 and time.perf_counter() > until:
                break
        assert finding is not None
        # The overhead of each turn, then the median: a disturbed turn disturbs its invokes as well.
        shares = [total / wall - 1 for total, (wall, _) in zip(rows["total"], bare, strict=True)]
        cpu_shares = [total / cpu - 1 for total, (_, cpu) in zip(worked, bare, strict=True)]
        height, width = frame.image.shape[:2]
        return schema.Stages(
            name=name,
            megapixels=height * width / 1e6,
            cells=len(finding.cells),
            segmenter_invokes=len(counts["segmenter"]),
            classifier_invokes=len(counts["classifier"]),
            stage_ms={stage: float(np.median(times)) for stage, times in rows.items() if stage != "total"},
            invokes_ms=float(np.median([wall for wall, _ in bare])),
            total_ms=float(np.median(rows["total"])),
            overhead=float(np.median(shares)),
            cpu_ms=float(np.median(worked)),
            invokes_cpu_ms=float(np.median([cpu for _, cpu in bare])),
            cpu_overhead=float(np.median(cpu_shares)),
            n=len(bare),
        )

    def close(self) -> None:
        """Free the models."""
        self.processor.close()


def drawn_frame(cells: int = CELLS, pixel_size_um: float | None = PIXEL_SIZE_UM) -> Frame:
    """Draw the frame of `SENSOR` with `cells` leukocytes."""
    drawn = render("Pre", 1, SENSOR, PIXEL_SIZE_UM, cells=cells)
    return Frame(drawn.image, "bench", pixel_size_um)


def stage_rows(rig: Rig, field: np.ndarray) -> list[schema.Stages]:
    """Measure the stages of a whole field, and of a camera frame of known scale."""
    return [
        rig.stages("field of the data set", Frame(field, "bench")),
        rig.stages(f"camera frame, {CELLS} cells drawn", drawn_frame()),
    ]


def live_rows(rig: Rig, frame: Frame, scratch: Path, say: Say) -> list[schema.Live]:
    """Measure capture to result and to screen with a simulated and a file camera, one frame after the other."""
    for i in range(3):
        write_image(scratch / "fields" / f"{i}.png", np.roll(frame.image, i * 400, axis=1))
    height, width = frame.image.shape[:2]
    found = []
    for name in (f"files:{scratch / 'fields'}", "simulated:1?class=Pre"):
        say(f"capture to screen, {name.split(':')[0]} camera", 0.5)
        found.append(_live(rig, name, (width, height), scratch / name.split(":")[0]))
    return found


def _live(rig: Rig, name: str, size: tuple[int, int], folder: Path) -> schema.Live:
    repeats = rig.effort.repeats if name.startswith("simulated") else 3
    rows, results, screens, began = defaultdict[str, list[float]](list), list[float](), list[float](), 0.0
    display, tracker, tally = open_display("none"), FieldTracker(), SlideTally()
    compose(ScreenState())  # what never changes is drawn once
    camera = open_camera(name, pixel_size_um=PIXEL_SIZE_UM, size=size)
    with Store.record(folder) as store:
        slide = store.start_slide("bench", simulated=True)
        began = time.perf_counter()
        for _ in range(repeats):
            with _timed(rows["capture"]):
                frame = camera.read(_NIGH_S)
            taken = time.perf_counter()
            finding = rig.processor.examine(frame)
            results.append((time.perf_counter() - taken) * 1e3)
            for stage, ms in finding.timing_ms.items():
                rows[stage].append(ms)
            with _timed(rows["tally"]):
                view = describe(frame.image)
                if tracker.find(view) is None:
                    tracker.remember(view)
                tally = tally.add(finding)
            with _timed(rows["store"]):
                store.add_field(slide, frame, finding)
            with _timed(rows["compose"]):
                screen = compose(_state(frame, finding, tally))
            with _timed(rows["show"]):
                display.show(screen)
            screens.append((time.perf_counter() - taken) * 1e3)
        spent = time.perf_counter() - began
    camera.close()
    rig.clock.take()
    return schema.Live(
        camera=name.split(":")[0],
        megapixels=size[0] * size[1] / 1e6,
        to_result=latency_of(results),
        to_screen=latency_of(screens),
        fields_per_s=len(results) / spent,
        stage_ms={stage: float(np.median(times)) for stage, times in rows.items() if stage != "total"},
        rss_mb=resident_mb(),
    )


def _state(frame: Frame, finding: Finding, tally: SlideTally) -> ScreenState:
    return ScreenState(
        frame=frame, finding=finding, fields_per_s=1.0, camera=frame.source, simulated=True, slide="bench",
        accepted=tally.accepted, refused=tally.refused,
    )  # fmt: skip


@contextmanager
def _timed(into: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    into.append((time.perf_counter() - started) * 1e3)


def growth(rig: Rig, mode: str, scratch: Path, say: Say) -> list[schema.Growth]:
    """Measure how times grow with cells in the field, with the size of the frame, and with what is stored."""
    cells, sizes, records = _CELL_COUNTS[mode], _MEGAPIXELS[mode], _RECORDS[mode]
    return [
        schema.Growth(of="cells", unit="leukocytes drawn in the field", points=tuple(_by_cells(rig, cells, say))),
        schema.Growth(of="megapixels", unit="megapixels of the same field", points=tuple(_by_size(rig, sizes, say))),
        schema.Growth(
            of="records", unit="records stored before", points=tuple(_by_records(rig, records, scratch, say))
        ),
    ]


def _point(at: float, stages: schema.Stages) -> schema.Point:
    rest = stages.stage_ms | {"invokes": stages.invokes_ms, "total": stages.total_ms}
    return schema.Point(at=at, values=rest)


def _by_cells(rig: Rig, counts: tuple[int, ...], say: Say) -> Iterator[schema.Point]:
    for i, count in enumerate(counts):
        say(f"{count} cells in a field", i / len(counts))
        yield _point(count, rig.stages("", drawn_frame(count)))


def _by_size(rig: Rig, sizes: tuple[float, ...], say: Say) -> Iterator[schema.Point]:
    """The same field on ever finer sensors: the models see as much, the rest grows."""
    image = drawn_frame().image
    for i, megapixels in enumerate(sizes):
        say(f"{megapixels} megapixels", i / len(sizes))
        scale = float(np.sqrt(megapixels * 1e6 / (SENSOR[0] * SENSOR[1])))
        scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        yield _point(megapixels, rig.stages("", Frame(scaled, "bench", PIXEL_SIZE_UM / scale)))


def _by_records(rig: Rig, counts: tuple[int, ...], scratch: Path, say: Say) -> Iterator[schema.Point]:
    """Record and list one field in stores that hold ever more."""
    from benchmarks.store_fixture import fill

    frame = drawn_frame(3)
    finding = rig.processor.examine(frame)
    rig.clock.take()
    with tempfile.TemporaryDirectory(dir=scratch) as folder, Store.record(Path(folder)) as store:
        slide = store.start_slide("bench", simulated=True)
        store.add_field(slide, frame, finding)
        for i, count in enumerate(counts):
            say(f"{count} stored records", i / len(counts))
            fill(Path(folder), count)
            yield schema.Point(
                at=count,
                values={
                    "store": _median_ms(lambda: store.add_field(slide, frame, finding), rig.effort.repeats),
                    "list slides": _median_ms(store.slides, rig.effort.repeats),
                    "list fields": _median_ms(lambda: store.latest_fields(slide), rig.effort.repeats),
                },
            )


def _median_ms(step: Callable[[], object], repeats: int) -> float:
    times = list[float]()
    for _ in range(repeats):
        with _timed(times):
            step()
    return float(np.median(times))
