"""Prints a finished conversion: levels, differences from Keras, the Edge TPU's share."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from convert.export import edgetpu_compiler
from convert.reporting import conversion_record, model_card
from convert.reporting.comparison import COLUMNS, Row
from convert.results import Conversion


def print_conversion(conversion: Conversion, console: Console) -> None:
    """Print the tables of a conversion."""
    manifest = conversion.bundle.manifest
    table = Table(
        "level", "bytes", "fields", "accuracy", "macro F1", "ECE", "refused", "Dice", title=f"{conversion.bundle.path}"
    )
    for level, entry in manifest.classifier.levels.items():
        segmenter = manifest.segmenter.levels[level]
        figures = entry.figures | segmenter.figures
        values = [
            f"{figures[name].value:.4f}" if name in figures else "-"
            for name in ("accuracy", "macro_f1", "ece", "refusal_rate", "dice")
        ]
        fields = str(figures["accuracy"].n) if "accuracy" in figures else "-"
        table.add_row(level, f"{entry.bytes + segmenter.bytes:,}", fields, *values)
    console.print(table)
    differences = Table(
        "model", "level", "runtime", "same best channel", "largest difference", "mean", "inputs", title="Against Keras"
    )
    for one in conversion.differences:
        differences.add_row(*model_card.difference_row(one))
    console.print(differences)
    for role, prediction in conversion.predictions.items():
        console.print(f"Edge TPU, {role}: {prediction.lines()[-1]}")
        for line in prediction.lines()[:-1]:
            console.print(f"  {line}")
    if conversion.predictions and edgetpu_compiler.compiler() is None:
        console.print(edgetpu_compiler.WHERE_TO_GET_IT)
    size = conversion_record.size_of(conversion.bundle)
    if size > conversion_record.MAX_SHIPPED:
        console.print(f"{size:,} bytes: over {conversion_record.MAX_SHIPPED:,}, so it does not ship")
    for note in conversion.notes:
        console.print(note)
    for name, why in manifest.left_out.items():
        console.print(f"[bold]{name} left out:[/bold] {why}")


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Print one table of `rows`, the bundles one after the other."""
    table = Table("bundle", "level", *(title for _, title in COLUMNS))
    for row in rows:
        cells = [_cell(getattr(row, attribute)) for attribute, _ in COLUMNS]
        table.add_row(row.bundle, row.level, *cells)
    console.print(table)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
