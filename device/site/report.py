"""A site check as one HTML page that needs no other file."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from device.site.agreement import MEANING, CheckedField, answers_of, figures_of, refusals_of
from device.site.certificate import SiteCertificate
from smear import RESEARCH_USE_ONLY, __version__
from smear.classes import LABELS


def page(
    certificate: SiteCertificate, fields: Sequence[CheckedField], shortfalls: Sequence[str], notes: Sequence[str]
) -> str:
    """Return the report; `certificate` is a draft without an id where the site fell short."""
    templates = Environment(
        loader=PackageLoader("device.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    wrong = [each for each in fields if each.label not in (None, each.kind)]
    return templates.get_template("site.html").render(
        research_use_only=RESEARCH_USE_ONLY,
        version=__version__,
        certificate=certificate,
        shortfalls=shortfalls,
        notes=notes,
        figures=figures_of(fields),
        meaning=MEANING,
        refusals=refusals_of(fields),
        answers=answers_of(fields),
        columns=[*LABELS, "refused"],
        wrong=wrong,
    )
