"""The tables of report and model card."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from smear.bundle.manifest import Manifest
from smear.classes import LABELS
from train.data.splits import PAPER_COUNTS
from train.evaluation.control_results import Outcome
from train.evaluation.scores import Evaluation
from train.evaluation.shares import Share
from train.evaluation.threshold_masks import MaskScore
from train.reporting import paper
from train.reporting.experiments import Spread
from train.reporting.page import Table
from train.reporting.training_cost import Stage

PASSED = {True: "passed", False: "MISSED", None: ""}


def interval(one: Share) -> str:
    """Return a figure with its interval as text."""
    return f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f})" if one.n else "-"


def shares(caption: str, found: Sequence[Share]) -> Table:
    """Figures, each with its interval, n, and whether it passes."""
    rows = [
        (one.name, interval(one), str(one.n), "" if one.wanted is None else f">= {one.wanted:.2f}", PASSED[one.passed])
        for one in found
    ]
    return Table(caption, ("figure", "value (95 % interval)", "n", "wanted", ""), rows)


def headline(outcome: Outcome, found: Evaluation) -> Table:
    """Accuracy and calibration, with the colour forest right below them."""
    rows = (
        found.accuracy, found.macro_f1, found.of_labelled, found.labelled, found.ece_before, found.ece_after,
        *outcome.forest,
    )  # fmt: skip
    return shares(f"On the test part of split '{outcome.fields.split}', resampled by group of near-duplicates", rows)


def by_class(found: Evaluation) -> Table:
    """Precision, recall and F1."""
    rows = [(c.label, f"{c.precision:.4f}", f"{c.recall:.4f}", f"{c.f1:.4f}", str(c.n)) for c in found.by_class]
    return Table(
        "By class; refused fields count by their best class", ("class", "precision", "recall", "F1", "n"), rows
    )


def graded(outcome: Outcome) -> Table:
    """Accuracy and refusals under each corruption."""
    rows = [
        (row.kind, row.strength, *map(interval, (row.accuracy, row.right_if_labelled, row.labelled)),
         str(row.accuracy.n))
        for row in outcome.graded
    ]  # fmt: skip
    head = ("corruption", "strength", "best class right", "right, if labelled", "labelled", "n")
    return Table("Stain, white balance, blur and JPEG, in grades", head, rows)


def reasons(outcome: Outcome) -> Table:
    """Why out-of-distribution pictures were refused."""
    rows = [
        (one.source, str(one.n), "; ".join(f"{reason} ({count})" for reason, count in one.refusals.items()))
        for one in outcome.out_of_distribution
    ]
    return Table("Why they were refused; one picture may have several reasons", ("source", "n", "reasons"), rows)


def table_1(outcome: Outcome) -> Table:
    """The paper's split and ours, in fields."""
    rows = []
    for label in LABELS:
        ours = [outcome.fields.counts[part][label] for part in ("train", "validation", "test")]
        rows.append((label, *map(str, PAPER_COUNTS[label]), *map(str, ours)))
    head = ("class", *(f"paper: {part}" for part in ("train", "validation", "test")),
            *(f"ours: {part}" for part in ("train", "validation", "test")))  # fmt: skip
    return Table(f"Table 1: fields by class; ours is split '{outcome.fields.split}'", head, rows)


def table_3(outcome: Outcome, cross_validated: dict[str, dict[str, float]], protocol: dict[str, Any]) -> Table:
    """The paper's segmentation beside thresholds and ours, against masks drawn by hand unless stated otherwise.

    `cross_validated` are the figures of segmenter.json, `protocol` those of a U-Net fitted to threshold masks, or {}.
    """
    rows: list[tuple[str, ...]] = [
        ("paper: U-Net against its own HSV masks", f"{paper.UNET_DICE:.2f}", "-", f"{paper.UNET_PIXEL_ACCURACY:.2f}",
         "-", "not stated")
    ]  # fmt: skip
    if protocol:
        rows += [
            (f"ours: {protocol['model']} fitted to HSV masks for {protocol['epochs']} epochs, against HSV masks",
             _of(protocol, "hsv_dice"), "-",
             _of(protocol, "hsv_accuracy"), "-", str(protocol["hsv_n"])),
            ("ours: the same, against drawn masks", _of(protocol, "drawn_dice"), "-",
             _of(protocol, "drawn_accuracy"), "-", str(protocol["drawn_n"])),
        ]  # fmt: skip
    for way in dict.fromkeys(score.way for score in outcome.masks):
        own = [score for score in outcome.masks if score.way == way]
        means = (f"{np.mean([getattr(s, name) for s in own]):.4f}" for name in ("dice", "iou", "accuracy", "recall"))
        rows.append((way, *means, str(len(own))))
    if "dice" in cross_validated:
        figure = cross_validated["dice"]
        rows.append(
            (f"ours: {outcome.bundle.segmenter}, each field held out in turn (cross-validated)",
             f"{figure['value']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})", "-", "-", "-", f"{figure['n']}")
        )  # fmt: skip
    caption = "Table 3: segmentation. 'this bundle' was fitted to these masks; its cross-validated row is the test."
    return Table(caption, ("masks", "Dice", "IoU", "pixel accuracy", "recall of cell pixels", "n"), rows)


def masks_by_class(scores: Sequence[MaskScore]) -> Table:
    """Mean Dice of each method in each class: a method may fail in a whole class."""
    rows = []
    for way in dict.fromkeys(score.way for score in scores):
        means = [[s.dice for s in scores if s.way == way and s.label == label] for label in LABELS]
        rows.append((way, *(f"{np.mean(values):.4f}" if values else "-" for values in means)))
    return Table("Mean Dice against drawn masks, by class", ("masks", *LABELS), rows)


def table_4(outcome: Outcome, found: Evaluation, networks: Sequence[dict[str, Any]]) -> Table:
    """The paper's networks beside ours, one row for each run of ours, whatever its result."""
    rows: list[tuple[str, ...]] = []
    left = dict(paper.TEST_ACCURACY)
    for row in networks:
        name = str(row.get("network", row.get("approach", "?")))
        theirs = paper.network(name)
        left.pop(theirs or "", None)
        stated = f"{paper.TEST_ACCURACY[theirs]:.2f}" if theirs else "-"
        split, n = (str(row.get(key, "-")) for key in ("split", "n"))
        rows.append((name, stated, _of(row, "accuracy"), _of(row, "macro_f1"), split, n, _budget(row)))
    rows += [(name, f"{value:.2f}", *["-"] * 5) for name, value in left.items()]
    name = f"this bundle ({outcome.bundle.classifier}, {outcome.bundle.level}, whole pipeline)"
    ours = (f"{found.accuracy.value:.4f}", f"{found.macro_f1.value:.4f}")
    rows.append((name, "-", *ours, outcome.fields.split, str(found.accuracy.n), "-"))
    head = ("network", "paper: accuracy, random split", "ours: accuracy", "ours: macro F1", "split", "n", "budget")
    return Table("Table 4: networks; the last column is the budget of ours; the paper states none", head, rows)


def _budget(row: dict[str, Any]) -> str:
    parts = [f"{row[name]} {text}" for name, text in
            (("epochs", "epochs"), ("size", "px"), ("minutes", "min"), ("weights", "weights"), ("remark", ""))
            if row.get(name) not in (None, "")]  # fmt: skip
    return ", ".join(parts).strip() or "-"


def _of(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return f"{float(str(value)):.4f}" if value not in (None, "") else "-"


def approaches(found: Sequence[Spread]) -> Table:
    """Every approach on every split, with mean and spread over all its runs."""
    rows = [
        (one.approach, one.split, str(one.runs), _spread(one.macro_f1), _spread(one.accuracy), one.epochs, one.n,
         one.remark)
        for one in found
    ]  # fmt: skip
    head = ("approach", "split", "runs", "macro F1: mean ± s.d. (range)", "accuracy: the same", "epochs", "n", "")
    return Table("Approaches; every run counts, and no epoch or seed was picked on a test part", head, rows)


def _spread(values: tuple[float, float, float, float]) -> str:
    mean, deviation, low, high = values
    return f"{mean:.4f} ± {deviation:.4f} ({low:.4f} to {high:.4f})"


def levels(manifest: Manifest) -> Table:
    """The levels of the bundle, as its manifest states them."""
    rows: list[tuple[str, ...]] = []
    for level, entry in manifest.classifier.levels.items():
        pair = manifest.segmenter.levels[level]
        figures = entry.figures | pair.figures
        names = ("accuracy", "macro_f1", "ece", "refusal_rate", "dice")
        values = (f"{figures[name].value:.4f}" if name in figures else "-" for name in names)
        rows.append((level, f"{entry.bytes + pair.bytes:,}", *values))
    rows += [(level, "-", *["-"] * 4, why) for level, why in manifest.left_out.items()]
    head = ("level", "bytes of the pair", "accuracy", "macro F1", "ECE", "refused", "Dice")
    return Table("Conversion: each level through the pipeline of the device, on the run's held-out fields", head, rows)


def budget(stages: Sequence[Stage]) -> Table:
    """Epochs and minutes of every stage of training."""
    rows = [(s.name, str(s.epochs), "-" if s.minutes is None else f"{s.minutes:.1f}") for s in stages]
    return Table("Budget", ("stage", "epochs", "minutes"), rows)


def networks_on_whole_fields(rows: Sequence[dict[str, Any]]) -> Table:
    """All rows of a comparison of networks, split by split."""
    cells = []
    for row in sorted(rows, key=lambda row: (str(row["split"]), -float(row["accuracy"]))):
        accuracy = f"{row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
        cells.append(
            (row["network"], row["split"], accuracy, f"{row['macro_f1']:.4f}",
             _or_dash(row, "unsettled_accuracy", ".4f"),
             str(row["n"]), _or_dash(row, "parameters", ","), _or_dash(row, "multiply_adds", ","),
             _or_dash(row, "minutes", ".1f"), str(row.get("weights", "-")))
        )  # fmt: skip
    head = ("network", "split", "accuracy (95 %)", "macro F1", "accuracy, unsettled", "n", "parameters",
            "multiply-adds", "minutes", "weights")  # fmt: skip
    caption = (
        "Whole fields, one budget for all; no row shows that a network looks at cells. "
        "Unsettled: with the batch statistics as training leaves them, see docs/decisions/0006"
    )
    return Table(caption, head, cells)


def _or_dash(row: dict[str, Any], name: str, form: str) -> str:
    return format(row[name], form) if row.get(name) is not None else "-"
