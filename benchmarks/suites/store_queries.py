"""Times the queries of `slides list`, `slides show` and `cells list` as the store grows, up to a million fields."""

import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.interleaved import ROOT
from benchmarks.progress import OnProgress
from benchmarks.store_fixture import fill
from device.store import Store
from device.store.database import DATABASE
from smear.classes import LABELS
from smear.findings import Cell, Finding, Frame, Quality
from smear.synthetic import render

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
ALLOWED_MS = 50.0  # 95th percentile of a query
FIELDS_A_SLIDE = 1_000  # a thorough count of a smear
LARGE_SHARE = 0.1  # of all records, in the newest slide: a device on which nobody starts a new slide
CELLS = 8  # in each field: enough that the table of cells is the larger one
QUERIES, PROCESSES = 200, 12  # repeats of a query in this process, and of a whole command
WHOLE_COMMAND = "whole command"


@dataclass(frozen=True, slots=True)
class Timing:
    """One query repeated on a store with `records` fields."""

    records: int
    what: str
    n: int
    p50_ms: float
    p95_ms: float
    cpu_p95_ms: float  # of processor time, which other processes disturb least


def build(folder: Path, records: int) -> None:
    """Fill the store in `folder` up to `records` fields of eight cells each; the newest slide is the largest."""
    with Store.record(folder) as store:
        if not store.slides():
            slide = store.start_slide("first", simulated=True)
            store.add_field(slide, *_example())
    fill(folder, records)
    large = max(1, int(records * LARGE_SHARE))
    slides = max(1, (records - large) // FIELDS_A_SLIDE)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= ?)"
            " INSERT OR IGNORE INTO slides (id, name, started_s, ended_s, simulated)"
            " SELECT i, 'slide ' || i, 1e9 + 1e4 * i, 1e9 + 1e4 * i + 900, 1 FROM n",
            (slides,),
        )
        database.execute(
            "UPDATE fields SET slide_id = min(1 + (id - 1) / ?, ?)", ((records - large) // slides, slides + 1)
        )
        # Opinions of all strengths, and a cell in twenty that a person classified.
        database.execute(
            "UPDATE cells SET slide_id = (SELECT slide_id FROM fields WHERE id = field_id),"
            " opinion_p = (field_id * 7919 + number * 104729) % 1000 / 1000.0,"
            " cell_class = iif((field_id * 8 + number) % 20, NULL, 'blast')"
        )
        database.execute("DELETE FROM slide_counts")
        database.execute(
            "INSERT INTO slide_counts SELECT slide_id, 'label', label, count(*) FROM fields GROUP BY slide_id, label"
            " UNION ALL SELECT slide_id, 'count', 'cells', sum(cell_count) FROM fields GROUP BY slide_id"
            " UNION ALL SELECT slide_id, 'bundle', bundle_sha256, count(*) FROM fields GROUP BY slide_id, bundle_sha256"
        )
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def queries(store: Store) -> dict[str, Callable[[], object]]:
    """Return queries of `slides list`, `slides show` and `cells list`, at the ends and in the middle of the store."""
    newest = store.slides(1)[0].id
    middle = newest // 2 + 1
    deep = store.latest_fields(newest, 1)[0].id - 50

    def show(slide: int, after: int = 0) -> Callable[[], object]:
        return lambda: (store.slide(slide), store.fields(slide, 20, after))

    return {
        "list, newest": store.slides,
        "list, from the middle": lambda: store.slides(20, middle),
        "show, an ordinary slide": show(middle),
        "show, the largest slide": show(newest),
        "show, the end of the largest": show(newest, deep),
        "cells in the order taken": lambda: store.browse(newest, after=(deep, 0)),
        "cells by opinion": lambda: store.browse(newest, order="opinion", after=(deep, 0)),
        "cells of one class": lambda: store.browse(newest, cell_class="blast", order="opinion", after=(deep, 0)),
        "cells that nobody classified": lambda: store.browse(newest, unclassified=True, after=(deep, 0)),
    }


def measure(folder: Path, records: int) -> list[Timing]:
    """Time every query of the store in `folder` in this process, and the whole commands."""
    with Store.read(folder) as store:
        found = [_timed(records, what, query, QUERIES) for what, query in queries(store).items()]
        newest = store.slides(1)[0].id
    for action in (["list"], ["show", str(newest)]):
        command = [sys.executable, "-m", "device", "slides", "--data", str(folder), *action]
        run = partial(subprocess.run, command, check=True, capture_output=True, cwd=ROOT)
        name = f"{WHOLE_COMMAND}: slides {action[0]}"
        found.append(_timed(records, name, run, PROCESSES))
    return found


def measure_stores(folder: Path, most: int, on_progress: OnProgress) -> list[Timing]:
    """Fill the store in `folder` step by step up to `most` fields, and time every query at each step."""
    found = list[Timing]()
    counts = [count for count in COUNTS if count < most] + [most]
    for i, count in enumerate(counts):
        on_progress(f"filling the store up to {count} fields", i / len(counts))
        build(folder, count)
        size_mb = (folder / DATABASE).stat().st_size / 1e6
        on_progress(f"queries with {count} fields, {size_mb:.0f} MB", (i + 0.5) / len(counts))
        found += measure(folder, count)
    return found


def too_slow(timings: Iterable[Timing]) -> list[str]:
    """Return the queries over the limit, as sentences; whole commands have none."""
    return [
        f"{timing.what} with {timing.records} fields takes {timing.p95_ms:.0f} ms; allowed {ALLOWED_MS:g}"
        for timing in timings
        if timing.p95_ms >= ALLOWED_MS and not timing.what.startswith(WHOLE_COMMAND)
    ]


def _timed(records: int, what: str, step: Callable[[], object], n: int) -> Timing:
    wall, cpu = list[float](), list[float]()
    step()  # the first one reads the file, which a running device has in memory
    for _ in range(n):
        began, cpu_before = time.perf_counter(), _cpu_s()
        step()
        wall.append((time.perf_counter() - began) * 1e3)
        cpu.append((_cpu_s() - cpu_before) * 1e3)
    p50, p95 = np.percentile(wall, [50, 95])
    return Timing(records, what, n, float(p50), float(p95), float(np.percentile(cpu, 95)))


def _cpu_s() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _example() -> tuple[Frame, Finding]:
    """Return one small field with its finding."""
    drawn = render("Pre", 1)
    probabilities = dict.fromkeys(LABELS, 0.1) | {"Pre": 0.7}
    outline = np.array([[0, 0], [9, 0], [9, 9]], np.int32)
    cell = Cell((1, 2, 10, 12), (6.0, 8.0), 95.0, 40.0, 0.8, 0.9, outline, False, tuple(probabilities.values()))
    quality = Quality(focus=0.1, clipped=0.0, brightness=0.8, cell_share=0.1, ood_score=1.0)
    finding = Finding(
        label="Pre", top="Pre", probabilities=probabilities, refusals=(), cells=(cell,) * CELLS, mask=drawn.mask,
        quality=quality, timing_ms={"segment": 12.0}, bundle_sha256="0" * 64, level="int8", runtime="bench",
    )  # fmt: skip
    return Frame(drawn.image, "bench", wall_time_s=1e9), finding
