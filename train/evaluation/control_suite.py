"""All controls in one go: what `smearscope train controls` runs, and what each part costs nobody to leave out."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from smear.classes import LABELS
from smear.inference.evaluator import Answers, Judge, ask
from smear.progress import progress
from train.data.dataset import Dataset
from train.data.splits import Fold, NamedSplit
from train.evaluation import out_of_distribution, shortcut_controls
from train.evaluation.control_results import SCHEMA, Fields, Judged, Outcome, Strangers, machine
from train.evaluation.occlusion import Occlusion, occlude
from train.evaluation.shortcut_controls import Share, TestFields, read_field, share
from train.evaluation.threshold_masks import MaskScore, score_masks

KEPT = 0.95  # of the fields like those it learnt, at least so many must get a label
GRADED_FIELDS = 240  # of the test fields, disturbed in each of 21 ways: half of the time of all controls
OCCLUDED = 24  # fields, each examined 170 times


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be judged, and how much of it."""

    root: Path  # of the training data
    data: Dataset
    split: NamedSplit
    fold: int
    groups: dict[str, str]
    trained: frozenset[str] | None  # files the bundle was trained on; None: nobody told
    limit: int | None  # of test fields
    with_strangers: bool
    with_masks: bool
    command: str
    quiet: bool = False


def run(judge: Judge, plan: Plan) -> Outcome:
    """Run every control on the bundle that `aggregate` opened."""
    started = time.monotonic()
    fold, quiet = plan.split.folds[plan.fold], plan.quiet
    test = shortcut_controls.judged_on(plan.data, fold, plan.groups, plan.limit)
    few = shortcut_controls.judged_on(plan.data, fold, plan.groups, min(plan.limit or GRADED_FIELDS, GRADED_FIELDS))
    clean = shortcut_controls.clean(judge, test, quiet)
    checked = Fold(fold.train, (), fold.validation)
    validation = shortcut_controls.clean(
        judge, shortcut_controls.judged_on(plan.data, checked, plan.groups, plan.limit), quiet
    )
    forest = shortcut_controls.colours(test, quiet)
    _, background = shortcut_controls.background(judge, test, quiet)
    pairs = (
        shortcut_controls.PAIRS
        if plan.limit is None
        else max(1, min(shortcut_controls.PAIRS, plan.limit // len(LABELS)))
    )
    _, transplant = shortcut_controls.transplants(judge, test, quiet, pairs=pairs)
    graded = [shortcut_controls.undisturbed(_of(clean, few)), *shortcut_controls.disturbed(judge, few, quiet)]
    bars = shortcut_controls.bars_swapped(judge, test, clean, quiet)
    strange, refused = _strangers(judge, plan)
    maps, looked_at = _occlusion(judge, test, clean, quiet)
    masks = score_masks(judge, plan.root) if plan.with_masks else list[MaskScore]()
    return Outcome(
        schema=SCHEMA,
        bundle=_bundle(judge),
        fields=_fields(plan, test),
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
        bars=tuple(bars),
        strangers=strange,
        refused=(share("test fields: labelled", clean.labelled, clean.groups, KEPT), *refused),
        occlusion=maps,
        looked_at=looked_at,
        masks=tuple(masks),
    )


def _of(answers: Answers, test: TestFields) -> Answers:
    wanted = {record.file for record in test.records}
    return Answers(tuple(row for row in answers.rows if row.file in wanted))


def _bundle(judge: Judge) -> Judged:
    manifest = judge.manifest
    classifier = manifest.classifier
    return Judged(
        manifest.name, judge.sha256, judge.identity, judge.level, manifest.segmenter.name, classifier.name,
        classifier.shown, classifier.temperature, classifier.abstain_below, classifier.ood_above,
    )  # fmt: skip


def _fields(plan: Plan, test: TestFields) -> Fields:
    fold = plan.split.folds[plan.fold]
    counts = {
        name: {label: sum(file.startswith(f"{label}/") for file in getattr(fold, name)) for label in LABELS}
        for name in ("train", "validation", "test")
    }
    known = None
    if plan.trained is not None:
        taught = {plan.groups.get(file, file) for file in plan.trained}
        known = sum(plan.groups.get(record.file, record.file) in taught for record in test.records)
    return Fields(plan.split.name, plan.split.seed, plan.fold, plan.split.fingerprint, counts, len(test.records), known)


def _strangers(judge: Judge, plan: Plan) -> tuple[tuple[Strangers, ...], tuple[Share, ...]]:
    if not plan.with_strangers:
        return (), ()
    found, shares = [], []
    for source in out_of_distribution.sources():
        answers = ask(judge, out_of_distribution.pictures(source, plan.root), f"Strangers: {source}", plan.quiet)
        reasons = Counter(str(refusal.code) for row in answers.rows for refusal in row.refusals)
        scores = tuple(float(score) for score in answers.ood_scores)
        found.append(Strangers(source, len(answers), scores, dict(reasons.most_common())))
        shares.append(share(f"{source}: refused", ~answers.labelled, answers.groups, KEPT))
    return tuple(found), tuple(shares)


def _occlusion(
    judge: Judge, test: TestFields, clean: Answers, quiet: bool
) -> tuple[tuple[Occlusion, ...], tuple[Share, ...]]:
    """Map as many labelled fields of each class; how much of all change is made where cells lie."""
    given = set({row.group: row.file for row in clean.rows if row.label is not None}.values())  # one of each group
    maps: list[Occlusion] = []
    chosen = [
        record
        for label in LABELS
        for record in [r for r in test.records if r.label == label and r.file in given][: OCCLUDED // len(LABELS)]
    ]
    for record in progress(chosen, "Occlusion maps", quiet):
        group = test.groups.get(record.file, record.file)
        found = occlude(judge, read_field(record.path), record.file, record.label, group)
        if found is not None:
            maps.append(found)
    groups = [one.group for one in maps]
    return tuple(maps), (
        share("occlusion: share of the change made by patches on cells", _floats(maps, "share_on_cells"), groups),
        share("occlusion: share of patches that are on cells", _floats(maps, "patches_on_cells"), groups),
    )


def _floats(maps: list[Occlusion], name: str) -> np.ndarray:
    return np.array([getattr(one, name) for one in maps])
