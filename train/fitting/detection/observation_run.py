"""All pictures that the out-of-distribution detector is fitted to and measured with, looked at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.images import read_image
from smear.progress import progress
from smear.synthetic import render
from train.data.dataset import Record
from train.data.laboratories import CONDITIONS, Condition, Laboratory, files, pictures, white_balanced
from train.data.splits import SplitData
from train.evaluation.corruptions import Corruption, all_corruptions
from train.evaluation.features.observed_fields import ObservedField, Observer
from train.fitting.detection.detector import FEW_CELLS, OwnFields

MILD = {
    "stain": ("blue dye x1.1, eosin x0.9", "blue dye x0.9, eosin x1.1"),
    "white balance": ("red x0.95, blue x1.0", "red x1.0, blue x0.95"),
    "blur": ("sigma 0.5 px", "sigma 1.0 px"),
    "JPEG": ("quality 80", "quality 50", "quality 30"),
}
"""Corruptions that change no cell into another: our own fields under them are our own fields."""

RENDERED, RENDERED_SEED = 400, 50_000  # fields, and the first seed: far from those of tests and demonstrations
Labelled = list[tuple[ObservedField, int]]


@dataclass(frozen=True, slots=True, eq=False)
class LaboratoryFields:
    """The pictures of one laboratory under each condition, in the same order."""

    laboratory: Laboratory
    conditions: dict[Condition, list[ObservedField]]

    def part(self, folder: str) -> "LaboratoryFields":
        """Return the pictures of one `folder` of the laboratory alone."""
        inner = {
            condition: [field for field in fields if field.name.startswith(f"{folder}/")]
            for condition, fields in self.conditions.items()
        }
        return LaboratoryFields(replace(self.laboratory, name=f"{self.laboratory.name}, {folder}s"), inner)


def observe_own(observer: Observer, data: SplitData, fold: int, seed: int, quiet: bool) -> OwnFields:
    """Look at our own fields: clean, turned under a mild corruption, and with few of their cells left."""
    parts, rng = data.fold(fold), np.random.default_rng(seed)
    train, validation = data.records(parts.train), data.records(parts.validation)
    few: dict[int, Labelled] = {count: [] for count in range(1, FEW_CELLS + 1)}
    for record in progress(validation, "Validation fields with few cells", quiet):
        image = read_image(record.path)
        for field in observer.observe_few_cells(record.file, image, tuple(few), rng):
            few[field.cells].append((field, LABELS.index(record.label)))
    mild = [one for one in all_corruptions() if one.strength in MILD.get(one.kind, ())]
    return OwnFields(
        train=_observe(observer, train, "Training fields", quiet),
        validation=_observe(observer, validation, "Validation fields", quiet),
        test=_observe(observer, data.records(parts.test), "Test fields", quiet),
        corrupted_train=_observe(observer, train, "Training fields, corrupted", quiet, mild, rng),
        corrupted_validation=_observe(observer, validation, "Validation fields, corrupted", quiet, mild, rng),
        turned_test=_observe(observer, data.records(parts.test), "Test fields, turned", quiet, (), rng),
        rendered=_rendered(observer, quiet),
        few=few,
    )


def _rendered(observer: Observer, quiet: bool) -> list[ObservedField]:
    seeds = progress(range(RENDERED_SEED, RENDERED_SEED + RENDERED), "Rendered fields", quiet)
    fields = (observer.observe(str(seed), render(LABELS[seed % len(LABELS)], seed).image, None) for seed in seeds)
    return [field for field in fields if field.cells]


def _observe(
    observer: Observer,
    records: Sequence[Record],
    text: str,
    quiet: bool,
    corruptions: Sequence[Corruption] = (),
    rng: np.random.Generator | None = None,
) -> Labelled:
    found: Labelled = []
    for record in progress(records, text, quiet):
        image = read_image(record.path)
        if rng is not None:
            if corruptions:
                image = corruptions[int(rng.integers(len(corruptions)))].apply(image)
            image = turned(image, int(rng.integers(1, 8)))
        found.append((observer.observe(record.file, image, None), LABELS.index(record.label)))
    return found


def turned(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Return `image` turned by `number` right angles, and from 4 on mirrored too: no camera's way up is the right one.

    Cells of the data set are 0.78 times as wide as they are high, so that a quarter turn is a change of shape.
    """
    rotated = np.rot90(image, number)
    return np.ascontiguousarray(rotated[:, ::-1] if number >= 4 else rotated)


def observe_laboratory(observer: Observer, laboratory: Laboratory, root: Path, quiet: bool) -> LaboratoryFields:
    """Look at every picture of `laboratory` under each of `CONDITIONS`."""
    found: dict[Condition, list[ObservedField]] = {condition: [] for condition in CONDITIONS}
    total = len(files(laboratory, root))
    for name, image in progress(pictures(laboratory, root), f"Laboratory {laboratory.name}", quiet, total):
        for condition, field in zip(CONDITIONS, _conditions(observer, name, image, laboratory), strict=True):
            found[condition].append(field)
    return LaboratoryFields(laboratory, found)


def _conditions(
    observer: Observer, name: str, image: NDArray[np.uint8], laboratory: Laboratory
) -> tuple[ObservedField, ...]:
    scale = laboratory.pixel_size_um
    scaled, cell = observer.observe_with_cells(name, image, scale)
    balanced = observer.observe(name, white_balanced(image, cell), scale)
    return observer.observe(name, image, None), scaled, balanced
