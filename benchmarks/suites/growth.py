"""Measures how times grow with the cells in a field, with the size of the frame, and with what is stored."""

import tempfile
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from benchmarks import schema
from benchmarks.progress import OnProgress
from benchmarks.store_fixture import fill
from benchmarks.suites.end_to_end import PIXEL_SIZE_UM, SENSOR, TimedProcessor, drawn_frame
from device.store import Store
from smear.findings import Frame

CELL_COUNTS = {"quick": (1, 20, 100), "full": (1, 3, 10, 20, 48, 100, 200, 300)}
MEGAPIXELS = {"quick": (0.3, 1.5), "full": (0.3, 0.75, 1.5, 3.0, 6.0, 12.0)}
RECORDS = {"quick": (1_000, 10_000), "full": (1_000, 10_000, 100_000, 1_000_000)}


def growth(processor: TimedProcessor, mode: str, scratch: Path, on_progress: OnProgress) -> list[schema.Growth]:
    """Measure the three growth curves."""
    cells = _by_cells(processor, CELL_COUNTS[mode], on_progress)
    sizes = _by_size(processor, MEGAPIXELS[mode], on_progress)
    records = _by_records(processor, RECORDS[mode], scratch, on_progress)
    return [
        schema.Growth(of="cells", unit="leukocytes drawn in the field", points=tuple(cells)),
        schema.Growth(of="megapixels", unit="megapixels of the same field", points=tuple(sizes)),
        schema.Growth(of="records", unit="records stored before", points=tuple(records)),
    ]


def _point(at: float, stages: schema.Stages) -> schema.Point:
    return schema.Point(at=at, values=stages.stage_ms | {"invokes": stages.invokes_ms, "total": stages.total_ms})


def _by_cells(processor: TimedProcessor, counts: tuple[int, ...], on_progress: OnProgress) -> Iterator[schema.Point]:
    for i, count in enumerate(counts):
        on_progress(f"{count} cells in a field", i / len(counts))
        yield _point(count, processor.stages("", drawn_frame(count)))


def _by_size(processor: TimedProcessor, sizes: tuple[float, ...], on_progress: OnProgress) -> Iterator[schema.Point]:
    """The same field on ever finer sensors: the input of the models stays the same, the rest grows."""
    image = drawn_frame().image
    for i, megapixels in enumerate(sizes):
        on_progress(f"{megapixels} megapixels", i / len(sizes))
        scale = float(np.sqrt(megapixels * 1e6 / (SENSOR[0] * SENSOR[1])))
        scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        yield _point(
            megapixels, processor.stages("", Frame(np.asarray(scaled, np.uint8), "bench", PIXEL_SIZE_UM / scale))
        )


def _by_records(
    processor: TimedProcessor, counts: tuple[int, ...], scratch: Path, on_progress: OnProgress
) -> Iterator[schema.Point]:
    """Record and list one field in stores that hold ever more."""
    processed = processor.processor.process(drawn_frame(3))
    frame, finding, repeats = processed.frame, processed.finding, processor.effort.repeats
    with tempfile.TemporaryDirectory(dir=scratch) as folder, Store.record(Path(folder)) as store:
        slide = store.start_slide("bench", simulated=True)
        store.add_field(slide, frame, finding)
        for i, count in enumerate(counts):
            on_progress(f"{count} stored records", i / len(counts))
            fill(Path(folder), count)
            yield schema.Point(
                at=count,
                values={
                    "store": _median_ms(lambda: store.add_field(slide, frame, finding), repeats),
                    "list slides": _median_ms(store.slides, repeats),
                    "list fields": _median_ms(lambda: store.latest_fields(slide), repeats),
                },
            )


def _median_ms(step: Callable[[], object], repeats: int) -> float:
    return median(timeit.repeat(step, number=1, repeat=repeats)) * 1e3
