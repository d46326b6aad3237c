"""Classification: which class a field resembles, from the input that the bundle's classifier was trained on."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from smear.bundle.manifest import Classifier
from smear.imaging.cell_detection import DetectedCell
from smear.imaging.masking import cells_on_neutral_background, crop_at, on_neutral_background, without_scale_bar
from smear.imaging.resampling import ModelFrame
from smear.imaging.tiling import tile, tile_origins
from smear.inference.aggregation import FieldOpinion, aggregate, read_maps
from smear.inference.runtime import Runtime

MAX_CELLS = 48  # shown to the classifier in one field, those with the most weights first: bounds the time of one field


def classify(
    frame: ModelFrame,
    cell: np.ndarray,
    glass: np.ndarray,
    cells: Sequence[DetectedCell],
    model: Runtime,
    facts: Classifier,
) -> FieldOpinion:
    """Return the answer for a field with at least one cell; its `cell_logits` belong to the first of `cells`.

    `cells` are those the classifier may see, those with the most weights first, see `clear_of_scale_bar`.
    `cell` is bool (h, w) at model scale, `glass` float (3,) RGB in 0..255.

    Raises:
        InferenceError: the model did not answer.
    """
    temperature = facts.temperature_for(len(cells))
    if facts.shown == "cells":
        centres = np.array([detected.centre for detected in cells])
        means, weights, of_cells = _map_means(
            cells_on_neutral_background(frame, cell, glass, facts.stain), cell, centres, model
        )
        k = facts.answers
        opinion = aggregate(means[:, :k], weights, temperature, of_cells[:, :k])
        return replace(opinion, features=of_cells[:, k:]) if facts.features else opinion
    if facts.shown == "crops":
        seen = cells[:MAX_CELLS]
        shown, size = on_neutral_background(frame.pixels, cell), model.input_shape[1]
        crops = (crop_at(shown, detected.centre, size) for detected in seen)
        logits = np.stack([model.invoke(crop[np.newaxis])[0] for crop in crops])
        weights = np.array([detected.weight for detected in seen])
    else:
        _, logits, weights = _answers(without_scale_bar(frame), cell, model)
    if facts.output == "probabilities":
        logits = np.log(np.maximum(logits, 1e-7))
    # An answer for the whole field is not one for any single cell.
    return aggregate(logits, weights, temperature, logits if facts.shown == "crops" else logits[:0])


def _map_means(
    shown: np.ndarray, cell: np.ndarray, centres: np.ndarray, model: Runtime
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answer and cell area of every tile that holds a cell, and the answers at `centres`, float (n, 2) of x, y.

    A tile's is the mean of its map; a cell's is read from the tile whose middle is nearest to it.
    """
    size = model.input_shape[1]
    origins, maps, areas = _answers(shown, cell, model)
    nearest = np.abs(centres[:, np.newaxis] - (origins + size / 2)).max(axis=2).argmin(axis=1)
    of_cells = read_maps(maps, nearest, centres - origins[nearest])
    return maps.reshape(len(maps), -1, maps.shape[-1]).mean(axis=1), areas, of_cells


def _answers(shown: np.ndarray, cell: np.ndarray, model: Runtime) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origin x and y, answer, and area of cell, of each tile of the picture `shown` that holds any cell."""
    size = model.input_shape[1]
    detected = cell.view(np.uint8)
    origins, answers, areas = [], [], []
    for origin in tile_origins(cell.shape[0], cell.shape[1], size):
        area = cv2.countNonZero(tile(detected, origin, size))
        if area:
            origins.append(origin)
            answers.append(model.invoke(tile(shown, origin, size)[np.newaxis])[0])
            areas.append(float(area))
    return np.array(origins), np.stack(answers), np.array(areas)
