"""The plots of a result, as SVG."""

import io
from typing import TYPE_CHECKING

from benchmarks.schema import Result

if TYPE_CHECKING:  # importing matplotlib takes most of a second
    from matplotlib.figure import Figure


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
    figure = _figure("End to end: p50, with a line to p99", 1.4 + 0.4 * len(rows))
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
    axes.set_xlabel("milliseconds per field, p50")
    axes.set_ylabel("accuracy, with its interval")
    return figure


def _stages(result: Result) -> "Figure | None":
    rows = [(s.name, s.stage_ms) for s in result.stages]
    rows += [(f"{each.camera} camera to screen", each.stage_ms) for each in result.live]
    if not rows:
        return None
    figure = _figure("Share of the time in each stage", 1.4 + 0.5 * len(rows))
    axes = figure.axes[0]
    names = list(dict.fromkeys(name for _, stages in rows for name in stages if name != "capture"))
    left = [0.0] * len(rows)
    for name in names:
        widths = [s.get(name, 0.0) / sum(v for k, v in s.items() if k != "capture") for _, s in rows]
        axes.barh(range(len(rows)), widths, left=left, label=name)
        left = [a + b for a, b in zip(left, widths, strict=True)]
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
