"""Writes `MODEL_CARD.md`: the figures of a manifest for people."""

from collections.abc import Iterable, Sequence

from convert.verification.parity import Difference
from smear import RESEARCH_USE_ONLY
from smear.bundle.manifest import Figure, Manifest

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
_LIMITS = """\
- The pictures carry no patient identifiers, so no figure here is patient-wise, and the data may hold the same field
  twice.
- Class and stain are confounded in this data set: the background and red cells alone nearly give the class away.
  Compare every accuracy with its background-only control, and expect less on slides of another laboratory.
- Only four classes are known. Anything else on a slide is refused at best, and misclassified at worst.
- Where a figure says "not measured", do not assume one."""


def write_card(manifest: Manifest, differences: Sequence[Difference], notes: Sequence[str] = ()) -> str:
    """Return the card of the bundle that `manifest` describes, with the table of differences from Keras."""
    parts = (manifest.segmenter, manifest.classifier)
    return "\n".join(
        [
            f"# Model card: {manifest.name}",
            "",
            f"**{RESEARCH_USE_ONLY}**",
            "",
            *_facts(manifest),
            "",
            "## The trained models",
            "",
            *_table(_HEAD, (_row(p.name, "Keras", name, f) for p in parts for name, f in p.figures.items())),
            "",
            "## Each level, through the device's own pipeline",
            "",
            *_table(
                _HEAD,
                (
                    _row(part.name, level, name, figure)
                    for part in parts
                    for level, entry in part.levels.items()
                    for name, figure in entry.figures.items()
                ),
            ),
            "",
            *_sizes(manifest),
            "",
            "## Left out",
            "",
            *([f"- `{level}`: {why}" for level, why in manifest.left_out.items()] or ["Nothing."]),
            *(f"- {note}" for note in notes),
            "",
            "## Difference from Keras, by runtime",
            "",
            *table_of_differences(differences),
            "",
            "## Known limits",
            "",
            _LIMITS,
            "",
        ]
    )


_HEAD = ("model", "level", "figure", "value", "95 % interval", "split", "n", "background-only control")


def _facts(manifest: Manifest) -> list[str]:
    data, classifier = manifest.training_data, manifest.classifier
    return [
        f"- Made {manifest.created}, revision `{manifest.git_revision}`, bundle schema {manifest.schema_version}.",
        f"- Segmenter `{manifest.segmenter.name}`: {manifest.input.size} pixels a side, each "
        f"{manifest.input.pixel_size_um} µm, to background, cytoplasm and nucleus.",
        f"- Classifier `{classifier.name}`: input: {_SHOWN[classifier.shown]}; {classifier.input_size} pixels "
        f"a side; labels {', '.join(manifest.labels)}{', or a cell of none of them' if classifier.other else ''}.",
        *(
            [
                "- Stain normalisation: cells are brought to a mean optical density of "
                f"{classifier.stain[0]} in red and {classifier.stain[1]} in green over the field's own background."
            ]
            if classifier.stain
            else []
        ),
        f"- Temperature {classifier.temperature:.4g}; refuses a label less likely than {classifier.abstain_below:.3g}; "
        + (
            "has no out-of-distribution score."
            if classifier.ood_above is None
            else f"refuses a field whose out-of-distribution score is above {classifier.ood_above:.4g}."
        ),
        f"- Training data: {data.n} pictures, split `{data.split}`, sources {', '.join(data.sources) or 'not stated'}, "
        f"fingerprint `{data.fingerprint}`.",
    ]


def _sizes(manifest: Manifest) -> list[str]:
    rows = (
        (part.name, level, f"{entry.bytes:,}")
        for part in (manifest.segmenter, manifest.classifier)
        for level, entry in part.levels.items()
    )
    return _table(("model", "level", "bytes"), rows)


def _row(model: str, level: str, name: str, figure: Figure) -> tuple[str, ...]:
    absent = "-" if name in _CONVERSION_FIGURES else NOT_MEASURED
    interval = absent
    if figure.low is not None and figure.high is not None:
        interval = f"{figure.low:.4g} to {figure.high:.4g}"
    control = absent if figure.background_only is None else f"{figure.background_only:.4g}"
    title = name.replace("_", " ")
    return model, level, title, f"{figure.value:.4g}", interval, figure.split, str(figure.n), control


def table_of_differences(differences: Sequence[Difference]) -> list[str]:
    """Return the lines of the table that compares every level and runtime with Keras."""
    head = ("model", "level", "runtime", "same best channel", "largest difference", "mean difference", "inputs")
    return _table(head, map(difference_row, differences))


def difference_row(found: Difference) -> tuple[str, ...]:
    """Return the cells of one difference; one that could not be compared has its fault for the largest."""
    figures = (f"{found.agreement:.4%}", f"{found.max_difference:.3g}", f"{found.mean_difference:.3g}", str(found.n))
    return found.role, found.level, found.runtime, *(("-", found.fault, "-", "0") if found.fault else figures)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    if not lines:
        return ["None."]
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]
