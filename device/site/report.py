"""A site check as one HTML page that needs no other file."""

from collections.abc import Sequence

from device.site.agreement import MEANING, CheckedField, answers_of, figures_of, refusals_of
from device.site.certificate import SiteCertificate
from smear.classes import LABELS
from smear.templating import render


def page(
    certificate: SiteCertificate, fields: Sequence[CheckedField], shortfalls: Sequence[str], notes: Sequence[str]
) -> str:
    """Return the report; `certificate` is a draft without an id where the site fell short."""
    wrong = [each for each in fields if each.label not in (None, each.kind)]
    return render(
        "device.site",
        "site.html",
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
