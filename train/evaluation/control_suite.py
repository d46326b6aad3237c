"""All controls in one run: what `smearscope train controls` measures."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smear.bundle.training_run import read_facts
from smear.classes import LABELS
from smear.inference.evaluator import Answers, Evaluator, collect_answers
from smear.progress import progress
from train.data.splits import Fold, SplitData
from train.evaluation import out_of_distribution, shortcut_controls
from train.evaluation.control_results import (
    SCHEMA,
    EvaluatedBundle,
    FieldCounts,
    Outcome,
    OutOfDistribution,
    machine,
)
from train.evaluation.occlusion import Occlusion, occlude
from train.evaluation.shares import Share, share
from train.evaluation.shortcut_controls import EvaluatedFields, read_field
from train.evaluation.threshold_masks import score_masks

LABELLED = 0.95  # of fields like the training data, at least so many must get a label; of others, so many none
GRADED_FIELDS = 240  # of the test fields, under each of 21 corruptions: half of the time of all controls
OCCLUDED = 24  # fields, each examined 170 times


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The data that a bundle is evaluated on, and how much of it."""

    data: SplitData
    fold: int
    trained_on: frozenset[str] | None = None  # files that the bundle was trained on; None: not known
    limit: int | None = None  # of test fields
    with_ood: bool = True
    with_masks: bool = True
    command: str = ""  # that repeats the run
    quiet: bool = False


def trained_on(run_folder: Path) -> frozenset[str]:
    """Return the fields that the run in `run_folder` was trained on, named as in splits.

    Raises:
        ConversionError: its run.json cannot be read.
    """
    paths = [Path(picture.path) for picture in read_facts(run_folder).train_images]
    return frozenset(f"{path.parent.name}/{path.name}" for path in paths)


def run(evaluator: Evaluator, plan: Plan) -> Outcome:
    """Run every control on the bundle that `evaluator` opened.

    Raises:
        TrainingError: the split has no such fold.
    """
    started = time.monotonic()
    fold, quiet = plan.data.fold(plan.fold), plan.quiet
    test, few = _select(plan, fold, plan.limit), _select(plan, fold, min(plan.limit or GRADED_FIELDS, GRADED_FIELDS))
    clean = shortcut_controls.unchanged(evaluator, test, quiet)
    validation_fields = _select(plan, Fold(fold.train, (), fold.validation), plan.limit)
    validation = shortcut_controls.unchanged(evaluator, validation_fields, quiet)
    forest = shortcut_controls.colours(test, quiet)
    _, background = shortcut_controls.background(evaluator, test, quiet)
    _, transplant = shortcut_controls.transplants(evaluator, test, quiet, pairs=_pairs(plan.limit))
    graded = [
        shortcut_controls.uncorrupted(_of(clean, few)),
        *shortcut_controls.corrupted(evaluator, few, quiet),
    ]
    scale_bars = shortcut_controls.bars_swapped(evaluator, test, clean, quiet)
    ood, refused = _out_of_distribution(evaluator, plan)
    maps, occlusion_shares = _occlusion(evaluator, test, clean, quiet)
    return Outcome(
        schema=SCHEMA,
        bundle=_bundle(evaluator),
        fields=_counts(plan, fold, test),
        command=plan.command,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        minutes=(time.monotonic() - started) / 60.0,
        machine=machine(),
        clean=clean.rows,
        validation=validation.rows,
        forest=tuple(forest),
        background=tuple(background),
        transplant=tuple(transplant),
        graded=tuple(graded),
        scale_bars=tuple(scale_bars),
        out_of_distribution=ood,
        refused=(share("test fields: labelled", clean.labelled, clean.groups, LABELLED), *refused),
        occlusion=maps,
        occlusion_shares=occlusion_shares,
        masks=tuple(score_masks(evaluator, plan.data.root)) if plan.with_masks else (),
    )


def _select(plan: Plan, fold: Fold, limit: int | None) -> EvaluatedFields:
    return shortcut_controls.select_fields(plan.data.fields, fold, plan.data.groups, limit)


def _pairs(limit: int | None) -> int:
    most = shortcut_controls.PAIRS
    return most if limit is None else max(1, min(most, limit // len(LABELS)))


def _of(answers: Answers, fields: EvaluatedFields) -> Answers:
    wanted = {record.file for record in fields.records}
    return Answers(tuple(row for row in answers.rows if row.file in wanted))


def _bundle(evaluator: Evaluator) -> EvaluatedBundle:
    manifest = evaluator.manifest
    classifier = manifest.classifier
    return EvaluatedBundle(
        manifest.name, evaluator.sha256, evaluator.identity, evaluator.level, manifest.segmenter.name, classifier.name,
        classifier.shown, classifier.temperature, classifier.abstain_below, classifier.ood_above,
    )  # fmt: skip


def _counts(plan: Plan, fold: Fold, test: EvaluatedFields) -> FieldCounts:
    split = plan.data.split
    counts = {
        name: {label: sum(file.startswith(f"{label}/") for file in getattr(fold, name)) for label in LABELS}
        for name in ("train", "validation", "test")
    }
    seen = None
    if plan.trained_on is not None:
        groups = {plan.data.groups.get(file, file) for file in plan.trained_on}
        seen = sum(test.group(record) in groups for record in test.records)
    return FieldCounts(split.name, split.seed, plan.fold, split.fingerprint, counts, len(test.records), seen)


def _out_of_distribution(evaluator: Evaluator, plan: Plan) -> tuple[tuple[OutOfDistribution, ...], tuple[Share, ...]]:
    if not plan.with_ood:
        return (), ()
    found, shares = [], []
    for source in out_of_distribution.sources():
        pictures = out_of_distribution.pictures(source, plan.data.root)
        answers = collect_answers(evaluator, pictures, f"Out of distribution: {source}", plan.quiet)
        reasons = Counter(str(refusal.code) for row in answers.rows for refusal in row.refusals)
        scores = tuple(float(score) for score in answers.ood_scores)
        found.append(OutOfDistribution(source, len(answers), scores, dict(reasons.most_common())))
        shares.append(share(f"{source}: refused", ~answers.labelled, answers.groups, LABELLED))
    return tuple(found), tuple(shares)


def _occlusion(
    evaluator: Evaluator, test: EvaluatedFields, clean: Answers, quiet: bool
) -> tuple[tuple[Occlusion, ...], tuple[Share, ...]]:
    """Map equally many labelled fields of each class; return the maps, and the share of the change made on cells."""
    given = set({row.group: row.file for row in clean.rows if row.label is not None}.values())  # one of each group
    chosen = [
        record
        for label in LABELS
        for record in [r for r in test.records if r.label == label and r.file in given][: OCCLUDED // len(LABELS)]
    ]
    maps: list[Occlusion] = []
    for record in progress(chosen, "Occlusion maps", quiet):
        found = occlude(evaluator, read_field(record.path), record.file, record.label, test.group(record))
        if found is not None:
            maps.append(found)
    groups = [one.group for one in maps]
    return tuple(maps), (
        share("occlusion: share of the change made by patches on cells", _floats(maps, "share_on_cells"), groups),
        share("occlusion: share of patches that are on cells", _floats(maps, "patches_on_cells"), groups),
    )


def _floats(maps: list[Occlusion], name: str) -> NDArray[np.float64]:
    return np.array([getattr(one, name) for one in maps])
