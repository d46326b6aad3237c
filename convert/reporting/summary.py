"""What a conversion says at its end: levels, differences, the Edge TPU's share."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from convert.bundle_writer import Outcome
from convert.export import edgetpu
from convert.reporting import conversion_record
from convert.reporting.comparison import PLOTTED, Row


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Print the tables of a conversion."""
    manifest = outcome.bundle.manifest
    table = Table(
        "level", "bytes", "fields", "accuracy", "macro F1", "ECE", "refused", "Dice", title=f"{outcome.bundle.path}"
    )
    for level, entry in manifest.classifier.levels.items():
        pair = manifest.segmenter.levels[level]
        figures = entry.figures | pair.figures
        values = [
            f"{figures[name].value:.4f}" if name in figures else "-"
            for name in ("accuracy", "macro_f1", "ece", "refusal_rate", "dice")
        ]
        fields = str(figures["accuracy"].n) if "accuracy" in figures else "-"
        table.add_row(level, f"{entry.bytes + pair.bytes:,}", fields, *values)
    console.print(table)
    differences = Table(
        "model", "level", "runtime", "same best channel", "largest difference", "mean", "inputs", title="Against Keras"
    )
    for one in outcome.differences:
        differences.add_row(
            one.role,
            one.level,
            one.runtime,
            f"{one.agreement:.4%}",
            one.fault or f"{one.max_difference:.3g}",
            f"{one.mean_difference:.3g}",
            str(one.n),
        )
    console.print(differences)
    for role, prediction in outcome.predictions.items():
        console.print(f"Edge TPU, {role}: {prediction.lines()[-1]}")
        for line in prediction.lines()[:-1]:
            console.print(f"  {line}")
    if outcome.predictions and edgetpu.compiler() is None:
        console.print(edgetpu.WHERE_TO_GET_IT)
    size = conversion_record.size_of(outcome.bundle)
    if size > conversion_record.MOST_SHIPPED:
        console.print(f"{size:,} bytes: over {conversion_record.MOST_SHIPPED:,}, so it does not ship")
    for note in outcome.notes:
        console.print(note)
    for name, why in manifest.left_out.items():
        console.print(f"[bold]{name} left out:[/bold] {why}")


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Print one table of `rows`, the bundles one after the other."""
    table = Table("bundle", "level", *(title for _, title in PLOTTED))
    for row in rows:
        cells = [_cell(getattr(row, attribute)) for attribute, _ in PLOTTED]
        table.add_row(row.bundle, row.level, *cells)
    console.print(table)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
