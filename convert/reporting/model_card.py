"""Writes `MODEL_CARD.md`: the figures of a manifest for people."""

from collections.abc import Sequence

from convert.verification.parity import Difference
from smear.bundle.manifest import Figure, Manifest
from smear.templating import render

FILE = "MODEL_CARD.md"
NOT_MEASURED = "not measured"
_CONVERSION_FIGURES = {
    "agreement", "max_difference", "mean_difference", "representative_fields", "finetuned_fields",
    "edgetpu_predicted_share", "mapped_share",
}  # fmt: skip
"""Figures of the conversion itself, which have no interval and no background-only control."""
_SHOWN = {
    "field": "the whole field, background and red cells included",
    "cells": "the segmented cells of a field on neutral background",
    "crops": "one crop for each cell on neutral background, pooled over the field",
}
_HEAD = ("model", "level", "figure", "value", "95 % interval", "split", "n", "background-only control")


def write_card(manifest: Manifest, differences: Sequence[Difference], notes: Sequence[str] = ()) -> str:
    """Return the card of the bundle that `manifest` describes, with the table of differences from Keras."""
    parts = (manifest.segmenter, manifest.classifier)
    files = [(part.name, level, entry) for part in parts for level, entry in part.levels.items()]
    trained = [_row(part.name, "Keras", *figure) for part in parts for figure in part.figures.items()]
    measured = [_row(name, level, *figure) for name, level, entry in files for figure in entry.figures.items()]
    return render(
        "convert.reporting",
        FILE,
        manifest=manifest,
        classifier=manifest.classifier,
        shown=_SHOWN[manifest.classifier.shown],
        data=manifest.training_data,
        trained=_table(_HEAD, trained),
        levels=_table(_HEAD, measured),
        sizes=_table(("model", "level", "bytes"), [(name, level, f"{entry.bytes:,}") for name, level, entry in files]),
        notes=notes,
        differences=table_of_differences(differences),
    )


def _row(model: str, level: str, name: str, figure: Figure) -> tuple[str, ...]:
    absent = "-" if name in _CONVERSION_FIGURES else NOT_MEASURED
    interval = absent
    if figure.low is not None and figure.high is not None:
        interval = f"{figure.low:.4g} to {figure.high:.4g}"
    control = absent if figure.background_only is None else f"{figure.background_only:.4g}"
    title = name.replace("_", " ")
    return model, level, title, f"{figure.value:.4g}", interval, figure.split, str(figure.n), control


def table_of_differences(differences: Sequence[Difference]) -> str:
    """Return the Markdown table that compares every level and runtime with Keras."""
    head = ("model", "level", "runtime", "same best channel", "largest difference", "mean difference", "inputs")
    return _table(head, [difference_row(one) for one in differences])


def difference_row(found: Difference) -> tuple[str, ...]:
    """Return the cells of one difference; one that could not be compared has its fault for the largest."""
    figures = (f"{found.agreement:.4%}", f"{found.max_difference:.3g}", f"{found.mean_difference:.3g}", str(found.n))
    return found.role, found.level, found.runtime, *(("-", found.fault, "-", "0") if found.fault else figures)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "None."
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines])
