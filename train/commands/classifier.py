"""`smearscope train classifier`: cells cut by the run's own segmenter, fitted, calibrated and scored by field."""

from collections.abc import Sequence
from pathlib import Path

import click
import keras
import numpy as np

from smear.bundle.manifest import Figure
from smear.classes import LABELS
from smear.errors import TrainingError
from smear.images import read_image
from smear.imaging.resampling import to_model_scale
from smear.metrics import bootstrap_interval, expected_calibration_error
from smear.progress import progress
from train.data.crops import Crops, cut, joined
from train.data.dataset import Dataset, Record, read
from train.data.masked_fields import STAIN, NeutralFields, levelled_masked, neutral_field
from train.data.masks import PIXEL_SIZE_UM, foreign, rendered
from train.data.negatives import foreign_cells, made_up
from train.data.splits import Fold, load, read_audit
from train.data.whole_fields import whole_field
from train.evaluation.colour_forest import histograms, judge
from train.fitting import distributed
from train.fitting.calibration import Calibration, calibrate, softmax
from train.fitting.classifier import (
    CELL_EPOCHS,
    FIELD_EPOCHS,
    NEUTRAL_EPOCHS,
    REFIT_EPOCHS,
    FieldScores,
    fit_cells,
    fit_fields,
    fit_neutral,
    score_cells,
    score_fields,
    score_neutral,
)
from train.fitting.run_record import CLASSIFIER, SEGMENTER, Split, write_run
from train.fitting.segmenter import Segment, segment_with
from train.networks import architectures

EPOCHS = {"smearnet": NEUTRAL_EPOCHS, "cellnet": CELL_EPOCHS, "paper_cnn": FIELD_EPOCHS}
RENDERED, RENDERED_SEED = 240, 20_000
SHOWN = {"smearnet": "cells", "cellnet": "crops", "paper_cnn": "field"}


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Root of the training data.")
@click.option("--fields", "folder", default="taleqani", show_default=True, help="Folder of the classes, below --data.")
@click.option("--split", "split_file", type=click.Path(path_type=Path), required=True, help="Of 'train split'.")
@click.option("--audit", type=click.Path(path_type=Path), help="Of 'train audit': intervals then resample by group.")
@click.option("--fold", default=0, show_default=True, help="Which fold of the split.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run, with its segmenter.")
@click.option("--model", type=click.Choice(["smearnet", "cellnet", "paper_cnn"]), default="smearnet", show_default=True)
@click.option("--dropout", default=0.3, show_default=True, help="Of paper_cnn; the paper's literal value is 0.8.")
@click.option(
    "--weights", type=click.Choice(["imagenet", "none"]), default="imagenet", help="What smearnet starts from."
)
@click.option("--epochs", type=int, help=f"[default: {', '.join(f'{n} for {name}' for name, n in EPOCHS.items())}]")
@click.option(
    "--refit-epochs",
    type=click.IntRange(0),
    default=REFIT_EPOCHS,
    show_default=True,
    help="Of smearnet, on train and validation together, after the validation part has fitted the thresholds.",
)
@click.option("--precision", type=click.Choice(["mixed_bfloat16", "mixed_float16", "float32"]), default="float32")
@click.option("--seed", default=0, show_default=True)
@distributed.option
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
def command(
    data: Path,
    folder: str,
    split_file: Path,
    audit: Path | None,
    fold: int,
    out: Path,
    model: str,
    dropout: float,
    weights: str,
    epochs: int | None,
    refit_epochs: int,
    precision: str,
    seed: int,
    strategy: str,
    resume: bool,
) -> None:
    """Fit a classifier, calibrate it on the validation part and score it on the test part.

    smearnet then goes on over train and validation together: temperature and thresholds stay as they were fitted
    on fields it had not seen, and the test part tells what they are worth.
    smearnet is shown all cells of a field on neutral ground, cellnet one crop a cell, paper_cnn whole fields.
    Beside the accuracy stands what a forest tells from the colours of the ground alone, on the same fields.
    Writes classifier.keras and run.json.
    """
    if not (out / SEGMENTER).exists():
        raise TrainingError(f"{out}: no {SEGMENTER}; run 'smearscope train segmenter' with the same --out first")
    click.get_current_context().with_resource(distributed.replicas(strategy))
    keras.mixed_precision.set_global_policy(precision)
    fields = read(data / folder)
    split = load(split_file, fields.fingerprint)
    part = split.folds[fold]
    groups = {name: kin.group for name, kin in read_audit(audit).items()} if audit else {}
    epochs = epochs or EPOCHS[model]
    if model != "paper_cnn":
        segment = segment_with(keras.models.load_model(out / SEGMENTER, compile=False))
        if model == "smearnet":
            fitted, checked, scored = _neutral(
                data, fields, part, segment, out, weights, seed, epochs, refit_epochs, resume
            )
        else:
            fitted, checked, scored = _cells(data, fields, part, segment, out, seed, epochs, resume)
    else:
        network = architectures.paper_cnn(dropout=dropout)
        fitted, checked, scored = _fields(network, fields, part, out, seed, epochs, resume)
    fitted.save(out / CLASSIFIER)
    calibration = calibrate(checked.logits, checked.truth, checked.strangeness)
    ground = next(told for told in judge(fields, histograms(fields.records), part, seed)
                  if told.shown == "background")  # fmt: skip
    figures = figures_of(scored, calibration, split.name, [groups.get(f, f) for f in scored.files], ground.accuracy)
    root = f"{folder}/{fields.root.relative_to(data / folder)}".rstrip("/.")
    fitted_on = (*part.train, *part.validation) if model == "smearnet" and refit_epochs else part.train
    write_run(
        out,
        segmenter=keras.models.load_model(out / SEGMENTER, compile=False).name,
        segmenter_figures={},
        classifier=model,
        shown=SHOWN[model],
        stain=STAIN if model == "smearnet" else None,
        calibration=calibration,
        classifier_figures=figures,
        split=Split(
            split.name,
            seed,
            split.fingerprint,
            tuple(f"{root}/{name}" for name in fitted_on),
            tuple(f"{root}/{name}" for name in part.test),
        ),
        sources=(folder,) if model == "paper_cnn" else (folder, "wbc_masks"),
    )
    for name, figure in figures.items():
        click.echo(f"{name}: {figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f}), {split.name}, n={figure.n}")
    click.echo(f"ground alone (colour forest, no cell shown): {ground.accuracy:.4f}, n={ground.n}")


def _of(fields: Dataset, names: Sequence[str]) -> list[Record]:
    wanted = set(names)
    return [record for record in fields.records if record.file in wanted]


def _neutral(
    data: Path,
    fields: Dataset,
    part: Fold,
    segment: Segment,
    out: Path,
    weights: str,
    seed: int,
    epochs: int,
    refit_epochs: int,
    resume: bool,
) -> tuple[keras.Model, FieldScores, FieldScores]:
    store = out / "levelled.npz"
    if not (resume and store.exists()):
        neutral_fields(fields.records, segment).save(store)
    own = NeutralFields.load(store)
    others = levelled_masked([one for source in PIXEL_SIZE_UM for one in foreign(data, source, held_out=False)])
    drawn = levelled_masked(rendered(RENDERED, RENDERED_SEED))
    model = fit_neutral(
        own.of(set(part.train)), others, drawn, out / "classifier",
        weights=weights, seed=seed, epochs=epochs, resume=resume,
    )  # fmt: skip
    checked = score_neutral(model, own.of(set(part.validation)))
    if refit_epochs:
        model = fit_neutral(
            own.of({*part.train, *part.validation}), others, drawn, out / "refit",
            begun=model, seed=seed + 1, epochs=refit_epochs, resume=resume,
        )  # fmt: skip
    return model, checked, score_neutral(model, own.of(set(part.test)))


def neutral_fields(records: Sequence[Record], segment: Segment) -> NeutralFields:
    """Return all `records` with their cells on neutral ground."""
    pixels, cells = [], []
    for number, record in enumerate(progress(records, "Finding cells")):
        view = to_model_scale(read_image(record.path))
        field, found = neutral_field(view, segment(view))
        pixels.append(field)
        cells.append(np.column_stack([np.full(len(found), number, np.float32), found]))
    labels = np.array([LABELS.index(record.label) for record in records], np.int32)
    return NeutralFields(np.stack(pixels), labels, np.concatenate(cells), tuple(record.file for record in records))


def _cells(
    data: Path, fields: Dataset, part: Fold, segment: Segment, out: Path, seed: int, epochs: int, resume: bool
) -> tuple[keras.Model, FieldScores, FieldScores]:
    store = out / "crops.npz"
    if not (resume and store.exists()):
        cut_all(fields.records, segment).save(store)
    crops = Crops.load(store)
    own = crops.of(set(part.train))
    taught = joined([own, foreign_cells(data, segment), made_up(own, seed)])
    model = fit_cells(taught, out / "classifier", seed=seed, epochs=epochs, resume=resume)
    return model, score_cells(model, crops.of(set(part.validation))), score_cells(model, crops.of(set(part.test)))


def cut_all(records: Sequence[Record], segment: Segment) -> Crops:
    """Return the cells of all `records`."""
    parts = []
    for record in progress(records, "Cutting cells"):
        view = to_model_scale(read_image(record.path))
        pixels, say = cut(view, segment(view))
        parts.append(Crops.of_field(record.file, LABELS.index(record.label), pixels, say))
    return joined(parts)


def _fields(
    model: keras.Model, fields: Dataset, part: Fold, out: Path, seed: int, epochs: int, resume: bool
) -> tuple[keras.Model, FieldScores, FieldScores]:
    train, validation, test = (
        [(record.path, record.label) for record in _of(fields, names)]
        for names in (part.train, part.validation, part.test)
    )
    model = fit_fields(model, train, whole_field, out / "classifier", seed=seed, epochs=epochs, resume=resume)
    return model, score_fields(model, validation, whole_field), score_fields(model, test, whole_field)


def figures_of(
    scored: FieldScores, calibration: Calibration, split: str, groups: Sequence[str], ground: float
) -> dict[str, Figure]:
    """Return accuracy, macro F1 and calibration error with intervals resampled by group."""
    probabilities = softmax(scored.logits / calibration.temperature)
    rows = np.arange(len(scored.truth))

    def figure(value: float, statistic: object) -> Figure:
        low, high = bootstrap_interval(rows, groups, statistic, 0)
        return Figure(value=value, split=split, n=len(rows), low=low, high=high, background_only=ground)

    def part(of: np.ndarray) -> FieldScores:
        return FieldScores((), scored.truth[of], scored.logits[of], scored.strangeness[of])

    return {
        "accuracy": figure(scored.accuracy, lambda of: part(of).accuracy),
        "macro_f1": figure(scored.macro_f1, lambda of: part(of).macro_f1),
        "ece": figure(
            expected_calibration_error(scored.truth, probabilities),
            lambda of: expected_calibration_error(scored.truth[of], probabilities[of]),
        ),
    }
