"""Stain sessions: which fields of a class come from one slide and camera setting, as far as colour shows it.

No file names the slide or the patient. Slide and camera setting show in the colour of glass and red cells, so the
fields of each class are clustered by it. A session is a guess: two slides stained alike become one.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from smear.classes import LABELS
from smear.imaging.resampling import to_model_scale
from train.data.background import background_mask

SESSIONS = 3
"""In every class, so that each fold can hold out one of each. Mean silhouette over the classes of the 2605 fields: 0.49
for two, 0.42 for three, 0.41 for four. Two fit best, but would hold out five sixths of Pre at once; with four the
smallest sessions of Benign and Pro fall to 24 and 6 fields, too few to score on."""
COMPARED = (2, 3, 4, 5)  # numbers of sessions whose fit an audit states
LIGHTNESS = 0.5  # weight of L against a and b: exposure changes within a session, hue hardly does
MIN_BACKGROUND_PX = 500  # of 50,176: with fewer the field is full of cells, and every pixel is used


def background_colours(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return median L, a, b of the glass, then of the red cells, of one RGB uint8 field; float32 (6,)."""
    frame = to_model_scale(image)
    mask = background_mask(frame)
    if mask.sum() < MIN_BACKGROUND_PX:
        mask = np.ones(mask.shape, bool)
    pixels = frame.pixels[mask]
    # Haemoglobin absorbs green: the two peaks of green are glass and red cells.
    limit, _ = cv2.threshold(pixels[:, 1].copy(), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    glass = pixels[:, 1] > limit
    lab = cv2.cvtColor(pixels[np.newaxis].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    parts = [lab[part] if part.any() else lab for part in (glass, ~glass)]
    return np.concatenate([np.median(part, axis=0) for part in parts]).astype(np.float32)


def find(colours: NDArray[Any], labels: Sequence[str], groups: Sequence[int]) -> list[str]:
    """Return the session of each field, "Benign-1": clusters of float (n, 6) `colours` within each class.

    A group of near-duplicates goes where most of it lies. Sessions are numbered from the largest, in every second class
    from the smallest: sessions of one number are held out together, so the folds come out about equal.
    """
    named = [""] * len(labels)
    for place, label in enumerate(LABELS):
        rows = [i for i, other in enumerate(labels) if other == label]
        if not rows:
            continue
        clusters = _clusters(weighted(colours[rows]), SESSIONS)
        members: dict[int, list[int]] = defaultdict(list)
        for row, cluster in zip(rows, clusters, strict=True):
            members[groups[row]].append(int(cluster))
        chosen = [Counter(sorted(members[groups[row]])).most_common(1)[0][0] for row in rows]
        by_size = [cluster for cluster, _ in Counter(chosen).most_common()][:: -1 if place % 2 else 1]
        for row, cluster in zip(rows, chosen, strict=True):
            named[row] = f"{label}-{by_size.index(cluster) + 1}"
    return named


def silhouettes(colours: NDArray[Any], labels: Sequence[str]) -> dict[int, float]:
    """Return for each number of sessions the mean silhouette over the classes: how well that number fits."""
    found: dict[int, list[float]] = {count: [] for count in COMPARED}
    for label in sorted(set(labels)):
        rows = [i for i, other in enumerate(labels) if other == label]
        x = weighted(colours[rows])
        for count in COMPARED:
            clusters = _clusters(x, count)
            if 1 < len(set(clusters.tolist())) < len(x):
                found[count].append(float(silhouette_score(x, clusters, random_state=0)))
    return {count: float(np.mean(scores)) for count, scores in found.items() if scores}


def weighted(colours: NDArray[Any]) -> NDArray[Any]:
    """Return float (n, 6) `colours` with lightness weighted down."""
    return np.asarray(colours * np.array([LIGHTNESS, 1, 1, LIGHTNESS, 1, 1], np.float32))


def _clusters(x: NDArray[Any], count: int) -> NDArray[Any]:
    count = min(count, len(np.unique(x, axis=0)))
    with threadpool_limits(1, "openmp"):  # a few hundred points: starting threads costs more than they save
        return np.asarray(KMeans(count, n_init=20, random_state=0).fit(x).labels_)
