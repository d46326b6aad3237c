"""One adaptation of a bundle to a site: fields read, the last layer fitted, and its gain cross-validated."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.bundle.derivation import derive
from smear.bundle.folder import FITTED, Bundle, load_bundle
from smear.bundle.levels import Level, level_spec
from smear.bundle.manifest import ModelFile
from smear.classes import LABELS
from smear.images import read_image
from smear.inference.evaluator import Answer, Answers, Evaluator, LabelledPicture, collect_answers
from smear.inference.verification import GOLDEN, verify
from smear.progress import progress
from train.data.reviewed_fields import ReviewedField, require_enough
from train.evaluation.features.field_features import LEVEL, FeatureReader, SeenField, feature_shift
from train.fitting.adaptation.golden_file import renewed_golden
from train.fitting.adaptation.outcome import MAX_LOST, Adaptation, card_section, compare
from train.fitting.adaptation.site_adaptation import (
    STRENGTHS,
    Statistics,
    choose_strength,
    fit_head,
    folds_of,
    lost_answers,
    out_of_fold,
)
from train.fitting.adaptation.site_statistics import features_of, rendered_statistics, stored_statistics
from train.fitting.calibration import abstention_threshold, fit_temperature
from train.networks.tflite_head import Head, read_head, with_head

LEAST_FIELDS = 6  # of each class that the site has: each of the parts needs some
PARTS = 3  # of the fields: what each answers is measured on is fitted to the others
SHIFT_FIELDS = 16  # at most, on which the features of the levels are compared: int16x8 takes seconds a field
CARD = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True, eq=False)
class _Site:
    fields: Sequence[ReviewedField]  # with cells
    features: NDArray[np.float64]
    truth: NDArray[np.int64]
    groups: list[str]
    places: NDArray[np.float32]  # (n, d), features of all places of all fields
    shifts: dict[Level, NDArray[np.float64]]  # (d,), of the features at each level against float32

    def rows(self, which: NDArray[np.bool_]) -> "_Site":
        """Return some of the fields; places and shifts stay those of all, since they say nothing of any class."""
        rows = np.flatnonzero(which).tolist()
        fields, groups = [self.fields[row] for row in rows], [self.groups[row] for row in rows]
        return replace(self, fields=fields, features=self.features[rows], truth=self.truth[rows], groups=groups)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    strength: float  # of the penalty
    head: Head


def adapt(
    path: Path, reviewed: Sequence[ReviewedField], out: Path, level: Level, seed: int = 0, quiet: bool = False
) -> Adaptation:
    """Fit the last layer of the bundle at `path` to `reviewed` fields, and write it to `out` where that is better.

    All fields are fitted. Whether that is better is measured on the same fields, each by a bundle whose layer, penalty
    and thresholds were fitted without its slide's third of them. Temperature and the threshold of certainty are fitted
    to answers of layers that had not seen the field; the out-of-distribution threshold stays, since reviewed fields do
    not show what it must keep out.

    Raises:
        BundleError: the bundle is damaged, or lacks float32 or `level`.
        DatasetError: too few of the fields have cells.
        TrainingError: its classifier is not shown all cells at once.
    """
    bundle = load_bundle(path)
    head = read_head(bundle.model("classifier", LEVEL).read_bytes())
    with FeatureReader(bundle) as reader:
        site = _read(bundle, reader, reviewed, quiet)
        stored = stored_statistics(bundle, head.weights.shape[1])
        old = stored or rendered_statistics(reader, quiet)
    parts = folds_of(site.truth, site.groups, PARTS, seed)
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        before = _answers(
            path, level, [site.fields[row] for part in parts for row in np.flatnonzero(part).tolist()], quiet
        )
        after: list[Answer] = []
        for number, part in enumerate(parts):
            made, _ = _fit(bundle, head, site.rows(~part), old, Path(scratch, str(number)), seed)
            after.extend(_answers(made.path, level, site.rows(part).fields, quiet).rows)
        made, layer = _fit(bundle, head, site, old, Path(scratch, "bundle"), seed)
        lost = lost_answers(head, layer.head, old)
        found = compare(before, Answers(tuple(after)), lost, len(site.truth), layer.strength, stored is not None)
        if not found.faults:
            _finish(made, out, level, found)
    return found


def _fit(bundle: Bundle, head: Head, site: _Site, old: Statistics, folder: Path, seed: int) -> tuple[Bundle, _Layer]:
    """Write `bundle` to `folder` with a last layer fitted to `site`; return it, and the layer."""
    least = choose_strength(head, site.features, site.truth, site.groups, old, seed)
    layer = _holding_on(head, site.features, site.truth, old, least, seed)
    unseen = out_of_fold(head, site.features, site.truth, site.groups, old, layer.strength, seed)
    change = Head(layer.head.weights - head.weights, layer.head.bias - head.bias)
    return _write(bundle, folder, change, site, unseen), layer


def _holding_on(
    head: Head, features: NDArray[Any], truth: NDArray[Any], old: Statistics, least: float, seed: int
) -> _Layer:
    """Return the layer of the weakest penalty from `least` on under which the old site keeps its answers."""
    for strength in (each for each in STRENGTHS if each >= least):
        fitted = fit_head(head, features, truth, old, strength, seed)
        if lost_answers(head, fitted, old) <= MAX_LOST:
            break
    return _Layer(strength, fitted)


def _read(bundle: Bundle, reader: FeatureReader, reviewed: Sequence[ReviewedField], quiet: bool) -> _Site:
    seen: list[tuple[ReviewedField, SeenField]] = []
    for field in progress(reviewed, "Reading fields", quiet):
        found = reader.read(read_image(field.path), field.path.name)
        if found.features is not None:
            seen.append((field, found))
    require_enough([field for field, _ in seen], LEAST_FIELDS, "with cells")
    shown = [each.shown for _, each in seen[:: len(seen) // SHIFT_FIELDS + 1] if each.shown is not None]
    return _Site(
        [field for field, _ in seen],
        features_of([each for _, each in seen]),
        np.array([LABELS.index(field.label) for field, _ in seen]),
        [field.slide for field, _ in seen],
        np.concatenate([each.places for _, each in seen]),
        {level: feature_shift(bundle, level, shown) for level in _own_levels(bundle)},
    )


def _write(bundle: Bundle, folder: Path, change: Head, site: _Site, unseen: NDArray[Any]) -> Bundle:
    """Write `bundle` with `change` added to the last layer of every level, and temperature and threshold fitted.

    They are fitted to `unseen` answers. A level keeps what its own layer differs by, which int8 was fine-tuned with;
    and its biases are reduced by what the change makes of the shift of its features (bias correction).
    """
    facts, levels = bundle.manifest.classifier, _own_levels(bundle)
    changed = {}
    for level, entry in levels.items():
        data = (bundle.path / entry.file).read_bytes()
        own = read_head(data)
        head = Head(own.weights + change.weights, own.bias + change.bias - change.weights @ site.shifts[level])
        logits = head.logits(site.places + site.shifts[level])
        changed[entry.file] = with_head(data, head, float(logits.min()), float(logits.max()))
    # Never surer than before: a few dozen fields that are all right would be fitted by a temperature near 0.
    temperature = max(facts.temperature, fit_temperature(unseen, site.truth))
    scaled = np.exp(unseen / temperature)
    sure = max(facts.abstain_below, abstention_threshold(scaled / scaled.sum(axis=1, keepdims=True), site.truth))
    bare = {name: entry.model_copy(update={"figures": {}}) for name, entry in levels.items()}  # measured elsewhere
    few = tuple(max(each, temperature) for each in facts.few_cells_temperature)  # never less doubt than of more cells
    update = {"temperature": temperature, "abstain_below": sure, "levels": bare, "figures": {}}
    update |= {"few_cells_temperature": few}
    kept_segmenter = {name: entry for name, entry in bundle.manifest.segmenter.levels.items() if name in levels}
    manifest = bundle.manifest.model_copy(
        update={
            "name": f"{bundle.manifest.name}-adapted",
            "classifier": facts.model_copy(update=update),
            "segmenter": bundle.manifest.segmenter.model_copy(update={"levels": kept_segmenter}),
        }
    )
    files = {levels[name].file: changed[levels[name].file] for name in levels}
    golden = renewed_golden(bundle, {name: changed[entry.file] for name, entry in levels.items()})
    fitted = bundle.fitted_fields().union(field.sha256 for field in site.fields)
    files |= {GOLDEN: golden, FITTED: "\n".join(sorted(fitted)).encode()}
    return derive(replace(bundle, manifest=manifest), folder, files, manifest)


def _own_levels(bundle: Bundle) -> dict[Level, ModelFile]:
    """Return the classifier's files by level, without those that are compiled for an accelerator."""
    levels = bundle.manifest.classifier.levels
    return {level: entry for level, entry in levels.items() if not level_spec(level).needs_delegate}


def _answers(folder: Path, level: Level, fields: Sequence[ReviewedField], quiet: bool) -> Answers:
    pictures = (LabelledPicture(each.path.name, read_image(each.path), each.label, each.slide) for each in fields)
    with Evaluator(folder, level) as evaluator:
        return collect_answers(evaluator, pictures, "Examining fields", quiet, len(fields))


def _finish(made: Bundle, out: Path, level: Level, found: Adaptation) -> None:
    """Write the figures and a section of the model card into the bundle `made`, move it to `out`, and verify it."""
    facts = made.manifest.classifier
    figures = {"macro_f1": found.after.macro_f1, "accuracy": found.after.agreement, "labelled": found.after.labelled}
    levels = dict(facts.levels) | {level: facts.levels[level].model_copy(update={"figures": figures})}
    manifest = made.manifest.model_copy(update={"classifier": facts.model_copy(update={"levels": levels})})
    changed = {}
    if CARD in made.manifest.files:
        changed[CARD] = made.read(CARD).rstrip() + f"\n\n{card_section(found, level)}\n".encode()
    derive(made, out, changed, manifest)
    verify(out)
