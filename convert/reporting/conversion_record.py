"""The record of a conversion beside its bundle, for people (.md) and for the training report (.json)."""

import json
from dataclasses import asdict
from pathlib import Path

from convert.bundle_writer import Outcome
from convert.reporting.model_card import table_of_differences
from smear.bundle.manifest import Bundle
from smear.images import write_atomic

MOST_SHIPPED = 15_000_000  # bytes of a bundle that ships in the package (issue 4)


def places(bundle: Path) -> tuple[Path, Path]:
    """Return where the record of `bundle` lies: Markdown and JSON. Not inside, where every file is checksummed."""
    return bundle.with_name(f"{bundle.name}.conversion.md"), bundle.with_name(f"{bundle.name}.conversion.json")


def size_of(bundle: Bundle) -> int:
    """Return the bytes of all files of `bundle`."""
    return sum(file.stat().st_size for file in bundle.path.iterdir())


def write(outcome: Outcome) -> None:
    """Write both files beside the bundle of `outcome`, each atomically."""
    text, raw = places(outcome.bundle.path)
    write_atomic(text, _markdown(outcome).encode())
    write_atomic(raw, (json.dumps(_plain(outcome), indent=2) + "\n").encode())


def _plain(outcome: Outcome) -> dict[str, object]:
    manifest, size = outcome.bundle.manifest, size_of(outcome.bundle)
    return {
        "bundle": manifest.name,
        "sha256": outcome.bundle.sha256,
        "created": manifest.created,
        "bytes": size,
        "may_ship": size <= MOST_SHIPPED,
        "levels": {
            role: {
                level: {"bytes": entry.bytes, "figures": {n: f.model_dump() for n, f in entry.figures.items()}}
                for level, entry in part.levels.items()
            }
            for role, part in (("segmenter", manifest.segmenter), ("classifier", manifest.classifier))
        },
        "left_out": manifest.left_out,
        "notes": list(outcome.notes),
        "differences": [_finite(asdict(one)) for one in outcome.differences],
        "edgetpu_predicted": {role: one.lines() for role, one in outcome.predictions.items()},
    }


def _finite(row: dict[str, object]) -> dict[str, object]:
    """JSON knows no infinity: what could not be compared has no figure."""
    return {name: None if value == float("inf") else value for name, value in row.items()}


def _markdown(outcome: Outcome) -> str:
    manifest, size = outcome.bundle.manifest, size_of(outcome.bundle)
    shipped = "may ship" if size <= MOST_SHIPPED else f"is over {MOST_SHIPPED:,} and does not ship"
    left_out = [f"- `{level}` left out: {why}" for level, why in manifest.left_out.items()]
    return "\n".join(
        [
            f"# Conversion of {manifest.name}",
            "",
            f"Made {manifest.created}; manifest sha256 `{outcome.bundle.sha256}`; {size:,} bytes: {shipped}.",
            "The figures of each level stand in the bundle's MODEL_CARD.md.",
            "",
            *([*left_out, *(f"- {note}" for note in outcome.notes)] or ["Every level is in it."]),
            "",
            "## The same validation fields through Keras and each runtime",
            "",
            "Same best channel: of pixels for the segmenter, of fields (their cells pooled) for the classifier.",
            "",
            *table_of_differences(outcome.differences),
            "",
            "## Edge TPU, predicted and not compiled",
            "",
            *(
                [f"- {role}: {line}" for role, one in outcome.predictions.items() for line in one.lines()]
                or ["No int8."]
            ),
            "",
        ]
    )
