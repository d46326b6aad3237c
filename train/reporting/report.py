"""The report on a bundle: its scores, controls and cost, and the paper's figures beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.inference.evaluator import Evaluator
from train.evaluation.background_swaps import paint_out, swap_bar, transplant
from train.evaluation.control_results import Outcome
from train.evaluation.occlusion import Occlusion, overlay
from train.evaluation.scores import Evaluation, at_threshold, evaluate
from train.evaluation.shortcut_controls import read_field
from train.evaluation.threshold_masks import IGNORE
from train.reporting import figures, paper, tables
from train.reporting.experiments import Spread
from train.reporting.page import Block, Command, Heading, Picture, Text
from train.reporting.training_cost import Stage

TITLE = "Smearscope: report on a bundle"
MASKS_SHOWN, MAPS_SHOWN = 8, 8  # two fields of each class
LIMITS = (
    "No file of this data set names a patient: no figure here is patient-wise. Near-duplicates and stain sessions are "
    "found from the pictures alone. Stain and class go together, so a forest of colour histograms recognises the class "
    "from the background; read every accuracy beside that forest's. Expect less on slides of another laboratory.",
    "The 32 masks were drawn by one person. The segmenter was fitted to them, so its scores on them are no test; the "
    "cross-validated row is.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Everything that a report is written from."""

    outcome: Outcome
    evaluator: Evaluator
    root: Path  # of the training data
    fields: Path  # folder of the classes
    command: str  # that writes this report
    cross_validated: dict[str, Any]  # of segmenter.json; empty where there is none
    protocol: dict[str, Any]  # of 'train paper-masks'; empty where it was not run
    stages: Sequence[Stage]
    approaches: Sequence[Spread]
    networks: Sequence[dict[str, Any]]


def blocks(material: Material) -> list[Block]:
    """Return the whole report."""
    outcome = material.outcome
    found = evaluate(outcome.answers, outcome.bundle.temperature)
    compared: list[Block] = []
    if material.approaches:
        compared = [Heading("Approaches compared"), tables.approaches(material.approaches)]
    return [
        *_opening(material),
        *_scores(outcome, found),
        *_controls(material),
        *_calibration(outcome, found),
        *_out_of_distribution(outcome),
        *_paper(material, found),
        *compared,
        *_cost(material),
        Heading("Known limits"),
        *map(Text, LIMITS),
    ]


def _opening(material: Material) -> list[Block]:
    outcome = material.outcome
    bundle, fields = outcome.bundle, outcome.fields
    lines: list[Block] = [
        Text(
            f"Bundle '{bundle.name}' (models and thresholds {bundle.identity[:16]}), level {bundle.level}: segmenter "
            f"{bundle.segmenter}, classifier {bundle.classifier}, which is shown: {bundle.shown}. Evaluated through "
            f"the pipeline of the device on {fields.evaluated} test fields of split '{fields.split}' (seed "
            f"{fields.seed}, fold {fields.fold}, data {fields.fingerprint[:12]}). This page holds pictures of the "
            "fields: keep it with the data."
        ),
    ]
    if fields.trained_on:
        lines.append(
            Text(
                f"{fields.trained_on} of the {fields.evaluated} test fields, or a near-duplicate, were trained on: "
                "every figure below is too optimistic."
            )
        )
    elif fields.trained_on is None:
        lines.append(Text("It was not checked whether any test field was trained on: no run was given."))
    return [
        *lines,
        Text("This command wrote the page; it reads controls.json if its folder has one:"),
        Command(material.command),
        Text("This command measured what controls.json holds:"),
        Command(outcome.command),
    ]


def _scores(outcome: Outcome, found: Evaluation) -> list[Block]:
    return [
        Heading("Accuracy"),
        tables.headline(outcome, found),
        tables.by_class(found),
        Picture("confusion", "Confusion matrix, in fields; refused ones by their best class", figures.confusion(found)),
    ]


def _controls(material: Material) -> list[Block]:
    outcome = material.outcome
    shares = (*outcome.background, *outcome.transplant, *outcome.scale_bars)
    parts: list[Block] = [
        Heading("Controls: do the cells decide?"),
        tables.shares("Cells painted out; moved onto another class's background; scale bar swapped", shares),
        Picture("controls", "Examples of the pictures that the bundle was shown", _examples(material)),
        Picture("graded", "Stain, white balance, blur and JPEG, in grades", figures.graded(outcome.graded)),
        tables.graded(outcome),
    ]
    maps = _maps(material)
    if maps:
        names = [f"{one.truth}, labelled {one.top}" for _, one in maps]
        rows = [(image, overlay(image, np.array(one.change))) for image, one in maps]
        grid = figures.pictures(rows, ("field", "change when hidden"), names)
        parts += [
            Picture("occlusion", "Occlusion: glass hides each place in turn; red where the answer changes", grid),
            tables.shares("How much of the change is made where cells are", outcome.occlusion_shares),
        ]
    return parts


def _maps(material: Material) -> list[tuple[NDArray[np.uint8], Occlusion]]:
    each = MAPS_SHOWN // len(LABELS)
    chosen = [one for label in LABELS for one in [m for m in material.outcome.occlusion if m.truth == label][:each]]
    return [(read_field(material.fields / one.file), one) for one in chosen]


def _examples(material: Material) -> bytes:
    """One field of each class: as it is, cells painted out, on the next class's background, with its scale bar."""
    rng = np.random.default_rng(0)
    firsts = {label: next(row for row in material.outcome.clean if row.truth == label) for label in LABELS}
    images = {label: read_field(material.fields / row.file) for label, row in firsts.items()}
    masks = {label: material.evaluator.examine(image).mask.cell for label, image in images.items()}
    painted = {label: paint_out(images[label], masks[label], rng) for label in LABELS}
    rows = []
    for i, label in enumerate(LABELS):
        other = LABELS[(i + 1) % len(LABELS)]
        moved = transplant(images[label], masks[label], painted[other])
        rows.append([images[label], painted[label], moved, swap_bar(images[label], images[other])])
    heads = ("field", "cells painted out", "on another class's background", "another scale bar")
    return figures.pictures(rows, heads, LABELS)


def _calibration(outcome: Outcome, found: Evaluation) -> list[Block]:
    bundle = outcome.bundle
    coverage, risk = point = at_threshold(outcome.answers, bundle.abstain_below)
    return [
        Heading("Calibration and abstention"),
        Picture("reliability", "Reliability on the test part; temperature from the validation part, before any refit",
                figures.reliability(found, bundle.temperature)),
        Picture("risk-coverage", "Risk and coverage; the dot is the bundle's threshold alone, before any other refusal",
                figures.risk_coverage(found, point, bundle.abstain_below)),
        Text(f"Below a probability of {bundle.abstain_below:.3f} no label is given: {coverage:.1%} of the fields keep "
             f"theirs, and {risk:.2%} of those labels are wrong."),
    ]  # fmt: skip


def _out_of_distribution(outcome: Outcome) -> list[Block]:
    parts: list[Block] = [
        Heading("Out-of-distribution pictures: no label is right"),
        tables.shares("Refused pictures of other kinds, and the test fields that got a label", outcome.refused),
    ]
    if outcome.out_of_distribution:
        parts.append(tables.reasons(outcome))
    scores = figures.ood_scores(outcome)
    if scores is not None:
        parts.append(Picture("ood", "Out-of-distribution scores; a picture without a cell has none", scores))
    return parts


def _paper(material: Material, found: Evaluation) -> list[Block]:
    outcome = material.outcome
    parts: list[Block] = [
        Heading("The paper's tables and figures beside ours"),
        Text(f"{paper.CITATION}; data of {paper.DATA}."),
        tables.table_1(outcome),
        tables.table_3(outcome, material.cross_validated, material.protocol),
    ]
    if outcome.masks:
        parts.append(tables.masks_by_class(outcome.masks))
    parts.append(tables.table_4(outcome, found, material.networks))
    if material.stages:
        caption = "Figures 4 and 5: training curves, from every epochs.csv of the run"
        parts.append(Picture("curves", caption, figures.curves(material.stages)))
    if outcome.masks:
        caption = (
            "Figure 6: input, mask drawn by hand (grey: ignored), mask of this bundle, and its outline on the input"
        )
        parts.append(Picture("masks", caption, _masks(material)))
    return parts


def _masks(material: Material) -> bytes:
    files = list(dict.fromkeys(score.file for score in material.outcome.masks))
    each = MASKS_SHOWN // len(LABELS)
    chosen = [file for label in LABELS for file in [f for f in files if f.startswith(f"{label}/")][:each]]
    rows = []
    for file in chosen:
        image = read_field(material.root / "taleqani" / "Original" / file)
        mask_file = str((material.root / "taleqani_masks" / file).with_suffix(".png"))
        drawn = np.asarray(cv2.imread(mask_file, cv2.IMREAD_GRAYSCALE), np.uint8)
        found = material.evaluator.examine(image).mask
        masks = (np.where(drawn == IGNORE, np.uint8(110), drawn), found.values)
        in_rgb = [np.asarray(cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB), np.uint8) for mask in masks]
        rows.append([image, *in_rgb, figures.outlined(image, found.cell)])
    return figures.pictures(rows, ("input", "drawn mask", "this bundle", "outlined"), chosen)


def _cost(material: Material) -> list[Block]:
    outcome = material.outcome
    parts: list[Block] = [Heading("Budget and conversion")]
    if material.stages:
        parts.append(tables.budget(material.stages))
    return [
        *parts,
        Text(f"The controls took {outcome.minutes:.1f} minutes on {outcome.machine}, {outcome.made}."),
        tables.levels(material.evaluator.manifest),
    ]
