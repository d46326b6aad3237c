"""Writes a result as files: JSON, Markdown, HTML, and its part of a README."""

import re
from pathlib import Path

from markupsafe import Markup

from benchmarks.reporting.plots import plots_of
from benchmarks.reporting.report import TITLE, details, report, summary
from benchmarks.schema import BenchmarkError, Result, read_result
from smear.images import write_atomic
from smear.templating import render
from train.reporting.page import Heading, blocks_to_markdown

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
README_PLOT = Path("docs", "bench.svg")  # below the README's folder
SPEED_PAGE = Path("docs", "reference", "speed.md")  # the same


def make_folder(folder: Path) -> None:
    """Create `folder`; called before anything is measured, as a run of an hour must not fail at its end.

    Raises:
        BenchmarkError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchmarkError(f"cannot create {folder}: {error.strerror}; choose another --out") from error


def write(result: Result, folder: Path) -> list[Path]:
    """Write result.json, result.md and result.html into `folder`; return their paths."""
    contents = {
        "result.json": result.model_dump_json(indent=1) + "\n",
        "result.md": f"# {TITLE}\n\n{blocks_to_markdown(report(result))}",
        "result.html": page(result),
    }
    for name, text in contents.items():
        write_atomic(folder / name, text.encode())
    return [folder / name for name in contents]


def page(result: Result) -> str:
    """Return the report with its plots as one HTML file that loads nothing else."""
    # matplotlib escapes the texts in its SVG; the XML declaration before it does not belong into HTML.
    plots = [Markup(svg[svg.index("<svg") :]) for svg in plots_of(result).values()]
    blocks = report(result)
    first = next(i for i, block in enumerate(blocks) if isinstance(block, Heading))
    parts = {"introduction": blocks[:first], "blocks": blocks[first:]}
    return render("benchmarks.reporting", "result.html", title=TITLE, plots=plots, **parts)


def keep(result: Result, folder: Path) -> Path:
    """Write `result` to the file of this machine in `folder`; return its path.

    Raises:
        BenchmarkError: the file there is of an undisturbed run, and this run was disturbed.
    """
    env = result.environment
    parts = re.findall("[a-z0-9]+", f"{env.machine} {env.cpu} {env.cpus}".lower())
    path = folder / f"{'-'.join(parts)}.json"
    if env.warnings and path.is_file() and not read_result(path).environment.warnings:
        raise BenchmarkError(f"{path}: kept as it was measured undisturbed; this run was {env.warnings[0]}")
    make_folder(folder)
    write_atomic(path, (result.model_dump_json(indent=1) + "\n").encode())
    return path


def write_readme(result: Result, readme: Path) -> None:
    """Write the short table and the plot between the two markers in `readme`, and the long tables into `SPEED_PAGE`.

    Raises:
        BenchmarkError: a file or its markers are missing, or nothing was measured end to end.
    """
    plot = plots_of(result).get("latency")
    if plot is None:
        raise BenchmarkError(f"{readme}: unchanged, as nothing was measured end to end ({'; '.join(result.faults)})")
    speed_page, plot_file = readme.parent / SPEED_PAGE, readme.parent / README_PLOT
    image = f"\n![Time of one field, from frame to finding, by level]({README_PLOT.as_posix()})\n"
    texts = {
        readme: _filled(readme, blocks_to_markdown(summary(result)) + image),
        speed_page: _filled(speed_page, "\n" + blocks_to_markdown(details(result)) + "\n"),
    }
    make_folder(plot_file.parent)
    write_atomic(plot_file, plot.encode())
    for path, text in texts.items():
        write_atomic(path, text.encode())


def _filled(path: Path, part: str) -> str:
    """Return the text of the Markdown file at `path` with `part` between its markers."""
    try:
        before, rest = path.read_text(encoding="utf-8").split(BEGIN, 1)
        _, after = rest.split(END, 1)
    except (OSError, ValueError):
        raise BenchmarkError(f"{path}: has no lines {BEGIN} and {END} to write between; add them") from None
    return f"{before}{BEGIN}\n{part}{END}{after}"
