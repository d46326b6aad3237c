"""All controls in one run: what `smearscope train controls` measures."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from smear.bundle.training_run import read_facts
from smear.classes import LABELS
from smear.inference.evaluator import Answers, Evaluator, collect_answers
from smear.progress import progress
from train.data.splits import Fold, SplitData, load_split_data
from train.evaluation import out_of_distribution, shortcut_controls
from train.evaluation.control_results import SCHEMA, EvaluatedBundle, FieldCounts, Outcome, OutOfDistribution, machine
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


def read_plan(
    data: Path, fields: str, split: Path, audit: Path | None, run: Path | None, *, quiet: bool, **rest: Any
) -> Plan:
    """Return a plan for the fields of a split, and for what the training run in the folder `run` was trained on.

    `rest` are further values of `Plan`.

    Raises:
        DatasetError: fields, split or audit cannot be read.
        ConversionError: the run's run.json cannot be read.
    """
    paths = [Path(picture.path) for picture in read_facts(run).train_images] if run else []
    trained_on = frozenset(f"{path.parent.name}/{path.name}" for path in paths)  # named as in splits
    read = load_split_data(data, fields, split, audit, quiet)
    return Plan(data=read, trained_on=trained_on if run else None, quiet=quiet, **rest)


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
    background = shortcut_controls.background(evaluator, test, quiet)
    most = shortcut_controls.PAIRS
    pairs = most if plan.limit is None else max(1, min(most, plan.limit // len(LABELS)))
    transplant = shortcut_controls.transplants(evaluator, test, quiet, pairs)
    graded_files = {record.file for record in few.records}
    before = Answers(tuple(row for row in clean.rows if row.file in graded_files))
    graded = shortcut_controls.corrupted(evaluator, few, before, quiet)
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
    of_class = {label: [r for r in test.records if r.label == label and r.file in given] for label in LABELS}
    chosen = [record for records in of_class.values() for record in records[: OCCLUDED // len(LABELS)]]
    maps: list[Occlusion] = []
    for record in progress(chosen, "Occlusion maps", quiet):
        found = occlude(evaluator, read_field(record.path), record.file, record.label, test.group(record))
        if found is not None:
            maps.append(found)
    groups = [one.group for one in maps]
    return tuple(maps), (
        share("occlusion: share of the change made by patches on cells", [one.share_on_cells for one in maps], groups),
        share("occlusion: share of patches that are on cells", [one.patches_on_cells for one in maps], groups),
    )
