"""Results of the controls as schema 1 had them, brought to the present schema."""

from typing import Any

from smear.findings import RefusalCode

NAMES = {"strangers": "out_of_distribution", "bars": "scale_bars", "looked_at": "occlusion_shares"}
CODES = {
    "too dark": RefusalCode.TOO_DARK,
    "over- or underexposed": RefusalCode.BAD_EXPOSURE,
    "no clear glass": RefusalCode.TINTED_BACKGROUND,
    "no white cell found": RefusalCode.NO_CELLS,
    "no white cell found clear of the scale bar's corner": RefusalCode.NO_CELLS,
    "out of focus": RefusalCode.OUT_OF_FOCUS,
    "cells lie too thick": RefusalCode.TOO_CROWDED,
    "unlike anything learnt": RefusalCode.OUT_OF_DISTRIBUTION,
    "not sure enough": RefusalCode.UNCERTAIN,
}
"""The words before the first bracket or colon of a reason -> its code; schema 1 stored reasons as sentences."""


def from_schema_1(content: dict[str, Any]) -> dict[str, Any]:
    """Return a result of schema 1 under the names of schema 2, with codes for its reasons."""
    new = {NAMES.get(name, name): value for name, value in content.items()}
    for part in ("clean", "validation"):
        new[part] = [row | {"refusals": [_refusal(reason) for reason in row["refusals"]]} for row in new[part]]
    new["out_of_distribution"] = [
        source | {"refusals": {code_of(words): count for words, count in source["refusals"].items()}}
        for source in new["out_of_distribution"]
    ]
    fields = dict(new["fields"])
    fields["evaluated"] = fields.pop("asked")
    return new | {"schema": 2, "fields": fields}


def _refusal(reason: str | dict[str, str]) -> dict[str, str]:
    return reason if isinstance(reason, dict) else {"code": code_of(reason), "advice": reason}


def code_of(reason: str) -> str:
    """Return the code of a reason in the words of schema 1; a code stays as it is, unknown words become "other"."""
    words = reason.partition(" (")[0].partition(":")[0].strip()
    return CODES.get(words, RefusalCode(words) if words in set(RefusalCode) else RefusalCode.OTHER).value
