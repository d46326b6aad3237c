"""Writes the record of a conversion beside its bundle: Markdown for people, JSON for the training report."""

import json
from dataclasses import asdict
from pathlib import Path

from convert.reporting.model_card import table_of_differences
from convert.results import Conversion
from smear.bundle.folder import Bundle
from smear.images import write_atomic
from smear.templating import render

MAX_SHIPPED = 15_000_000  # bytes of a bundle that ships in the package


def record_files(bundle: Path) -> tuple[Path, Path]:
    """Return the paths of the record of `bundle`, Markdown and JSON: beside it, as every file inside is checksummed."""
    return bundle.with_name(f"{bundle.name}.conversion.md"), bundle.with_name(f"{bundle.name}.conversion.json")


def size_of(bundle: Bundle) -> int:
    """Return the bytes of all files of `bundle`."""
    return sum(file.stat().st_size for file in bundle.path.iterdir())


def write(conversion: Conversion) -> None:
    """Write both files beside the bundle of `conversion`, each atomically."""
    text, raw = record_files(conversion.bundle.path)
    write_atomic(text, _markdown(conversion).encode())
    write_atomic(raw, (json.dumps(_plain(conversion), indent=2, allow_nan=False) + "\n").encode())


def _plain(conversion: Conversion) -> dict[str, object]:
    manifest, size = conversion.bundle.manifest, size_of(conversion.bundle)
    return {
        "bundle": manifest.name,
        "sha256": conversion.bundle.sha256,
        "created": manifest.created,
        "bytes": size,
        "may_ship": size <= MAX_SHIPPED,
        "levels": {
            role: {
                level: {"bytes": entry.bytes, "figures": {n: f.model_dump() for n, f in entry.figures.items()}}
                for level, entry in part.levels.items()
            }
            for role, part in (("segmenter", manifest.segmenter), ("classifier", manifest.classifier))
        },
        "left_out": manifest.left_out,
        "notes": list(conversion.notes),
        "differences": [_finite(asdict(one)) for one in conversion.differences],
        "edgetpu_predicted": {role: one.lines() for role, one in conversion.predictions.items()},
    }


def _finite(row: dict[str, object]) -> dict[str, object]:
    """Return `row` with None for infinity, which JSON lacks: what could not be compared has no figure."""
    return {name: None if value == float("inf") else value for name, value in row.items()}


def _markdown(conversion: Conversion) -> str:
    size = size_of(conversion.bundle)
    return render(
        "convert.reporting",
        "conversion.md",
        manifest=conversion.bundle.manifest,
        sha256=conversion.bundle.sha256,
        size=f"{size:,}",
        shipped="may ship" if size <= MAX_SHIPPED else f"is over {MAX_SHIPPED:,} and does not ship",
        notes=conversion.notes,
        differences=table_of_differences(conversion.differences),
        predictions=conversion.predictions,
    )
