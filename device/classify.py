"""Which class a field resembles: the classifier on what the bundle says it is shown, pooled over the field."""

from collections.abc import Sequence

import numpy as np

from device.protocols import Runtime
from smear.bundle import Classifier
from smear.cells import Body
from smear.preprocess import ModelFrame, crop_cell, on_neutral_ground, scale_bar_box, tile, tile_origins, to_tensor
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
        chosen = choose(frame, bodies)
        logits = [_cell_logits(frame, labels, bodies[i], model) for i in chosen]
        say = np.array([bodies[i].say for i in chosen])
    else:
        chosen = []
        logits, say = _tile_logits(frame, labels, model, facts)
    stacked = np.stack(logits)
    if facts.output == "probabilities":
        stacked = np.log(np.maximum(stacked, 1e-7))
    return judge(stacked, say, facts.temperature), chosen


def choose(frame: ModelFrame, bodies: Sequence[Body], most: int = MAX_CELLS) -> list[int]:
    """Return the indices of the cells to show: by their say, none under the scale bar unless all are there."""
    box = scale_bar_box(frame)
    clear = [i for i, body in enumerate(bodies) if box is None or not _meets(body, box)]
    return sorted(clear or range(len(bodies)), key=lambda i: (-bodies[i].say, i))[:most]


def _meets(body: Body, box: tuple[int, int, int, int]) -> bool:
    x, y, width, height = box
    rows, columns = body.window
    return bool(columns.stop > x and columns.start < x + width and rows.stop > y and rows.start < y + height)


def _cell_logits(frame: ModelFrame, labels: np.ndarray, body: Body, model: Runtime) -> np.ndarray:
    crop = crop_cell(frame.pixels, labels, body.name, body.centre, model.input_shape[1])
    return np.asarray(model.invoke(to_tensor(crop))[0])


def _tile_logits(
    frame: ModelFrame, labels: np.ndarray, model: Runtime, facts: Classifier
) -> tuple[list[np.ndarray], np.ndarray]:
    """Logits and cell area of every tile that holds a cell."""
    size = model.input_shape[1]
    shown = on_neutral_ground(frame.pixels, labels > 0) if facts.shown == "cells" else frame.pixels.copy()
    box = scale_bar_box(frame)
    if box is not None:
        x, y, width, height = box
        shown[y : y + height, x : x + width] = 255
    logits, areas = [], []
    for origin in tile_origins(labels.shape[0], labels.shape[1], size):
        area = np.count_nonzero(tile(labels, origin, size))
        if area:
            logits.append(np.asarray(model.invoke(to_tensor(tile(shown, origin, size)))[0]))
            areas.append(float(area))
    return logits, np.array(areas)
