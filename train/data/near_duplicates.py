"""Which fields show the same place on the slide: photographed twice, shifted, refocused, exposed anew or zoomed."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from smear.imaging.masking import SCALE_BAR_BOX
from smear.progress import progress

FEATURES = 250  # SIFT key points a field; sharp fields of 224 px hold 150 to 300
NEXT_BEST = 0.85  # a match must be this much nearer than the next best: red cells resemble each other
MAX_ERROR_PX = 4.0  # of a matched point after the move; JPEG and the lens bend by up to 3
MIN_INLIERS = 7  # fewer fit by chance too often
ROUNDS = 500  # of RANSAC: finds a pair among matches of which a fifth are right, all but once in 10^8
ZOOM = (0.6, 1.67)
MIN_SHARED = 0.04  # of the area: less holds no whole cell
MIN_CORRELATION = 0.5
"""Of the blurred grey values in the overlap. On the 2605 fields the 906 accepted pairs had 0.52 to 1, the 12 others
with enough points at most 0.45; among 124 pairs looked at, the weakest first, none was seen to be wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The key points of one field."""

    at: np.ndarray  # float32 (n, 2), x and y
    what: np.ndarray  # float32 (n, 128), root SIFT, of unit length


@dataclass(frozen=True, slots=True)
class Pair:
    """Two fields that show the same place, and the move that lays the first on the second."""

    first: int
    second: int
    inliers: int
    zoom: float
    shift: tuple[float, float]  # px, x and y
    correlation: float  # of the grey values where they overlap; 1.0 for the same picture


def find(images: Sequence[np.ndarray], labels: Sequence[str], quiet: bool = False) -> list[Pair]:
    """Return every pair within a class that can be laid on each other; `images` are RGB uint8 (224, 224, 3).

    Every two fields are compared: proposals by perceptual hash, visual words or phase correlation each lost pairs that
    share a strip only (108 of 906 on the 2605 fields), and all 894,192 comparisons take four minutes of one core.
    """
    points = [key_points(image) for image in progress(images, "Key points", quiet)]
    later = [[j for j in range(i + 1, len(labels)) if labels[j] == labels[i]] for i in range(len(labels))]

    def with_later(first: int) -> list[Pair]:
        proven = (prove(first, second, points, images) for second in later[first])
        return [pair for pair in proven if pair is not None]

    # The matrix library's own threads would wait for each other at these small products, longer than they work.
    with threadpool_limits(1):
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            rows = progress(pool.map(with_later, range(len(labels))), "Comparing fields", quiet, len(labels))
            return [pair for found in rows for pair in found]
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C must not wait for thousands of comparisons


def key_points(image: np.ndarray) -> Points:
    """Return the strongest key points of the green channel, in which cells stand out, clear of the scale bar."""
    mask = np.full(image.shape[:2], 255, np.uint8)
    mask[-SCALE_BAR_BOX[1] - 4 :, -SCALE_BAR_BOX[0] - 4 :] = 0
    found, described = cv2.SIFT_create(nfeatures=FEATURES).detectAndCompute(image[..., 1], mask)
    if described is None:
        return Points(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    # Square roots make the distance that of Hellinger (Arandjelovic and Zisserman, 2012).
    root = np.sqrt(described / np.maximum(described.sum(axis=1, keepdims=True), 1e-6))
    return Points(np.array([p.pt for p in found], np.float32), root.astype(np.float32))


def prove(first: int, second: int, points: Sequence[Points], images: Sequence[np.ndarray]) -> Pair | None:
    """Return the move that lays field `first` on `second`, or None where no believable one does."""
    a, b = points[first], points[second]
    if min(len(a.at), len(b.at)) < MIN_INLIERS:
        return None
    rows, columns = _mutual(a.what, b.what)
    if len(rows) < MIN_INLIERS:
        return None
    cv2.setRNGSeed(0)  # RANSAC draws from one generator for the whole process: the order of pairs must not matter
    move, inside = cv2.estimateAffinePartial2D(
        a.at[rows], b.at[columns], ransacReprojThreshold=MAX_ERROR_PX, maxIters=ROUNDS
    )
    if move is None or int(inside.sum()) < MIN_INLIERS:
        return None
    zoom = float(np.hypot(move[0, 0], move[1, 0]))
    if not ZOOM[0] < zoom < ZOOM[1]:
        return None
    shared, correlation = _laid_over(images[first], images[second], move)
    if shared < MIN_SHARED or correlation < MIN_CORRELATION:
        return None
    shift = (float(move[0, 2]), float(move[1, 2]))
    return Pair(first, second, int(inside.sum()), zoom, shift, correlation)


def _mutual(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of `a` and of `b` that are each other's nearest, and clearly so."""
    likeness = a @ b.T
    forth, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.flatnonzero(back[forth] == np.arange(len(a)))
    two = -np.partition(-likeness[rows], 1, axis=1)[:, :2]
    away = np.sqrt(np.maximum(2 - 2 * two, 0))  # distance of unit vectors from their product
    rows = rows[away[:, 0] < NEXT_BEST * np.maximum(away[:, 1], 1e-6)]
    return rows, forth[rows]


def _laid_over(first: np.ndarray, second: np.ndarray, move: np.ndarray) -> tuple[float, float]:
    """Return which share of `second` the moved `first` covers, and the correlation of their grey values there."""
    height, width = second.shape[:2]
    grey = [cv2.GaussianBlur(image[..., 1], (0, 0), 3).astype(np.float32) for image in (first, second)]
    known = np.ones(first.shape[:2], np.uint8)
    known[-SCALE_BAR_BOX[1] - 4 :, -SCALE_BAR_BOX[0] - 4 :] = 0
    moved = cv2.warpAffine(grey[0], move, (width, height))
    both = (cv2.warpAffine(known, move, (width, height), flags=cv2.INTER_NEAREST) > 0) & (known > 0)
    if both.mean() < MIN_SHARED:
        return float(both.mean()), 0.0
    x, y = moved[both] - moved[both].mean(), grey[1][both] - grey[1][both].mean()
    return float(both.mean()), float((x @ y) / max(1e-6, float(np.sqrt((x @ x) * (y @ y)))))


def groups(count: int, joined: Iterable[tuple[int, int]]) -> list[int]:
    """Return for each of `count` fields the smallest index it is joined with, over any chain of pairs."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in joined:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return [root(i) for i in range(count)]


def duplicates(sha256: Sequence[str]) -> list[tuple[int, int]]:
    """Return every pair of the same bytes: each later file with the first."""
    same: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(sha256):
        same[value].append(row)
    return [(rows[0], other) for rows in same.values() for other in rows[1:]]
