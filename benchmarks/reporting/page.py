"""One result as a self-contained HTML page, and its plots as SVG."""

import html
import io
import re
from typing import TYPE_CHECKING

from benchmarks.reporting import markdown as report
from benchmarks.schema import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #1c2128 }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
td, th { border: 1px solid #c8ccd2; padding: .25rem .6rem; text-align: left; white-space: nowrap }
th { background: #eef0f3 } svg { max-width: 100%; height: auto }
"""


def page(result: Result) -> str:
    """Return the report with its plots as one HTML file that needs nothing else."""
    plots = "\n".join(f"<figure>{svg[svg.index('<svg') :]}</figure>" for svg in plots_of(result).values())
    body = _to_html(report.markdown(result))
    first, rest = body.split("<h2>", 1)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Smearscope benchmark</title>'
        f"<style>{_STYLE}</style>{first}{plots}<h2>{rest}</html>\n"
    )


def plots_of(result: Result) -> dict[str, str]:
    """Return every plot that the result has figures for, by name, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    drawn = {"latency": _latency(result), "accuracy": _accuracy(result), "stages": _stages(result)}
    drawn |= {f"growth-{each.of}": _growth(result, i) for i, each in enumerate(result.growth)}
    return {name: _svg(figure) for name, figure in drawn.items() if figure is not None}


def _figure(title: str, height: float = 3.6) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    figure.add_subplot().set_title(title)
    return figure


def _svg(figure: "Figure") -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _latency(result: Result) -> "Figure | None":
    rows = [pair for pair in result.pairs if pair.latency is not None]
    if not rows:
        return None
    figure = _figure("Frame in, finding out: p50, the line to p99", 1.4 + 0.4 * len(rows))
    axes = figure.axes[0]
    for i, pair in enumerate(reversed(rows)):
        assert pair.latency is not None
        axes.barh(i, pair.latency.p50_ms, color="#7a4f9e" if pair.key.startswith("bundle/") else "#9aa4b1")
        axes.plot((pair.latency.p50_ms, pair.latency.p99_ms), (i, i), color="#1c2128", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{p.name}\n{p.level}, {p.runtime}" for p in reversed(rows)], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds")
    return figure


def _accuracy(result: Result) -> "Figure | None":
    rows = [pair for pair in result.pairs if pair.latency is not None and "accuracy" in pair.figures]
    if not rows:
        return None
    figure = _figure("Accuracy against latency")
    axes = figure.axes[0]
    for pair in rows:
        assert pair.latency is not None
        each = pair.figures["accuracy"]
        below, above = each.value - (each.low or each.value), (each.high or each.value) - each.value
        axes.errorbar(pair.latency.p50_ms, each.value, yerr=[[max(0, below)], [max(0, above)]], fmt="o", capsize=3)
        axes.annotate(f" {pair.level}, {pair.runtime}", (pair.latency.p50_ms, each.value), fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds a field, p50")
    axes.set_ylabel("accuracy, with its interval")
    return figure


def _stages(result: Result) -> "Figure | None":
    rows = [(s.name, s.stage_ms) for s in result.stages]
    rows += [(f"{each.camera} camera to screen", each.stage_ms) for each in result.live]
    if not rows:
        return None
    figure = _figure("Share of each stage", 1.4 + 0.5 * len(rows))
    axes = figure.axes[0]
    names = list(dict.fromkeys(name for _, stages in rows for name in stages if name != "capture"))
    left = [0.0] * len(rows)
    for name in names:
        wide = [s.get(name, 0.0) / sum(v for k, v in s.items() if k != "capture") for _, s in rows]
        axes.barh(range(len(rows)), wide, left=left, label=name)
        left = [a + b for a, b in zip(left, wide, strict=True)]
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.legend(ncols=len(names), fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return figure


def _growth(result: Result, index: int) -> "Figure":
    each = result.growth[index]
    figure = _figure(f"Milliseconds by {each.unit}")
    axes = figure.axes[0]
    for name in each.points[0].values:
        axes.plot([p.at for p in each.points], [p.values[name] for p in each.points], marker="o", label=name)
    axes.set_xscale("log")
    axes.set_xlabel(each.unit)
    axes.legend(fontsize=7)
    return figure


def _to_html(markdown: str) -> str:
    """Turn the Markdown that `benchmarks.reporting.markdown` writes (headings, paragraphs, tables, bold) into HTML."""
    return "\n".join(_block(block) for block in markdown.strip().split("\n\n"))


def _block(block: str) -> str:
    if block.startswith("#"):
        marks, text = block.split(" ", 1)
        return f"<h{len(marks)}>{_inline(text)}</h{len(marks)}>"
    if not block.startswith("|"):
        return f"<p>{_inline(block)}</p>"
    head, _, *rows = [line.strip("| ").split(" | ") for line in block.splitlines()]
    titles = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _inline(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text))
