"""Results of the controls as schema 1 had them, brought to the present schema."""

from typing import Any

from smear.refusal_sentences import code_of

NAMES = {"strangers": "out_of_distribution", "bars": "scale_bars", "looked_at": "occlusion_shares"}


def from_schema_1(content: dict[str, Any]) -> dict[str, Any]:
    """Return a result of schema 1 under the names of schema 2, with codes for its reasons."""
    new = {NAMES.get(name, name): value for name, value in content.items()}
    for part in ("clean", "validation"):
        new[part] = [row | {"refusals": [_refusal(reason) for reason in row["refusals"]]} for row in new[part]]
    new["out_of_distribution"] = [
        source | {"refusals": {str(code_of(words)): count for words, count in source["refusals"].items()}}
        for source in new["out_of_distribution"]
    ]
    fields = dict(new["fields"])
    fields["evaluated"] = fields.pop("asked")
    return new | {"schema": 2, "fields": fields}


def _refusal(reason: str | dict[str, str]) -> dict[str, str]:
    return reason if isinstance(reason, dict) else {"code": str(code_of(reason)), "advice": reason}
