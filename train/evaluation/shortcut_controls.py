"""Controls for shortcuts, reported beside every accuracy: whether the bundle looks at the cells or around them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.findings import RefusalCode
from smear.images import read_image
from smear.imaging.resampling import to_model_scale
from smear.inference.evaluator import NO_CELL, Answers, Evaluator, LabelledPicture, collect_answers, refused_for
from train.data.dataset import Dataset, Record
from train.data.splits import Fold
from train.evaluation import colour_forest
from train.evaluation.background_swaps import paint_out, swap_bar, transplant
from train.evaluation.corruptions import Change, all_corruptions
from train.evaluation.shares import Share, share

PAIRS = 30  # transplants for each ordered pair of classes: 360 in all


@dataclass(frozen=True, slots=True)
class EvaluatedFields:
    """The fields that a bundle is evaluated on, none of which it was trained on."""

    data: Dataset
    fold: Fold
    records: tuple[Record, ...]  # of the fold's test part
    groups: dict[str, str]  # file -> group; a file that is missing is its own group

    def group(self, record: Record) -> str:
        """Return the group of near-duplicates that `record` belongs to."""
        return self.groups.get(record.file, record.file)

    def picture(self, record: Record, change: Change) -> LabelledPicture:
        """Return `record` as a picture to be answered, after `change`."""
        return LabelledPicture(record.file, change(read_field(record.path)), record.label, self.group(record))


def read_field(path: Path) -> NDArray[np.uint8]:
    """Return the field at `path` at the models' scale, RGB uint8 (224, 224, 3): in this data set, as it is stored."""
    return to_model_scale(read_image(path)).pixels


def select_fields(data: Dataset, fold: Fold, groups: dict[str, str], limit: int | None = None) -> EvaluatedFields:
    """Return the test part of `fold`, or a seeded sample of at most `limit` fields of it, spread over the classes."""
    known = {record.file: record for record in data.records}
    records = [known[file] for file in fold.test]
    if limit is not None and limit < len(records):
        rng = np.random.default_rng(0)
        each = _of_each_class(limit)
        of_class = [[r for r in records if r.label == label] for label in LABELS]
        drawn = [own[i] for own in of_class for i in rng.permutation(len(own))[:each]]
        records = sorted(drawn, key=lambda r: r.file)
    return EvaluatedFields(data, fold, tuple(records), groups)


def count_selected(counts: Mapping[str, int], limit: int | None) -> int:
    """Return how many fields `select_fields` takes of a test part that has `counts` of each class."""
    every = sum(counts.values())
    if limit is None or limit >= every:
        return every
    return sum(min(count, _of_each_class(limit)) for count in counts.values())


def _of_each_class(limit: int) -> int:
    return max(1, limit // len(LABELS))


def answers_after(
    change: Change, evaluator: Evaluator, fields: EvaluatedFields, text: str, quiet: bool = False
) -> Answers:
    """Return the answers to the fields after `change`, with a progress bar titled `text`."""
    pictures = (fields.picture(record, change) for record in fields.records)
    return collect_answers(evaluator, pictures, text, quiet, len(fields.records))


def unchanged(evaluator: Evaluator, fields: EvaluatedFields, quiet: bool) -> Answers:
    """Return the answers to the fields as they are."""
    return answers_after(lambda image: image, evaluator, fields, "Test fields", quiet)


def colours(fields: EvaluatedFields, quiet: bool) -> list[Share]:
    """(a) The accuracy of a random forest on the same fields, from colours of the background and of the whole field."""
    wanted = set(fields.fold.train) | {record.file for record in fields.records}
    some = Dataset(fields.data.root, tuple(r for r in fields.data.records if r.file in wanted))
    fold = Fold(fields.fold.train, (), tuple(record.file for record in fields.records))
    groups = [fields.group(record) for record in fields.records]
    scores = colour_forest.evaluate_forest(some, colour_forest.histograms(some.records, quiet), fold)
    return [share(f"colour forest, {one.sees}: accuracy", np.array(one.right), groups) for one in scores]


def background(evaluator: Evaluator, fields: EvaluatedFields, quiet: bool) -> list[Share]:
    """(b) The cells painted out with their own background: every field must be refused for having no cell."""
    rng = np.random.default_rng(0)

    def without_cells(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return paint_out(image, evaluator.examine(image).mask.cell, rng)

    answers = answers_after(without_cells, evaluator, fields, "Cells painted out", quiet)
    no_cell = refused_for(answers.rows, RefusalCode.NO_CELLS)
    return [
        share("background only: refused", ~answers.labelled, answers.groups, 0.99),
        share("background only: refused for having no cell", no_cell, answers.groups, 0.99),
    ]


def transplants(evaluator: Evaluator, fields: EvaluatedFields, quiet: bool, pairs: int = PAIRS) -> list[Share]:
    """(c) Cells of one class on the background of another: the label must follow the cells, not the background."""
    pictures = _transplanted(evaluator, fields, np.random.default_rng(0), pairs)
    total = pairs * len(LABELS) * (len(LABELS) - 1)
    answers = collect_answers(evaluator, pictures, "Transplants", quiet, total)
    of_background = np.array([LABELS.index(row.file.rpartition(" on ")[2].partition("/")[0]) for row in answers.rows])
    given, truth, top = answers.labelled, answers.truth, answers.top
    groups = np.array(answers.groups)
    return [
        share("transplant: of the labelled, the label is the cells'", (top == truth)[given], groups[given], 0.90),
        share("transplant: of the labelled, the label is the background's", (top == of_background)[given],
              groups[given]),
        share("transplant: labelled at all", given, groups),
        share("transplant: best class is the cells', refusals included", top == truth, groups),
        share("transplant: best class is the background's, refusals included", top == of_background, groups),
    ]  # fmt: skip


def _transplanted(
    evaluator: Evaluator, fields: EvaluatedFields, rng: np.random.Generator, pairs: int
) -> Iterator[LabelledPicture]:
    """Yield fields called "DONOR on HOST", whose class is that of the cells."""
    by_class = {label: [r for r in fields.records if r.label == label] for label in LABELS}
    for ours, theirs in permutations(LABELS, 2):
        donors = rng.permutation(len(by_class[ours]))
        hosts = rng.permutation(len(by_class[theirs]))
        for number in range(pairs):
            donor = by_class[ours][donors[number % len(donors)]]
            host = by_class[theirs][hosts[number % len(hosts)]]
            cells, under = read_field(donor.path), read_field(host.path)
            onto = paint_out(under, evaluator.examine(under).mask.cell, rng)
            image = transplant(cells, evaluator.examine(cells).mask.cell, onto)
            yield LabelledPicture(f"{donor.file} on {host.file}", image, donor.label, fields.group(donor))


@dataclass(frozen=True, slots=True)
class Graded:
    """The answers under one corruption at one strength."""

    kind: str
    strength: str
    accuracy: Share  # of the best class, refused fields included
    right_if_labelled: Share
    labelled: Share


def corrupted(evaluator: Evaluator, fields: EvaluatedFields, before: Answers, quiet: bool) -> list[Graded]:
    """(d) Stain shifted, white balance off, blur and JPEG: accuracy and refusals at each strength, after `before`."""
    rows = [_graded("none", "as photographed", before)]
    for one in all_corruptions():
        answers = answers_after(one.apply, evaluator, fields, f"{one.kind}, {one.strength}", quiet)
        rows.append(_graded(one.kind, one.strength, answers))
    return rows


def _graded(kind: str, strength: str, answers: Answers) -> Graded:
    right, given, groups = answers.top == answers.truth, answers.labelled, np.array(answers.groups)
    return Graded(
        kind,
        strength,
        share("accuracy", right, groups),
        share("right, if labelled", right[given], groups[given]),
        share("labelled", given, groups),
    )


def bars_swapped(evaluator: Evaluator, fields: EvaluatedFields, before: Answers, quiet: bool) -> list[Share]:
    """(e) The scale bar of another class: the label must stay; `before` are the answers to the fields as they are."""
    rng = np.random.default_rng(0)
    others = {label: [r for r in fields.records if r.label != label] for label in LABELS}

    def swapped(record: Record) -> LabelledPicture:
        donor = others[record.label][int(rng.integers(len(others[record.label])))]
        return fields.picture(record, lambda image: swap_bar(image, read_field(donor.path)))

    after = collect_answers(evaluator, map(swapped, fields.records), "Scale bars swapped", quiet, len(fields.records))
    seen = (before.top != NO_CELL) | (after.top != NO_CELL)
    both = before.labelled & after.labelled
    groups = np.array(before.groups)
    same = np.array([a.label == b.label for a, b in zip(before.rows, after.rows, strict=True)])
    return [
        share("scale bar swapped: label the same, of those labelled both times", same[both], groups[both], 0.99),
        share("scale bar swapped: best class the same", (before.top == after.top)[seen], groups[seen]),
        share("scale bar swapped: label or refusal the same", same, groups),
    ]
