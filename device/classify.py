"""Which class a field resembles: the classifier on what the bundle says it is shown, pooled over the field."""

from collections.abc import Sequence

import numpy as np

from device.protocols import Runtime
from smear.bundle import Classifier
from smear.cells import Body, clear_of_scale_bar
from smear.preprocess import ModelFrame, crop_cell, on_neutral_ground, tile, tile_origins, to_tensor, without_scale_bar
from smear.verdict import Verdict, judge

MAX_CELLS = 48  # shown to the classifier in one field, those with the most say first: bounds the time of one field


def classify(
    frame: ModelFrame, labels: np.ndarray, bodies: Sequence[Body], model: Runtime, facts: Classifier
) -> tuple[Verdict, list[int]]:
    """Return the verdict on a field with at least one cell, and which `bodies` its `of_cells` belong to.

    Raises:
        InferenceError: the model did not answer.
    """
    if facts.shown == "crops":
        chosen = clear_of_scale_bar(frame, bodies)[:MAX_CELLS]
        cell = labels > 0
        logits = [_cell_logits(frame, cell, bodies[i], model) for i in chosen]
        say = np.array([bodies[i].say for i in chosen])
    else:
        chosen = []
        logits, say = _tile_logits(frame, labels, model, facts)
    stacked = np.stack(logits)
    if facts.output == "probabilities":
        stacked = np.log(np.maximum(stacked, 1e-7))
    return judge(stacked, say, facts.temperature), chosen


def _cell_logits(frame: ModelFrame, cell: np.ndarray, body: Body, model: Runtime) -> np.ndarray:
    crop = crop_cell(frame.pixels, cell, body.centre, model.input_shape[1])
    return np.asarray(model.invoke(to_tensor(crop))[0])


def _tile_logits(
    frame: ModelFrame, labels: np.ndarray, model: Runtime, facts: Classifier
) -> tuple[list[np.ndarray], np.ndarray]:
    """Logits and cell area of every tile that holds a cell."""
    size = model.input_shape[1]
    shown = without_scale_bar(frame)
    if facts.shown == "cells":
        shown = on_neutral_ground(shown, labels > 0)
    logits, areas = [], []
    for origin in tile_origins(labels.shape[0], labels.shape[1], size):
        area = np.count_nonzero(tile(labels, origin, size))
        if area:
            logits.append(np.asarray(model.invoke(to_tensor(tile(shown, origin, size)))[0]))
            areas.append(float(area))
    return logits, np.array(areas)
