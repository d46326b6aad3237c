"""Which class a field resembles: the classifier on what the bundle says it is shown, pooled over the field."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from device.protocols import Runtime
from smear.bundle import Classifier
from smear.cells import Body, clear_of_scale_bar
from smear.preprocess import ModelFrame, crop_at, on_neutral_ground, tile, tile_origins, without_scale_bar
from smear.verdict import Verdict, judge, opinions, read_map

MAX_CELLS = 48  # shown to the classifier in one field, those with the most say first: bounds the time of one field


def classify(
    frame: ModelFrame, labels: np.ndarray, bodies: Sequence[Body], model: Runtime, facts: Classifier
) -> tuple[Verdict, list[int]]:
    """Return the verdict on a field with at least one cell, and which `bodies` its `of_cells` belong to.

    Raises:
        InferenceError: the model did not answer.
    """
    if facts.shown == "cells":
        chosen = clear_of_scale_bar(frame, bodies)
        centres = np.array([bodies[i].centre for i in chosen])
        logits, say, of_cells = _map_logits(frame, labels, centres, model)
        return replace(judge(logits, say, facts.temperature), of_cells=opinions(of_cells)), chosen
    if facts.shown == "crops":
        chosen = clear_of_scale_bar(frame, bodies)[:MAX_CELLS]
        shown, size = on_neutral_ground(frame.pixels, labels > 0), model.input_shape[1]
        crops = (crop_at(shown, bodies[i].centre, size) for i in chosen)
        logits = np.stack([model.invoke(crop[np.newaxis])[0] for crop in crops])
        say = np.array([bodies[i].say for i in chosen])
    else:
        chosen = []
        logits, say = _tile_logits(frame, labels, model)
    if facts.output == "probabilities":
        logits = np.log(np.maximum(logits, 1e-7))
    return judge(logits, say, facts.temperature), chosen


def _map_logits(
    frame: ModelFrame, labels: np.ndarray, centres: np.ndarray, model: Runtime
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits and cell area of every tile that holds a cell, and the logits at `centres`, float (n, 2) of x, y.

    A tile's are the mean of its map; a cell's are read from the tile whose middle is nearest to it.
    """
    size = model.input_shape[1]
    shown = on_neutral_ground(without_scale_bar(frame), labels > 0)
    origins = np.array(tile_origins(labels.shape[0], labels.shape[1], size))
    nearest = np.abs(centres[:, np.newaxis] - (origins + size / 2)).max(axis=2).argmin(axis=1)
    of_cells = np.zeros((len(centres), model.output_shape[-1]), np.float32)
    logits, areas = [], []
    for number, (x, y), area in _tiles_with_cells(labels, origins.tolist(), size):
        answer = model.invoke(tile(shown, (x, y), size)[np.newaxis])[0]
        inside = nearest == number
        of_cells[inside] = read_map(answer, centres[inside] - (x, y))
        logits.append(answer.mean(axis=(0, 1)))
        areas.append(float(area))
    return np.stack(logits), np.array(areas), of_cells


def _tile_logits(frame: ModelFrame, labels: np.ndarray, model: Runtime) -> tuple[np.ndarray, np.ndarray]:
    """Logits and cell area of every tile that holds a cell, ground and all."""
    size = model.input_shape[1]
    shown = without_scale_bar(frame)
    logits, areas = [], []
    origins = tile_origins(labels.shape[0], labels.shape[1], size)
    for _, origin, area in _tiles_with_cells(labels, origins, size):
        logits.append(np.asarray(model.invoke(tile(shown, origin, size)[np.newaxis])[0]))
        areas.append(float(area))
    return np.stack(logits), np.array(areas)


def _tiles_with_cells(
    labels: np.ndarray, origins: Sequence[tuple[int, int]], size: int
) -> Iterator[tuple[int, tuple[int, int], int]]:
    """Yield number, origin x, y and area of cell of each tile that holds any."""
    for number, origin in enumerate(origins):
        area = int(np.count_nonzero(tile(labels, origin, size)))
        if area:
            yield number, origin, area
