"""One training run of a classifier: data prepared, network fitted, calibrated, scored by field and recorded."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from smear.bundle.manifest import Figure, InputScale, TrainingData
from smear.bundle.training_run import MODEL_FILES, Picture, RunFile, TrainedClassifier, TrainedSegmenter, write_run
from smear.classes import LABELS
from smear.errors import TrainingError
from smear.images import read_image
from smear.imaging.resampling import FIELD_SIZE, MODEL_PIXEL_SIZE_UM, to_model_scale
from smear.metrics import bootstrap_interval, expected_calibration_error, softmax
from smear.progress import progress
from smear.revision import git_revision
from train.data.dataset import Record
from train.data.masks import FOREIGN, PIXEL_SIZE_UM, foreign_masks, synthetic_masks
from train.data.negatives import foreign_cells, synthetic_negatives
from train.data.sampling.crops import Crops, Segment, cut_cells, joined
from train.data.sampling.masked_fields import STAIN, MaskedFields, mask_field, normalize_stains
from train.data.sampling.whole_fields import whole_field
from train.data.sources import require_foreign
from train.data.splits import Fold, SplitData, load_split_data
from train.evaluation.colour_forest import ForestScore, background_score
from train.fitting.calibration import Calibration, calibrate
from train.fitting.classifier import (
    FieldScores,
    fit_cells,
    fit_fields,
    fit_masked,
    score_cells,
    score_fields,
    score_masked,
)
from train.fitting.kept_segmenter import keep_segmenter
from train.fitting.settings import ClassifierSettings
from train.networks.registry import NETWORKS, NetworkSpec
from train.networks.segmentation import gives_probabilities, segment_with

SYNTHETIC, SYNTHETIC_SEED = 240, 20_000  # rendered fields among the training fields
StoredT = TypeVar("StoredT", MaskedFields, Crops)
SOURCES_OF_CELLS = (FOREIGN,)  # folder of the foreign cells that classifiers of cells train on besides


@dataclass(frozen=True, slots=True)
class ClassifierRun:
    """The figures of a run on its test part, and those of the colour forest on the same fields."""

    split: str
    figures: dict[str, Figure]
    background: ForestScore


@dataclass(frozen=True, slots=True)
class _Fitted:
    model: keras.Model
    validation: FieldScores  # by the model that the thresholds are fitted for
    test: FieldScores


@dataclass(frozen=True, slots=True)
class _Job:
    settings: ClassifierSettings
    spec: NetworkSpec
    data: SplitData
    fold: Fold
    epochs: int

    def create(self) -> keras.Model:
        return self.spec.create(self.settings.network)


def run(settings: ClassifierSettings) -> ClassifierRun:
    """Fit, calibrate and score a classifier; save it and run.json in the folder of the run.

    Raises:
        DatasetError: cells of other laboratories are asked for and not there.
        TrainingError: there is no segmenter, or the network or a setting of it is not known.
    """
    out, spec = settings.out, NETWORKS.find(settings.model)
    if spec.task != "classification":
        raise TrainingError(f"network {spec.name} is for {spec.task}; choose one for classification")
    if settings.foreign_cells and spec.shown != "field":
        require_foreign(settings.data)
    segment, segmenter = _segmenter(settings)
    data = load_split_data(settings.data, settings.fields, settings.split, settings.audit)
    job = _Job(settings, spec, data, data.fold(settings.fold), settings.epochs or spec.epochs)
    fitted = _FIT[spec.shown](job, segment)
    fitted.model.save(out / MODEL_FILES["classifier"])
    calibration = calibrate(fitted.validation.logits, fitted.validation.truth, fitted.validation.ood_scores)
    background = background_score(data.fields, job.fold, settings.seed)
    figures = figures_of(
        fitted.test, calibration, data.split.name, data.groups_of(fitted.test.files), background.accuracy
    )
    write_run(out, _facts(job, segmenter, fitted.model, calibration, figures))
    return ClassifierRun(data.split.name, figures, background)


def _segmenter(settings: ClassifierSettings) -> tuple[Segment, TrainedSegmenter]:
    """Return the segmenter that cuts the cells, and what run.json says of it."""
    if settings.segmenter_from is not None:
        return keep_segmenter(settings.segmenter_from, settings.out)
    path = settings.out / MODEL_FILES["segmenter"]
    if not path.exists():
        raise TrainingError(
            f"{settings.out}: no {path.name}; run 'smearscope train segmenter' with the same --out first, "
            "or keep the one of a bundle: --segmenter-from BUNDLE"
        )
    model = keras.models.load_model(path, compile=False)
    output: Literal["logits", "probabilities"] = "probabilities" if gives_probabilities(model) else "logits"
    return segment_with(model), TrainedSegmenter(name=model.name, output=output)


def _fit_masked(job: _Job, segment: Segment) -> _Fitted:
    settings, fold = job.settings, job.fold
    # The file is called "levelled" in runs of every version, so that --resume finds what they hold.
    own = _stored(
        settings.out / "levelled.npz", settings.resume, MaskedFields.load, lambda: mask_fields(_records(job), segment)
    )
    sources = PIXEL_SIZE_UM if settings.foreign_cells else ()
    foreign = [one for source in sources for one in foreign_masks(settings.data, source, held_out=False)]
    others, synthetic = normalize_stains(foreign), normalize_stains(synthetic_masks(SYNTHETIC, SYNTHETIC_SEED))
    model = fit_masked(
        job.create, own.of(set(fold.train)), others, synthetic, settings.out / "classifier",
        seed=settings.seed, epochs=job.epochs, resume=settings.resume,
    )  # fmt: skip
    validation = score_masked(model, own.of(set(fold.validation)))
    if settings.refit_epochs:
        fitted = model
        model = fit_masked(
            lambda: fitted, own.of({*fold.train, *fold.validation}), others, synthetic, settings.out / "refit",
            seed=settings.seed + 1, epochs=settings.refit_epochs, resume=settings.resume,
        )  # fmt: skip
    return _Fitted(model, validation, score_masked(model, own.of(set(fold.test))))


def _fit_cells(job: _Job, segment: Segment) -> _Fitted:
    settings, fold = job.settings, job.fold
    crops = _stored(settings.out / "crops.npz", settings.resume, Crops.load, lambda: cut_fields(_records(job), segment))
    own = crops.of(set(fold.train))
    foreign = [foreign_cells(settings.data, segment)] if settings.foreign_cells else []
    cells = joined([own, *foreign, synthetic_negatives(own, settings.seed)])
    model = fit_cells(
        job.create, cells, settings.out / "classifier", seed=settings.seed, epochs=job.epochs, resume=settings.resume
    )
    validation, test = (score_cells(model, crops.of(set(part))) for part in (fold.validation, fold.test))
    return _Fitted(model, validation, test)


def _fit_fields(job: _Job, _: Segment) -> _Fitted:
    settings = job.settings
    model = fit_fields(
        job.create, [(record.path, record.label) for record in _records(job, job.fold.train)], whole_field,
        settings.out / "classifier", seed=settings.seed, epochs=job.epochs, resume=settings.resume,
    )  # fmt: skip

    def scored(files: Sequence[str]) -> FieldScores:
        records = _records(job, files)
        scores = score_fields(model, [(record.path, record.label) for record in records], whole_field)
        return replace(scores, files=tuple(record.file for record in records))  # as the audit names them

    return _Fitted(model, scored(job.fold.validation), scored(job.fold.test))


_FIT: dict[str, Callable[[_Job, Segment], _Fitted]] = {
    "cells": _fit_masked, "crops": _fit_cells, "field": _fit_fields,
}  # fmt: skip
"""By what a classifier is shown."""


def _records(job: _Job, files: Sequence[str] | None = None) -> list[Record]:
    """Return the records of `files`, or all, in the order of the data set."""
    wanted = None if files is None else set(files)
    return [record for record in job.data.fields.records if wanted is None or record.file in wanted]


def _stored(path: Path, resume: bool, load: Callable[[Path], StoredT], make: Callable[[], StoredT]) -> StoredT:
    if not (resume and path.exists()):
        make().save(path)
    return load(path)


def mask_fields(records: Sequence[Record], segment: Segment) -> MaskedFields:
    """Return all `records` with their cells on a neutral background."""
    pixels, cells = [], []
    for number, record in enumerate(progress(records, "Finding cells")):
        view = to_model_scale(read_image(record.path))
        masked, found = mask_field(view, segment(view))
        pixels.append(masked)
        cells.append(np.column_stack([np.full(len(found), number, np.float32), found]))
    labels = np.array([LABELS.index(record.label) for record in records], np.int32)
    return MaskedFields(np.stack(pixels), labels, np.concatenate(cells), tuple(record.file for record in records))


def cut_fields(records: Sequence[Record], segment: Segment) -> Crops:
    """Return the cells of all `records`."""
    parts = []
    for record in progress(records, "Cutting cells"):
        view = to_model_scale(read_image(record.path))
        parts.append(Crops.of_field(record.file, LABELS.index(record.label), *cut_cells(view, segment(view))))
    return joined(parts)


def figures_of(
    scores: FieldScores, calibration: Calibration, split: str, groups: Sequence[str], background: float
) -> dict[str, Figure]:
    """Return accuracy, macro F1 and calibration error with intervals resampled by group.

    `background` is the accuracy of a forest that sees the background's colours alone, on the same fields.
    """
    probabilities = softmax(scores.logits / calibration.temperature)
    everything = np.arange(len(scores.truth))

    def figure(statistic: Callable[[NDArray[Any]], float]) -> Figure:
        low, high = bootstrap_interval(everything, groups, statistic, 0)
        value, n = statistic(everything), len(everything)
        return Figure(value=value, split=split, n=n, low=low, high=high, background_only=background)

    return {
        "accuracy": figure(lambda of: scores.rows(of).accuracy),
        "macro_f1": figure(lambda of: scores.rows(of).macro_f1),
        "ece": figure(lambda of: expected_calibration_error(scores.truth[of], probabilities[of])),
    }


def _facts(
    job: _Job,
    segmenter: TrainedSegmenter,
    classifier: keras.Model,
    calibration: Calibration,
    figures: dict[str, Figure],
) -> RunFile:
    settings, spec, fold = job.settings, job.spec, job.fold
    with_other = spec.shown != "field"
    refitted = spec.shown == "cells" and settings.refit_epochs > 0
    trained_on = (*fold.train, *fold.validation) if refitted else fold.train
    sources = (settings.fields, *(SOURCES_OF_CELLS if with_other and settings.foreign_cells else ()))
    return RunFile(
        segmenter=segmenter,
        classifier=TrainedClassifier(
            name=spec.name,
            shown=spec.shown,
            stain=STAIN if spec.shown == "cells" else None,
            input_size=classifier.input_shape[1],
            output="logits" if with_other else "probabilities",
            temperature=calibration.temperature,
            abstain_below=calibration.abstain_below,
            ood_above=calibration.ood_above if with_other else None,
            figures=figures,
        ),
        input=InputScale(size=FIELD_SIZE, pixel_size_um=MODEL_PIXEL_SIZE_UM),
        training_data=TrainingData(
            fingerprint=job.data.split.fingerprint, n=len(trained_on), split=job.data.split.name, sources=sources
        ),
        calibration=asdict(calibration),
        train_images=_pictures(job, trained_on),
        validation_images=_pictures(job, fold.test),
        seed=settings.seed,
        git_revision=git_revision(),
    )


def _pictures(job: _Job, files: Sequence[str]) -> tuple[Picture, ...]:
    root = job.data.fields.root.relative_to(job.settings.data).as_posix()
    return tuple(Picture(path=f"{root}/{record.file}", label=record.label) for record in job.data.records(files))
