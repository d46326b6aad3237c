"""One training run of the segmenter: fitted, cross-validated on the masks drawn by hand, and scored on foreign ones."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.bundle.manifest import Figure
from smear.bundle.training_run import MODEL_FILES
from smear.metrics import bootstrap_interval
from train.data.masks import PIXEL_SIZE_UM, MaskedImage, foreign_masks, hand_drawn_masks
from train.data.sources import require_for_segmenter
from train.evaluation.segmenter_scores import Score, score
from train.fitting.mask_pools import folds
from train.fitting.segmenter import fit_rough, fit_self_trained
from train.fitting.settings import SegmenterSettings
from train.fitting.training_loop import write_json

SCORES = "segmenter.json"


def run(settings: SegmenterSettings) -> dict[str, Figure]:
    """Fit the segmenter, save it in the folder of the run, and return its figures, which are also written there.

    With `resume`, a fold that has been scored and a model that has been fitted are kept.

    Raises:
        DatasetError: fields or masks are missing.
    """
    require_for_segmenter(settings.data)
    out = settings.out
    rough = out / "rough" / "model.keras"
    if not rough.exists():
        fit_rough(
            settings.model, settings.data, out / "rough",
            weights=settings.weights, epochs=settings.epochs.rough, resume=settings.resume,
        )  # fmt: skip
    fields = hand_drawn_masks(settings.data)
    scored: list[Score] = []
    for number, (train, test) in enumerate(folds(fields) if settings.cross_validate else []):
        scored += _fold(settings, out / f"fold-{number}", rough, train, test)
    # The folder is called "taught" in runs of every version, so that --resume finds what they hold.
    fitted = fit_self_trained(
        rough, settings.data, fields, out / "taught", epochs=settings.epochs, resume=settings.resume
    )
    fitted.save(out / MODEL_FILES["segmenter"])
    held_out = [masked for source in PIXEL_SIZE_UM for masked in foreign_masks(settings.data, source, held_out=True)]
    foreign = score(fitted, held_out)
    figures = figures_of(scored, "cross-validated") | {
        f"{source}_{name}": figure
        for source in PIXEL_SIZE_UM
        for name, figure in figures_of([s for s in foreign if s.source == source], "held-out fifth").items()
    }
    write_json(out / SCORES, {name: figure.model_dump() for name, figure in figures.items()})
    return figures


def _fold(
    settings: SegmenterSettings, out: Path, rough: Path, train: list[MaskedImage], test: list[MaskedImage]
) -> list[Score]:
    done = out / "scores.json"
    if done.exists():
        return [Score(**row) for row in json.loads(done.read_text(encoding="utf-8"))["scores"]]
    fitted = fit_self_trained(rough, settings.data, train, out, epochs=settings.epochs, resume=settings.resume)
    scored = score(fitted, test)
    write_json(done, {"scores": [asdict(row) for row in scored]})
    return scored


def figures_of(scores: Sequence[Score], split: str) -> dict[str, Figure]:
    """Return the mean Dice of cells, of cells by class, and of nuclei where outlined, and the F1 of single cells."""
    found: dict[str, list[float]] = {}
    for row in scores:
        found.setdefault("dice", []).append(row.cell)
        if row.source not in PIXEL_SIZE_UM:
            found.setdefault(f"dice_{row.source.lower()}", []).append(row.cell)
        if row.nucleus is not None:
            found.setdefault("nucleus_dice", []).append(row.nucleus)
    figures = {name: _figure(np.array(values), split, _mean) for name, values in found.items()}
    counts = np.array([row.objects for row in scores if row.objects is not None])
    return figures | ({"object_f1": _figure(counts, split, _object_f1)} if len(counts) else {})


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean())


def _object_f1(counts: NDArray[Any]) -> float:
    """Return the F1 of cells at an IoU of 0.5, from int (n, 3): matched, outlined and found in each field."""
    matched, outlined, found = counts.sum(axis=0)
    return float(2 * matched / (outlined + found))


def _figure(values: NDArray[Any], split: str, statistic: Callable[[NDArray[Any]], float]) -> Figure:
    low, high = bootstrap_interval(values, np.arange(len(values)), statistic, 0)
    return Figure(value=statistic(values), split=split, n=len(values), low=low, high=high)
