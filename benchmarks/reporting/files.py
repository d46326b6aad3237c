"""Writes a result where people and programs read it."""

import re
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.reporting import markdown
from benchmarks.reporting.page import page, plots_of
from benchmarks.schema import BenchmarkError, Result, read_result
from smear.images import write_atomic

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
README_PLOT = Path("docs", "bench.svg")  # below the README's folder
SPEED_PAGE = Path("docs", "reference", "speed.md")  # the same


def ready(folder: Path) -> None:
    """Make `folder` before anything is measured: a run of an hour must not fail at its end.

    Raises:
        BenchmarkError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchmarkError(f"cannot make {folder}: {error.strerror}; choose another --out") from error


def write(result: Result, folder: Path) -> list[Path]:
    """Write result.json, result.md and result.html into `folder`; return their paths."""
    contents = {
        "result.json": result.model_dump_json(indent=1) + "\n",
        "result.md": markdown.markdown(result),
        "result.html": page(result),
    }
    for name, text in contents.items():
        write_atomic(folder / name, text.encode())
    return [folder / name for name in contents]


def keep(result: Result, folder: Path) -> Path:
    """Write `result` as this machine's own file in `folder`; return its path.

    Raises:
        BenchmarkError: a disturbed run would replace one that was not.
    """
    env = result.environment
    words = re.findall("[a-z0-9]+", f"{env.machine} {env.cpu} {env.cpus}".lower())
    path = folder / f"{'-'.join(words)}.json"
    if env.warnings and path.is_file() and not read_result(path).environment.warnings:
        raise BenchmarkError(f"{path}: was measured undisturbed, and this run was {env.warnings[0]}")
    ready(folder)
    write_atomic(path, (result.model_dump_json(indent=1) + "\n").encode())
    return path


def write_readme(result: Result, readme: Path) -> None:
    """Write the short table and the plot between the two markers in `readme`, and the long tables into `SPEED_PAGE`.

    Raises:
        BenchmarkError: a file or its markers are missing, or nothing was measured end to end.
    """
    drawn = plots_of(result).get("latency")
    if drawn is None:
        raise BenchmarkError(f"{readme}: left as it is; nothing was measured end to end ({'; '.join(result.faults)})")
    page, plot = readme.parent / SPEED_PAGE, readme.parent / README_PLOT
    image = f"\n![Time of one field, from frame to finding, by level]({README_PLOT.as_posix()})\n"
    filled = [_filled(readme, markdown.summary(result) + image), _filled(page, "\n" + markdown.short(result) + "\n")]
    ready(plot.parent)
    write_atomic(plot, drawn.encode())
    for path, text in zip((readme, page), filled, strict=True):
        write_atomic(path, text.encode())


def _filled(path: Path, part: str) -> str:
    """Return the text of the Markdown file at `path` with `part` between its markers."""
    try:
        before, rest = path.read_text(encoding="utf-8").split(BEGIN, 1)
        _, after = rest.split(END, 1)
    except (OSError, ValueError):
        raise BenchmarkError(f"{path}: no lines {BEGIN} and {END} to write between; add them first") from None
    return f"{before}{BEGIN}\n{part}{END}{after}"


def show(result: Result, console: Console) -> None:
    """Print the end-to-end table, the stages and every warning."""
    head, rows = markdown.pair_table(result.pairs)
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for each in result.stages:
        stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in each.stage_ms.items())
        console.print(
            f"{each.name}: {each.total_ms:.1f} ms ({stages}), bare invokes {each.invokes_ms:.1f}, "
            f"overhead {each.overhead:.0%} ({each.cpu_overhead:.0%} in processor time)",
            highlight=False,
        )
    for warning in (*result.environment.warnings, *result.faults):
        console.print(f"take with care: {warning}", style="yellow", markup=False)
