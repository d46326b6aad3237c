"""The controls that stand beside every accuracy: does the bundle look at the cells, or at what lies between them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from smear.classes import LABELS
from smear.findings import RefusalCode
from smear.images import read_image
from smear.imaging.resampling import to_model_scale
from smear.inference.evaluator import NO_CELL, Answers, Judge, Shown, ask, refused_for
from smear.metrics import bootstrap_interval
from train.data.dataset import Dataset, Record
from train.data.splits import Fold
from train.evaluation import colour_forest
from train.evaluation.background_swaps import paint_out, swap_bar, transplant
from train.evaluation.corruptions import Disturbance, all_disturbances

PAIRS = 30  # transplants for each ordered pair of classes: 360 in all


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `n` pictures with its 95 % interval, resampled by group; `wanted` is the least that passes."""

    name: str
    value: float
    low: float
    high: float
    n: int
    wanted: float | None = None

    @property
    def passed(self) -> bool | None:
        """Whether it is at least what is wanted; None where nothing is."""
        return None if self.wanted is None else self.value >= self.wanted


@dataclass(frozen=True, slots=True)
class TestFields:
    """The fields a bundle is judged on, none of which it was trained on."""

    data: Dataset
    fold: Fold
    records: tuple[Record, ...]  # of the fold's test part
    groups: dict[str, str]  # file -> group; a file that is missing is its own group

    def shown(self, record: Record, change: Callable[[np.ndarray], np.ndarray] = lambda image: image) -> Shown:
        """Return `record` as a picture for a judge, changed by `change`."""
        image = change(read_field(record.path))
        return Shown(record.file, image, record.label, self.groups.get(record.file, record.file))


def read_field(path: Path) -> np.ndarray:
    """Return the field at `path` at the models' scale, RGB uint8 (224, 224, 3): as it is, in this data set."""
    return to_model_scale(read_image(path)).pixels


def share(name: str, yes: np.ndarray, groups: Sequence[str], wanted: float | None = None) -> Share:
    """Return the share of true values in bool (n,) `yes`; of none, 0 with the widest interval."""
    if not len(yes):
        return Share(name, 0.0, 0.0, 1.0, 0, wanted)
    values = yes.astype(float)
    low, high = bootstrap_interval(values, groups, lambda drawn: float(drawn.mean()), 0)
    return Share(name, float(values.mean()), low, high, len(yes), wanted)


def clean(judge: Judge, test: TestFields, quiet: bool = False) -> Answers:
    """Put the test fields as they are before the judge."""
    return ask(judge, map(test.shown, test.records), "Test fields", quiet, len(test.records))


def colours(test: TestFields, quiet: bool = False) -> list[Share]:
    """(a) What a random forest tells of the same test fields from colour histograms, of the ground and of all."""
    wanted = set(test.fold.train) | {record.file for record in test.records}
    some = Dataset(test.data.root, tuple(r for r in test.data.records if r.file in wanted))
    fold = Fold(test.fold.train, (), tuple(record.file for record in test.records))
    groups = [test.groups.get(file, file) for file in fold.test]
    told = colour_forest.judge(some, colour_forest.histograms(some.records, quiet), fold)
    return [share(f"colour forest, {one.shown}: accuracy", np.array(one.right), groups) for one in told]


def background(judge: Judge, test: TestFields, quiet: bool = False, seed: int = 0) -> tuple[Answers, list[Share]]:
    """(b) The cells painted out with their own ground: every field must be refused, for having no cell."""
    rng = np.random.default_rng(seed)

    def without_cells(image: np.ndarray) -> np.ndarray:
        return paint_out(image, judge.examine(image).mask.cell, rng)

    pictures = (test.shown(record, without_cells) for record in test.records)
    answers = ask(judge, pictures, "Cells painted out", quiet, len(test.records))
    return answers, [
        share("background only: refused", ~answers.labelled, answers.groups, 0.99),
        share(
            "background only: refused for having no cell",
            refused_for(answers.rows, RefusalCode.NO_CELLS),
            answers.groups,
            0.99,
        ),
    ]


def transplants(
    judge: Judge, test: TestFields, quiet: bool = False, seed: int = 0, pairs: int = PAIRS
) -> tuple[Answers, list[Share]]:
    """(c) Cells of one class on the ground of another: the label must follow the cells, not the ground.

    `truth` of the answers is the class of the cells; the class of the ground is the last part of their `file`.
    """
    rng = np.random.default_rng(seed)
    answers = ask(
        judge,
        _transplanted(judge, test, rng, pairs),
        "Transplants",
        quiet,
        pairs * len(LABELS) * (len(LABELS) - 1),
    )
    grounds = np.array([LABELS.index(row.file.rpartition(" on ")[2].partition("/")[0]) for row in answers.rows])
    given, truth, top = answers.labelled, answers.truth, answers.top
    groups = np.array(answers.groups)
    return answers, [
        share("transplant: of the labelled, the label is the cells'", (top == truth)[given], groups[given], 0.90),
        share("transplant: of the labelled, the label is the ground's", (top == grounds)[given], groups[given]),
        share("transplant: labelled at all", given, groups),
        share("transplant: best class is the cells', refusals included", top == truth, groups),
        share("transplant: best class is the ground's, refusals included", top == grounds, groups),
    ]


def _transplanted(judge: Judge, test: TestFields, rng: np.random.Generator, pairs: int) -> Iterator[Shown]:
    by_class = {label: [r for r in test.records if r.label == label] for label in LABELS}
    for ours, theirs in permutations(LABELS, 2):
        donors = rng.permutation(len(by_class[ours]))
        hosts = rng.permutation(len(by_class[theirs]))
        for number in range(pairs):
            donor = by_class[ours][donors[number % len(donors)]]
            host = by_class[theirs][hosts[number % len(hosts)]]
            cells, ground = read_field(donor.path), read_field(host.path)
            onto = paint_out(ground, judge.examine(ground).mask.cell, rng)
            image = transplant(cells, judge.examine(cells).mask.cell, onto)
            group = test.groups.get(donor.file, donor.file)
            yield Shown(f"{donor.file} on {host.file}", image, donor.label, group)


@dataclass(frozen=True, slots=True)
class Graded:
    """What is left of the bundle's answers under one disturbance."""

    kind: str
    strength: str
    accuracy: Share  # of the best class, refused fields included
    right_if_labelled: Share
    labelled: Share


def disturbed(judge: Judge, test: TestFields, quiet: bool = False) -> list[Graded]:
    """(d) Stain shifted, white balance off, blur and JPEG: accuracy and refusals at each strength."""
    return [_graded(one.kind, one.strength, _under(judge, test, one, quiet)) for one in all_disturbances()]


def _under(judge: Judge, test: TestFields, one: Disturbance, quiet: bool) -> Answers:
    pictures = (test.shown(record, one.apply) for record in test.records)
    return ask(judge, pictures, f"{one.kind}, {one.strength}", quiet, len(test.records))


def _graded(kind: str, strength: str, answers: Answers) -> Graded:
    right, given, groups = answers.top == answers.truth, answers.labelled, np.array(answers.groups)
    return Graded(
        kind,
        strength,
        share("accuracy", right, groups),
        share("right, if labelled", right[given], groups[given]),
        share("labelled", given, groups),
    )


def undisturbed(answers: Answers) -> Graded:
    """Return the first row of that table: the fields as they are."""
    return _graded("none", "as photographed", answers)


def bars_swapped(judge: Judge, test: TestFields, before: Answers, quiet: bool = False, seed: int = 0) -> list[Share]:
    """(e) The scale bar of another class burned in: the label must stay; `before` are the `clean` answers."""
    rng = np.random.default_rng(seed)
    others = {label: [r for r in test.records if r.label != label] for label in LABELS}

    def swapped(record: Record) -> Shown:
        donor = others[record.label][rng.integers(len(others[record.label]))]
        return test.shown(record, lambda image: swap_bar(image, read_field(donor.path)))

    after = ask(judge, map(swapped, test.records), "Scale bars swapped", quiet, len(test.records))
    seen = (before.top != NO_CELL) | (after.top != NO_CELL)
    both = before.labelled & after.labelled
    groups = np.array(before.groups)
    same = np.array([a.label == b.label for a, b in zip(before.rows, after.rows, strict=True)])
    return [
        share("scale bar swapped: label the same, of those labelled both times", same[both], groups[both], 0.99),
        share("scale bar swapped: best class the same", (before.top == after.top)[seen], groups[seen]),
        share("scale bar swapped: label or refusal the same", same, groups),
    ]


def judged_on(data: Dataset, fold: Fold, groups: dict[str, str], limit: int | None = None) -> TestFields:
    """Return the test part of `fold`, or a seeded draw of at most `limit` fields of it, spread over the classes."""
    known = {record.file: record for record in data.records}
    records = [known[file] for file in fold.test]
    if limit is not None and limit < len(records):
        rng = np.random.default_rng(0)
        each = max(1, limit // len(LABELS))
        drawn = [r for label in LABELS for r in _some([r for r in records if r.label == label], each, rng)]
        records = sorted(drawn, key=lambda r: r.file)
    return TestFields(data, fold, tuple(records), groups)


def _some(records: list[Record], count: int, rng: np.random.Generator) -> list[Record]:
    return [records[i] for i in rng.permutation(len(records))[:count]]
