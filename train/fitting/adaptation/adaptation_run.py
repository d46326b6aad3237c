"""One adaptation of a bundle to a site: fields read, the last layer fitted, and measured on held-out fields."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.bundle.derivation import derive
from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.levels import Level, level_spec
from smear.bundle.manifest import Figure
from smear.classes import LABELS
from smear.images import read_image
from smear.inference.evaluator import Answers, Evaluator, LabelledPicture, collect_answers
from smear.inference.verification import GOLDEN, verify
from smear.metrics import bootstrap_interval, macro_f1
from smear.progress import progress
from train.data.reviewed_fields import ReviewedField, require_enough
from train.evaluation.features.field_features import LEVEL, FeatureReader, SeenField
from train.fitting.adaptation.golden_file import renewed_golden
from train.fitting.adaptation.site_adaptation import (
    STRENGTHS,
    Statistics,
    choose_strength,
    fit_head,
    held_out_part,
    lost_answers,
    out_of_fold,
)
from train.fitting.adaptation.site_statistics import features_of, rendered_statistics, stored_statistics
from train.fitting.calibration import abstention_threshold, fit_temperature
from train.networks.tflite_head import Head, read_head, with_head

LEAST_FIELDS = 6  # of each class that the site has: two or three of them are held out
HELD_OUT = 0.35  # of each class
MAX_LOST = 0.02  # share of the right answers on features drawn from the old site; see decision 19
FEWER_RIGHT = 0.02  # of the fields may get no right label any more
LESS_LOSS = 0.005  # of the log loss: what counts as better where macro F1 stays the same
ROUNDING = 1e-9
SPLIT = "held-out fields of the site"
CARD = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class Side:
    """What a bundle answers to the held-out fields, before or after."""

    macro_f1: Figure  # of the best class, whether or not it was refused
    agreement: Figure  # of the labels that were given
    labelled: Figure  # share of fields that get one
    rightly_labelled: Figure  # share of fields that get the right one
    log_loss: float  # mean, of fields with cells


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What came of it."""

    before: Side
    after: Side
    gain: Figure  # macro F1 after, less that before, over the same fields
    lost: float  # share of the right answers to the old site's features; below 0: there are more
    fitted: int  # fields
    strength: float
    replayed: str  # where the statistics of the old site came from
    faults: tuple[str, ...]  # why it is no improvement; empty: the bundle was written


@dataclass(frozen=True, slots=True, eq=False)
class _Site:
    fields: Sequence[ReviewedField]  # with cells
    features: NDArray[np.float64]
    truth: NDArray[np.int64]
    groups: list[str]
    places: NDArray[np.float32]  # (n, d), features of all places of all fields


def adapt(
    path: Path, reviewed: Sequence[ReviewedField], out: Path, level: Level, seed: int = 0, quiet: bool = False
) -> Adaptation:
    """Fit the last layer of the bundle at `path` to `reviewed` fields, and write it to `out` where that is better.

    Fields of one slide are either fitted or held out. Temperature and the threshold of certainty are fitted to answers
    of models that had not seen the field; the out-of-distribution threshold stays, since reviewed fields do not show
    what it must keep out.

    Raises:
        BundleError: the bundle is damaged, or lacks float32 or `level`.
        DatasetError: too few of the fields have cells.
        TrainingError: its classifier is not shown all cells at once.
    """
    bundle = load_bundle(path)
    head = read_head(bundle.model("classifier", LEVEL).read_bytes())
    with FeatureReader(bundle) as reader:
        site = _read(reader, reviewed, quiet)
        stored = stored_statistics(bundle, head.weights.shape[1])
        old = stored or rendered_statistics(reader, quiet)
    held_out = held_out_part(site.truth, site.groups, HELD_OUT, seed)
    features, truth = site.features[~held_out], site.truth[~held_out]
    groups = [group for group, out_ in zip(site.groups, held_out, strict=True) if not out_]
    least = choose_strength(head, features, truth, groups, old, seed)
    strength, fitted = _holding_on(head, features, truth, old, least, seed)
    unseen = out_of_fold(head, features, truth, groups, old, strength, seed)
    pictures = [_picture(field) for field, taken in zip(site.fields, held_out, strict=True) if taken]
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        made = _write(bundle, Path(scratch, "bundle"), fitted, site.places, unseen, truth)
        before, after = (_answers(folder, level, pictures, text, quiet)
                         for folder, text in ((path, "Before"), (made.path, "After")))  # fmt: skip
        found = _compared(before, after, lost_answers(head, fitted, old), len(truth), strength, stored is not None)
        if not found.faults:
            _finish(made, out, level, found)
    return found


def _holding_on(
    head: Head, features: NDArray[Any], truth: NDArray[Any], old: Statistics, least: float, seed: int
) -> tuple[float, Head]:
    """Return the weakest penalty from `least` on under which the old site keeps its answers, and the layer."""
    for strength in (each for each in STRENGTHS if each >= least):
        fitted = fit_head(head, features, truth, old, strength, seed)
        if lost_answers(head, fitted, old) <= MAX_LOST:
            break
    return strength, fitted


def _read(reader: FeatureReader, reviewed: Sequence[ReviewedField], quiet: bool) -> _Site:
    seen: list[tuple[ReviewedField, SeenField]] = []
    for field in progress(reviewed, "Reading fields", quiet):
        found = reader.read(read_image(field.path), field.path.name)
        if found.features is not None:
            seen.append((field, found))
    require_enough([field for field, _ in seen], LEAST_FIELDS, "with cells")
    return _Site(
        [field for field, _ in seen],
        features_of([each for _, each in seen]),
        np.array([LABELS.index(field.label) for field, _ in seen]),
        [field.slide for field, _ in seen],
        np.concatenate([each.places for _, each in seen]),
    )


def _picture(field: ReviewedField) -> LabelledPicture:
    return LabelledPicture(field.path.name, read_image(field.path), field.label, field.slide)


def _write(
    bundle: Bundle, folder: Path, head: Head, places: NDArray[Any], unseen: NDArray[Any], truth: NDArray[Any]
) -> Bundle:
    """Write `bundle` with `head` in every level, and with temperature and threshold fitted to `unseen` answers."""
    facts, logits = bundle.manifest.classifier, head.logits(places)
    levels = {name: entry for name, entry in facts.levels.items() if not level_spec(name).needs_delegate}
    changed = {
        entry.file: with_head((bundle.path / entry.file).read_bytes(), head, float(logits.min()), float(logits.max()))
        for entry in levels.values()
    }
    # Never surer than before: a few dozen fields that are all right would be fitted by a temperature near 0.
    temperature = max(facts.temperature, fit_temperature(unseen, truth))
    scaled = np.exp(unseen / temperature)
    sure = max(facts.abstain_below, abstention_threshold(scaled / scaled.sum(axis=1, keepdims=True), truth))
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
    return derive(replace(bundle, manifest=manifest), folder, files | {GOLDEN: golden}, manifest)


def _answers(folder: Path, level: Level, pictures: Sequence[LabelledPicture], text: str, quiet: bool) -> Answers:
    with Evaluator(folder, level) as evaluator:
        return collect_answers(evaluator, pictures, text, quiet, len(pictures))


def _compared(before: Answers, after: Answers, lost: float, fitted: int, strength: float, stored: bool) -> Adaptation:
    sides = _side(before), _side(after)
    gain = _paired(before, after)
    faults = []
    if not sides[1].macro_f1.value >= sides[0].macro_f1.value - ROUNDING:
        faults.append(f"macro F1 falls from {sides[0].macro_f1.value:.3f} to {sides[1].macro_f1.value:.3f}")
    elif not (gain.value > ROUNDING or sides[1].log_loss <= sides[0].log_loss - LESS_LOSS):
        faults.append("neither macro F1 nor log loss is better")
    fewer = sides[0].rightly_labelled.value - sides[1].rightly_labelled.value
    if not fewer <= FEWER_RIGHT:
        faults.append(f"{fewer:.1%} of the fields get no right label any more")
    if not lost <= MAX_LOST:
        faults.append(f"{lost:.1%} of the right answers to the old site's features are lost ({MAX_LOST:.0%} allowed)")
    source = "stored statistics of the old site" if stored else "rendered fields"
    return Adaptation(*sides, gain, lost, fitted, strength, source, tuple(faults))


def _side(answers: Answers) -> Side:
    truth, top, labelled = answers.truth, answers.top, answers.labelled
    right = truth == top

    def agreement(of: NDArray[Any]) -> float:
        return float(right[of][labelled[of]].mean()) if labelled[of].any() else 0.0

    with_cells = answers.with_cells()
    chances = with_cells.probabilities()
    return Side(
        macro_f1=_figure(answers.groups, lambda of: _macro_f1(truth[of], top[of])),
        agreement=_figure(answers.groups, agreement),
        labelled=_figure(answers.groups, lambda of: float(labelled[of].mean())),
        rightly_labelled=_figure(answers.groups, lambda of: float((right & labelled)[of].mean())),
        log_loss=-float(np.log(chances[np.arange(len(chances)), with_cells.truth]).mean()),
    )


def _paired(before: Answers, after: Answers) -> Figure:
    truth = before.truth

    def gain(of: NDArray[Any]) -> float:
        return _macro_f1(truth[of], after.top[of]) - _macro_f1(truth[of], before.top[of])

    return _figure(before.groups, gain)


def _macro_f1(truth: NDArray[Any], top: NDArray[Any]) -> float:
    return macro_f1(truth, top, len(LABELS) + 1, of_truth=True)  # one more: no cell was found


def _figure(groups: Sequence[str], statistic: Callable[[NDArray[Any]], float]) -> Figure:
    everything = np.arange(len(groups))
    low, high = bootstrap_interval(everything, groups, statistic, 0)
    return Figure(value=statistic(everything), split=SPLIT, n=len(groups), low=low, high=high)


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


def card_section(found: Adaptation, level: Level) -> str:
    """Return the section of the model card of an adapted bundle, as Markdown."""
    return "\n".join(["## Adapted to a site", "", *(f"- {line}" for line in lines_of(found, level)), "",
                      "The figures above are of the bundle before; none of them was measured again."])  # fmt: skip


def lines_of(found: Adaptation, level: Level) -> list[str]:
    """Return what came of an adaptation, a sentence each."""
    sides = (("before", found.before), ("after", found.after))
    return [
        f"Last layer fitted to {found.fitted} reviewed fields (penalty {found.strength:g}), replay of "
        f"{found.replayed}; "
        f"measured at {level} on {found.gain.n} held-out fields",
        *(f"{name}: macro F1 {_shown(side.macro_f1)}, right among labelled {_shown(side.agreement)}, "
          f"labelled {_shown(side.labelled)}, log loss {side.log_loss:.3f}" for name, side in sides),
        f"gain in macro F1: {_shown(found.gain)}",
        f"the old site loses {max(0.0, found.lost):.1%} of its right answers",
    ]  # fmt: skip


def _shown(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
