"""One page of everything that is known about a bundle: its worth, its controls, its cost, and the paper beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smear import RESEARCH_USE_ONLY
from smear.classes import LABELS
from smear.inference.evaluator import Judge
from train.evaluation.background_swaps import paint_out, swap_bar, transplant
from train.evaluation.control_results import Outcome
from train.evaluation.occlusion import Occlusion
from train.evaluation.scores import Evaluation, evaluate, right_at
from train.evaluation.shortcut_controls import read_field
from train.evaluation.threshold_masks import IGNORE
from train.reporting import figures, paper, tables
from train.reporting.experiments import Spread
from train.reporting.page import Block, Command, Heading, Picture, Text
from train.reporting.training_cost import Stage

TITLE = "Smearscope: what this bundle is worth"
MASKS_SHOWN, MAPS_SHOWN = 8, 8  # two fields of each class
LIMITS = (
    "No file of this data set names a patient: no figure here is patient-wise, and re-shots and stain sessions are "
    "found from the pictures alone. Stain and class go together, so that a forest of colour histograms tells the class "
    "from the ground; every accuracy must be read beside that forest's. Expect less on slides of another laboratory.",
    "The masks drawn by hand are 32 and were drawn by one hand. What the segmenter was fitted to is not a test of it; "
    "the cross-validated row is.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """All that a report is written from."""

    outcome: Outcome
    judge: Judge
    root: Path  # of the training data
    fields: Path  # folder of the classes
    command: str  # that writes this report
    crossed: dict[str, Any]  # of segmenter.json; empty where there is none
    protocol: dict[str, Any]  # a U-Net fitted to threshold masks
    stages: Sequence[Stage]
    approaches: Sequence[Spread]
    networks: Sequence[dict[str, Any]]


def blocks(material: Material) -> list[Block]:
    """Return the whole report."""
    outcome = material.outcome
    found = evaluate(outcome.answers, outcome.bundle.temperature)
    return [
        *_opening(material),
        *_worth(outcome, found),
        *_controls(material),
        *_calibration(outcome, found),
        *_strangers(outcome),
        *_paper(material, found),
        *_approaches(material),
        *_cost(material),
        Heading("Known limits"),
        *map(Text, LIMITS),
    ]


def _opening(material: Material) -> list[Block]:
    outcome = material.outcome
    bundle, fields = outcome.bundle, outcome.fields
    lines: list[Block] = [
        Text(RESEARCH_USE_ONLY),
        Text(
            f"Bundle '{bundle.name}' (models and thresholds {bundle.identity[:16]}), level {bundle.level}: segmenter "
            f"{bundle.segmenter}, classifier {bundle.classifier}, which is shown the {bundle.shown}. Judged through "
            f"the device's own pipeline on {fields.asked} test fields of split '{fields.split}' (seed {fields.seed}, "
            f"fold {fields.fold}, data {fields.fingerprint[:12]}). This page holds pictures of the fields: it belongs "
            "beside the data."
        ),
    ]
    if fields.trained_on:
        lines.append(
            Text(
                f"{fields.trained_on} of the {fields.asked} test fields were trained on, themselves or a re-shot of "
                "them: every figure below is too good."
            )
        )
    elif fields.trained_on is None:
        lines.append(Text("Whether any test field was trained on was not checked: no run was given."))
    return [
        *lines,
        Text(
            "Every figure and table on this page is made by this command; it reads controls.json if its folder has one:"
        ),
        Command(material.command),
        Text("What controls.json holds was measured by this one:"),
        Command(outcome.command),
    ]


def _worth(outcome: Outcome, found: Evaluation) -> list[Block]:
    return [
        Heading("What it is worth"),
        tables.headline(outcome, found),
        tables.by_class(found),
        Picture("confusion", "Confusion, in fields; refused ones by their best class", figures.confusion(found)),
    ]


def _controls(material: Material) -> list[Block]:
    outcome = material.outcome
    cells = (*outcome.background, *outcome.transplant, *outcome.bars)
    parts: list[Block] = [
        Heading("Controls: is it the cells that decide?"),
        tables.shares("Cells painted out; transplanted onto another class's ground; scale bar swapped", cells),
        Picture("controls", "What the bundle was shown", _examples(material)),
        Picture("graded", "Stain, white balance, blur and JPEG, in grades", figures.graded(outcome.graded)),
        tables.graded(outcome),
    ]
    maps = _maps(material)
    if maps:
        names = [f"{one.truth}, said {one.top}" for _, one in maps]
        grid = figures.pictures(figures.occluded(maps), ("field", "change when hidden"), names)
        parts += [
            Picture("occlusion", "Occlusion: glass hides each place in turn; red where the answer moves", grid),
            tables.shares("How much of that change is made where cells lie", outcome.looked_at),
        ]
    return parts


def _maps(material: Material) -> list[tuple[np.ndarray, Occlusion]]:
    each = MAPS_SHOWN // len(LABELS)
    chosen = [one for label in LABELS for one in [m for m in material.outcome.occlusion if m.truth == label][:each]]
    return [(read_field(material.fields / one.file), one) for one in chosen]


def _examples(material: Material, seed: int = 0) -> bytes:
    """One field of each class: as it is, cells painted out, on the next class's ground, with its scale bar."""
    rng = np.random.default_rng(seed)
    firsts = {label: next(row for row in material.outcome.clean if row.truth == label) for label in LABELS}
    images = {label: read_field(material.fields / row.file) for label, row in firsts.items()}
    masks = {label: material.judge.examine(image).mask.cell for label, image in images.items()}
    painted = {label: paint_out(images[label], masks[label], rng) for label in LABELS}
    rows = []
    for i, label in enumerate(LABELS):
        other = LABELS[(i + 1) % len(LABELS)]
        moved = transplant(images[label], masks[label], painted[other])
        rows.append([images[label], painted[label], moved, swap_bar(images[label], images[other])])
    heads = ("field", "cells painted out", "on another class's ground", "another scale bar")
    return figures.pictures(rows, heads, LABELS)


def _calibration(outcome: Outcome, found: Evaluation) -> list[Block]:
    bundle = outcome.bundle
    point = right_at(outcome.answers, bundle.abstain_below)
    return [
        Heading("Calibration and abstention"),
        Picture("reliability", "Reliability on the test part; temperature from the validation part, before any refit",
                figures.reliability(found, bundle.temperature)),
        Picture("risk-coverage", "Risk and coverage; the dot is the bundle's threshold alone, before any other refusal",
                figures.risk_coverage(found, point, bundle.abstain_below)),
        Text(f"Below {bundle.abstain_below:.3f} no label is given: that leaves {point[0]:.1%} of the fields, of whose "
             f"labels {point[1]:.2%} are wrong."),
    ]  # fmt: skip


def _strangers(outcome: Outcome) -> list[Block]:
    parts: list[Block] = [
        Heading("Strangers: what must get no label"),
        tables.shares("Refused strangers, and what is kept of the test fields", outcome.refused),
    ]
    if outcome.strangers:
        parts.append(tables.reasons(outcome))
    scores = figures.ood_scores(outcome)
    if scores is not None:
        parts.append(Picture("ood", "Out-of-distribution scores; what has no cell has no score", scores))
    return parts


def _paper(material: Material, found: Evaluation) -> list[Block]:
    outcome = material.outcome
    parts: list[Block] = [
        Heading("The paper's tables and figures beside ours"),
        Text(f"{paper.CITATION}; data of {paper.DATA}."),
        tables.table_1(outcome),
        tables.table_3(outcome, material.crossed, material.protocol),
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
        drawn = cv2.imread(str((material.root / "taleqani_masks" / file).with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        found = material.judge.examine(image).mask
        shown = np.where(drawn == IGNORE, np.uint8(110), drawn)
        rows.append([image, *(cv2.cvtColor(m, cv2.COLOR_GRAY2RGB) for m in (shown, found.values)),
                     figures.outlined(image, found.cell)])  # fmt: skip
    return figures.pictures(rows, ("input", "drawn mask", "this bundle", "outlined"), chosen)


def _approaches(material: Material) -> list[Block]:
    if not material.approaches:
        return []
    return [Heading("Approaches compared"), tables.approaches(material.approaches)]


def _cost(material: Material) -> list[Block]:
    outcome = material.outcome
    parts: list[Block] = [Heading("Budget and conversion")]
    if material.stages:
        parts.append(tables.budget(material.stages))
    return [
        *parts,
        Text(f"This page was measured in {outcome.minutes:.1f} minutes on {outcome.machine}, {outcome.made}."),
        tables.levels(material.judge.manifest),
    ]
