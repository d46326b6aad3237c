"""Measures where the time of one frame goes, from frame to finding."""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks import schema
from benchmarks.interleaved import Effort
from benchmarks.suites.invoke_timer import InvokeTimer, Span
from device.system.memory import share_one_heap
from smear.bundle.folder import Bundle
from smear.bundle.manifest import Role
from smear.findings import Frame
from smear.imaging.pixel_size import SteadyScale
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.synthetic import render

SENSOR = (1088, 1456)  # height and width of the Pi's global shutter camera: 1.58 megapixels
PIXEL_SIZE_UM = 0.25  # of SENSOR with a 40x objective, as in the simulated camera
CELLS = 20  # leukocytes in the field for which the overhead is stated


class TimedProcessor:
    """The device's own frame processor on one thread, with the invokes of its models timed."""

    def __init__(self, bundle: Bundle, level: str, effort: Effort) -> None:
        self.timer, self.effort = InvokeTimer(bundle, level), effort
        share_one_heap()  # as the device does: otherwise each large picture is paid for with page faults
        self.processor = FrameProcessor(Pipeline(bundle, level, wrap=self.timer.wrap))
        self.live = FrameProcessor(self.processor.pipeline, estimate_scale=SteadyScale().estimate)

    def stages(self, name: str, frame: Frame, live: bool = False) -> schema.Stages:
        """Process `frame` again and again; return the medians of each stage and of the bare invokes.

        With `live` it is the same view of a camera at rest, whose scale is checked once.
        """
        processor = self.live if live else self.processor
        finding = processor.process(frame).finding
        timings, cpu_ms, invokes = list[dict[str, float]](), list[float](), list[dict[Role, list[Span]]]()
        self.timer.take()
        until = time.perf_counter() + self.effort.seconds
        for turn in range(self.effort.repeats):
            cpu_before = time.process_time()
            finding = processor.process(frame).finding
            cpu_ms.append((time.process_time() - cpu_before) * 1e3)
            timings.append(finding.timing_ms)
            invokes.append(self.timer.take())
            if turn >= 2 and time.perf_counter() > until:
                break
        bare = [_sum(chain.from_iterable(each.values())) for each in invokes]
        total_ms = [timing["total"] for timing in timings]
        height, width = frame.image.shape[:2]
        return schema.Stages(
            name=name,
            megapixels=height * width / 1e6,
            cells=len(finding.cells),
            segmenter_invokes=len(invokes[-1]["segmenter"]),
            classifier_invokes=len(invokes[-1]["classifier"]),
            stage_ms=median_stages(timings),
            invokes_ms=median(span.wall_ms for span in bare),
            total_ms=median(total_ms),
            # The overhead of each turn, then the median: whatever disturbs a turn disturbs its invokes as well.
            overhead=median(total / span.wall_ms - 1 for total, span in zip(total_ms, bare, strict=True)),
            cpu_ms=median(cpu_ms),
            invokes_cpu_ms=median(span.cpu_ms for span in bare),
            cpu_overhead=median(total / span.cpu_ms - 1 for total, span in zip(cpu_ms, bare, strict=True)),
            n=len(bare),
        )

    def close(self) -> None:
        """Free the models."""
        self.processor.close()


def median_stages(timings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median milliseconds of each stage in `timings`, in their order and without "total"."""
    stages: dict[str, list[float]] = {stage: [] for stage in max(timings, key=len)}  # a field without cells has fewer
    for timing in timings:
        for stage, ms in timing.items():
            stages.setdefault(stage, []).append(ms)
    return {stage: median(times) for stage, times in stages.items() if stage != "total"}


def drawn_frame(cells: int = CELLS) -> Frame:
    """Return a synthetic frame of the size of `SENSOR` with `cells` leukocytes."""
    return Frame(render("Pre", 1, SENSOR, PIXEL_SIZE_UM, cells=cells).image, "bench", PIXEL_SIZE_UM)


def stage_rows(processor: TimedProcessor, field: NDArray[np.uint8]) -> list[schema.Stages]:
    """Measure the stages of the whole field `field`, RGB uint8 (H, W, 3), and of a camera frame of known scale."""
    return [
        processor.stages("field of the data set", Frame(field, "bench")),
        processor.stages("field of the data set, live", Frame(field, "bench"), live=True),
        processor.stages(f"camera frame, {CELLS} cells drawn", drawn_frame()),
        processor.stages(f"camera frame, {CELLS} cells drawn, live", drawn_frame(), live=True),
    ]


def _sum(spans: Iterable[Span]) -> Span:
    wall_ms, cpu_ms = np.sum(list(spans), axis=0)
    return Span(float(wall_ms), float(cpu_ms))
