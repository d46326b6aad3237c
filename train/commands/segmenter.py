"""`smearscope train segmenter`: rough masks, drawn ones, then its own on other fields; scored on those left out."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
import keras
import numpy as np

from smear.bundle.manifest import Figure
from smear.metrics import bootstrap_interval
from train.data.masks import PIXEL_SIZE_UM, Masked, drawn, foreign
from train.fitting import distributed
from train.fitting.run_record import SEGMENTER
from train.fitting.segmenter import (
    DRAWN_EPOCHS,
    ROUGH_EPOCHS,
    TAUGHT_EPOCHS,
    Score,
    fit_rough,
    fit_taught,
    folds,
    score,
)
from train.fitting.training_loop import write_json

SCORES = "segmenter.json"


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Root of the training data.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--model", type=click.Choice(["unet_light", "unet"]), default="unet_light", show_default=True)
@click.option(
    "--weights", type=click.Choice(["imagenet", "none"]), default="imagenet", help="What unet_light starts from."
)
@click.option("--rough-epochs", default=ROUGH_EPOCHS, show_default=True, help="On masks found by a threshold.")
@click.option("--epochs", default=DRAWN_EPOCHS, show_default=True, help="Of the teacher, on masks drawn by hand.")
@click.option("--taught-epochs", default=TAUGHT_EPOCHS, show_default=True, help="On those and what the teacher labels.")
@click.option("--folds/--no-folds", "crossed", default=True, show_default=True, help="Score every drawn mask left out.")
@click.option("--precision", type=click.Choice(["mixed_bfloat16", "mixed_float16", "float32"]), default="float32")
@distributed.option
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
def command(
    data: Path,
    out: Path,
    model: str,
    weights: str,
    rough_epochs: int,
    epochs: int,
    taught_epochs: int,
    crossed: bool,
    precision: str,
    strategy: str,
    resume: bool,
) -> None:
    """Fit a segmenter and save it as segmenter.keras; its scores go to segmenter.json.

    A fold that has been scored, and the last model, are not fitted again by --resume.
    """
    click.get_current_context().with_resource(distributed.replicas(strategy))
    keras.mixed_precision.set_global_policy(precision)
    rough = out / "rough" / "model.keras"
    if not rough.exists():
        fit_rough(model, data, out / "rough", weights=weights, epochs=rough_epochs, resume=resume)
    fields = drawn(data)
    scored: list[Score] = []
    for number, (train, test) in enumerate(folds(fields) if crossed else []):
        scored += _fold(out / f"fold-{number}", rough, data, train, test, epochs, taught_epochs, resume)
    fitted = fit_taught(rough, data, fields, out / "taught", epochs=epochs, taught_epochs=taught_epochs, resume=resume)
    fitted.save(out / SEGMENTER)
    held_out = score(fitted, [masked for source in PIXEL_SIZE_UM for masked in foreign(data, source, held_out=True)])
    figures = figures_of(scored, "cross-validated") | {
        f"{source}_{name}": figure
        for source in PIXEL_SIZE_UM
        for name, figure in figures_of([s for s in held_out if s.source == source], "held-out fifth").items()
    }
    write_json(out / SCORES, {name: figure.model_dump() for name, figure in figures.items()})
    for name, figure in figures.items():
        click.echo(f"{name}: {figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f}), {figure.split}, n={figure.n}")


def _fold(
    out: Path,
    rough: Path,
    data: Path,
    train: list[Masked],
    test: list[Masked],
    epochs: int,
    taught_epochs: int,
    resume: bool,
) -> list[Score]:
    done = out / "scores.json"
    if done.exists():
        return [Score(**row) for row in json.loads(done.read_text(encoding="utf-8"))["scores"]]
    fitted = fit_taught(rough, data, train, out, epochs=epochs, taught_epochs=taught_epochs, resume=resume)
    scored = score(fitted, test)
    write_json(done, {"scores": [asdict(row) for row in scored]})
    return scored


def figures_of(scores: list[Score], split: str) -> dict[str, Figure]:
    """Return the mean Dice of cells, of cells by class, and of nuclei where they were drawn, and F1 of objects."""
    found: dict[str, list[float]] = {}
    for row in scores:
        found.setdefault("dice", []).append(row.cell)
        if row.source not in PIXEL_SIZE_UM:
            found.setdefault(f"dice_{row.source.lower()}", []).append(row.cell)
        if row.nucleus is not None:
            found.setdefault("nucleus_dice", []).append(row.nucleus)
    figures = {name: _figure(np.array(values), split) for name, values in found.items()}
    counts = np.array([row.objects for row in scores if row.objects is not None])
    return figures | ({"object_f1": _figure(counts, split, _object_f1)} if len(counts) else {})


def _object_f1(counts: np.ndarray) -> float:
    """Return the F1 of cells found, at an IoU of 0.5, of int (n, 3): matched, drawn and found in each field."""
    matched, told, found = counts.sum(axis=0)
    return float(2 * matched / (told + found))


def _figure(values: np.ndarray, split: str, of: Callable[[np.ndarray], float] = lambda v: float(v.mean())) -> Figure:
    low, high = bootstrap_interval(values, np.arange(len(values)), of, 0)
    return Figure(value=of(values), split=split, n=len(values), low=low, high=high)
