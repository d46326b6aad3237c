"""One result as a self-contained HTML page."""

from markupsafe import Markup

from benchmarks.reporting.plots import plots_of
from benchmarks.reporting.report import TITLE, report
from benchmarks.schema import Result
from smear.templating import render
from train.reporting.page import Heading


def page(result: Result) -> str:
    """Return the report with its plots as one HTML file that loads nothing else."""
    # matplotlib escapes the texts in its SVG; the XML declaration before it does not belong into HTML.
    plots = [Markup(svg[svg.index("<svg") :]) for svg in plots_of(result).values()]
    blocks = report(result)
    first = next(i for i, block in enumerate(blocks) if isinstance(block, Heading))
    parts = {"introduction": blocks[:first], "blocks": blocks[first:]}
    return render("benchmarks.reporting", "result.html", title=TITLE, plots=plots, **parts)
