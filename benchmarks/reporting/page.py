"""One result as a self-contained HTML page."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.reporting.plots import plots_of
from benchmarks.reporting.report import report
from benchmarks.schema import Result

TEMPLATE = "result.html"


def page(result: Result) -> str:
    """Return the report with its plots as one HTML file that loads nothing else."""
    templates = Environment(loader=PackageLoader("benchmarks.reporting"), autoescape=True, undefined=StrictUndefined)
    # matplotlib escapes the texts in its SVG; the XML declaration before it does not belong into HTML.
    plots = [Markup(svg[svg.index("<svg") :]) for svg in plots_of(result).values()]
    return templates.get_template(TEMPLATE).render(document=report(result), plots=plots) + "\n"
