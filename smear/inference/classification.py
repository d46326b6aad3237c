"""Which class a field resembles: the classifier on what the bundle says it is shown, pooled over the field."""

from collections.abc import Sequence

import cv2
import numpy as np

from smear.bundle.manifest import Classifier
from smear.imaging.cell_detection import Body
from smear.imaging.masking import cells_alone, crop_at, on_neutral_ground, without_scale_bar
from smear.imaging.resampling import ModelFrame
from smear.imaging.tiling import tile, tile_origins
from smear.inference.aggregation import Verdict, judge, read_maps
from smear.inference.runtime import Runtime

MAX_CELLS = 48  # shown to the classifier in one field, those with the most say first: bounds the time of one field


def classify(
    frame: ModelFrame,
    cell: np.ndarray,
    glass: np.ndarray,
    bodies: Sequence[Body],
    model: Runtime,
    facts: Classifier,
) -> Verdict:
    """Return the verdict on a field with at least one cell; its `of_cells` belong to the first of `bodies`.

    `bodies` are those the classifier may see, those with the most say first, see `clear_of_scale_bar`.
    `cell` is bool (h, w) at model scale, `glass` float (3,) RGB in 0..255.

    Raises:
        InferenceError: the model did not answer.
    """
    if facts.shown == "cells":
        centres = np.array([body.centre for body in bodies])
        logits, say, of_cells = _map_logits(cells_alone(frame, cell, glass, facts.stain), cell, centres, model)
        return judge(logits, say, facts.temperature, of_cells)
    if facts.shown == "crops":
        seen = bodies[:MAX_CELLS]
        shown, size = on_neutral_ground(frame.pixels, cell), model.input_shape[1]
        crops = (crop_at(shown, body.centre, size) for body in seen)
        logits = np.stack([model.invoke(crop[np.newaxis])[0] for crop in crops])
        say = np.array([body.say for body in seen])
    else:
        _, logits, say = _answers(without_scale_bar(frame), cell, model)
    if facts.output == "probabilities":
        logits = np.log(np.maximum(logits, 1e-7))
    # What is said of a whole field is said of none of its cells.
    return judge(logits, say, facts.temperature, logits if facts.shown == "crops" else logits[:0])


def _map_logits(
    shown: np.ndarray, cell: np.ndarray, centres: np.ndarray, model: Runtime
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits and cell area of every tile that holds a cell, and the logits at `centres`, float (n, 2) of x, y.

    A tile's are the mean of its map; a cell's are read from the tile whose middle is nearest to it.
    """
    size = model.input_shape[1]
    origins, maps, areas = _answers(shown, cell, model)
    nearest = np.abs(centres[:, np.newaxis] - (origins + size / 2)).max(axis=2).argmin(axis=1)
    of_cells = read_maps(maps, nearest, centres - origins[nearest])
    return maps.reshape(len(maps), -1, maps.shape[-1]).mean(axis=1), areas, of_cells


def _answers(shown: np.ndarray, cell: np.ndarray, model: Runtime) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origin x and y, answer, and area of cell, of each tile of the picture `shown` that holds any cell."""
    size = model.input_shape[1]
    body = cell.view(np.uint8)
    origins, answers, areas = [], [], []
    for origin in tile_origins(cell.shape[0], cell.shape[1], size):
        area = cv2.countNonZero(tile(body, origin, size))
        if area:
            origins.append(origin)
            answers.append(model.invoke(tile(shown, origin, size)[np.newaxis])[0])
            areas.append(float(area))
    return np.array(origins), np.stack(answers), np.array(areas)
