"""One result as a self-contained HTML page."""

from markupsafe import Markup

from benchmarks.reporting.plots import plots_of
from benchmarks.reporting.report import report
from benchmarks.schema import Result
from smear.templating import render

TEMPLATE = "result.html"


def page(result: Result) -> str:
    """Return the report with its plots as one HTML file that loads nothing else."""
    # matplotlib escapes the texts in its SVG; the XML declaration before it does not belong into HTML.
    plots = [Markup(svg[svg.index("<svg") :]) for svg in plots_of(result).values()]
    return render("benchmarks.reporting", TEMPLATE, document=report(result), plots=plots)
