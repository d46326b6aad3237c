"""How long `slides list` and `slides show` take as the store fills, up to a million fields."""

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.store_fixture import fill
from device.store import Store
from device.store.database import DATABASE
from smear.classes import LABELS
from smear.findings import Cell, Finding, Frame, Quality
from smear.synthetic import render

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
ALLOWED_MS = 50.0  # of 95 in a hundred queries
FIELDS_A_SLIDE = 1_000  # a thorough count of a smear
LARGE_SHARE = 0.1  # of all records, in the newest slide: a device that nobody starts a new slide on
CELLS = 8  # in each field: enough that the table of cells is the larger one
QUERIES, PROCESSES = 200, 12


@dataclass(frozen=True, slots=True)
class Timing:
    """One question asked again and again of a store with `records` fields."""

    records: int
    what: str
    n: int
    p50_ms: float
    p95_ms: float
    cpu_p95_ms: float  # of processor time: what other processes disturb least


def build(folder: Path, records: int) -> None:
    """Bring the store in `folder` to `records` fields of eight cells, spread over slides, the newest the largest."""
    with Store.record(folder) as store:
        if not store.slides():
            slide = store.start_slide("first", simulated=True)
            store.add_field(slide, *_seen())
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
        database.execute("DELETE FROM slide_counts")
        database.execute(
            "INSERT INTO slide_counts SELECT slide_id, 'label', label, count(*) FROM fields GROUP BY slide_id, label"
            " UNION ALL SELECT slide_id, 'count', 'cells', sum(cell_count) FROM fields GROUP BY slide_id"
        )
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def queries(store: Store) -> dict[str, Callable[[], object]]:
    """Return what `slides list` and `slides show` ask, at the ends and in the middle of the store."""
    newest = store.slides(1)[0].id
    middle = newest // 2 + 1
    deep = store.latest_fields(newest, 1)[0].id - 50

    def show(slide: int, after: int = 0) -> Callable[[], object]:
        return lambda: (store.slide(slide), store.fields(slide, 20, after))

    return {
        "list, newest": store.slides,
        "list, from the middle": lambda: store.slides(20, middle),
        "show, a usual slide": show(middle),
        "show, the largest slide": show(newest),
        "show, the end of the largest": show(newest, deep),
    }


def measure(folder: Path, records: int) -> list[Timing]:
    """Ask every question of the store in `folder` in this process, and through the command in its own."""
    with Store.read(folder) as store:
        found = [_timed(records, what, ask, QUERIES) for what, ask in queries(store).items()]
        newest = store.slides(1)[0].id
    for words in (["slides", "list"], ["slides", "show", str(newest)]):
        command = [sys.executable, "-m", "device", words[0], "--data", str(folder), *words[1:]]
        found.append(_timed(records, f"whole command: {' '.join(words[:2])}", lambda c=command: _run(c), PROCESSES))
    return found


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])


def _timed(records: int, what: str, step: Callable[[], object], n: int) -> Timing:
    wall, cpu = list[float](), list[float]()
    step()  # the first one reads the file; a device that runs has it in memory
    for _ in range(n):
        began, worked = time.perf_counter(), _worked_s()
        step()
        wall.append((time.perf_counter() - began) * 1e3)
        cpu.append((_worked_s() - worked) * 1e3)
    p50, p95 = np.percentile(wall, [50, 95])
    return Timing(records, what, n, float(p50), float(p95), float(np.percentile(cpu, 95)))


def _worked_s() -> float:
    """Return the processor seconds of this process and of those that it started and saw end."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _seen() -> tuple[Frame, Finding]:
    """Return one small field with its finding."""
    drawn = render("Pre", 1)
    chances = dict.fromkeys(LABELS, 0.1) | {"Pre": 0.7}
    outline = np.array([[0, 0], [9, 0], [9, 9]], np.int32)
    cell = Cell((1, 2, 10, 12), (6.0, 8.0), 95.0, 40.0, 0.8, 0.9, outline, False, tuple(chances.values()))
    quality = Quality(focus=0.1, clipped=0.0, brightness=0.8, cell_share=0.1, ood_score=1.0)
    finding = Finding(
        label="Pre", top="Pre", probabilities=chances, refusals=(), cells=(cell,) * CELLS, mask=drawn.mask,
        quality=quality, timing_ms={"segment": 12.0}, bundle_sha256="0" * 64, level="int8", runtime="bench",
    )  # fmt: skip
    return Frame(drawn.image, "bench", wall_time_s=1e9), finding


@click.command("records")
@click.option("--records", "most", default=COUNTS[-1], show_default=True, type=click.IntRange(1_000), help="The most.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the store there.  [default: a temporary folder]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON file for the figures.")
@click.pass_context
def command(ctx: click.Context, most: int, folder: Path | None, out: Path | None) -> None:
    """Time `slides list` and `slides show` from a thousand to a million fields. Ends with code 3 over 50 ms."""
    console, found = Console(stderr=True), list[Timing]()
    with tempfile.TemporaryDirectory(prefix="smearscope-records-") as scratch:
        home = folder or Path(scratch)
        for count in [count for count in COUNTS if count < most] + [most]:
            began = time.monotonic()
            build(home, count)
            size = (home / DATABASE).stat().st_size / 1e6
            console.print(f"{count} fields in {time.monotonic() - began:.1f} s, {size:.0f} MB", highlight=False)
            found += measure(home, count)
    if out is not None:
        out.write_text(json.dumps([asdict(timing) for timing in found], indent=1), encoding="utf-8")
    lines = Table("fields stored", "question", "n", "p50 ms", "p95 ms", "p95 of processor ms")
    for timing in found:
        figures = (f"{value:.2f}" for value in (timing.p50_ms, timing.p95_ms, timing.cpu_p95_ms))
        lines.add_row(str(timing.records), timing.what, str(timing.n), *figures)
    Console().print(lines)
    slow = [timing for timing in found if timing.p95_ms >= ALLOWED_MS and not timing.what.startswith("whole")]
    for timing in slow:
        click.echo(f"smearscope: {timing.what} with {timing.records} fields takes {timing.p95_ms:.0f} ms", err=True)
    if slow:
        ctx.exit(3)
