"""Near-duplicates: fields of the same place on a slide, photographed again with another shift, focus or exposure."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

from smear.imaging.masking import SCALE_BAR_BOX
from smear.progress import progress

FEATURES = 250  # SIFT key points of a field; sharp fields of 224 px have 150 to 300
NEXT_BEST = 0.85  # Lowe's ratio: a match must be this much nearer than the second best, since red cells look alike
MAX_ERROR_PX = 4.0  # of a matched point after the transform; JPEG and lens distortion cause up to 3
MIN_INLIERS = 7  # fewer match by chance too often
ROUNDS = 500  # of RANSAC: fails once in 10^8 where a fifth of the matches are right
ZOOM = (0.6, 1.67)
MIN_SHARED = 0.04  # of the area: a smaller overlap holds no whole cell
MIN_CORRELATION = 0.5
"""Of the blurred grey values in the overlap. On the 2605 fields the 906 accepted pairs had 0.52 to 1, the 12 others
with enough points at most 0.45; of 124 pairs inspected by eye, the weakest first, none was wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyPoints:
    """The key points of one field."""

    xy: NDArray[np.float32]  # (n, 2), in pixels
    descriptors: NDArray[np.float32]  # (n, 128), root SIFT, of unit length


@dataclass(frozen=True, slots=True)
class Pair:
    """Two fields that show the same place, and the transform that maps the first onto the second."""

    first: int
    second: int
    inliers: int
    zoom: float
    shift: tuple[float, float]  # px, x and y
    correlation: float  # of the grey values where they overlap; 1.0 for the same picture


def find(images: Sequence[NDArray[np.uint8]], labels: Sequence[str], quiet: bool = False) -> list[Pair]:
    """Return every pair of near-duplicates within a class; `images` are RGB uint8 (224, 224, 3).

    Every two fields are compared: proposals by perceptual hash, visual words or phase correlation each lost pairs that
    share a strip only (108 of 906 on the 2605 fields), and all 894,192 comparisons take four minutes of one core.
    """
    points = [key_points(image) for image in progress(images, "Key points", quiet)]
    later = [[j for j in range(i + 1, len(labels)) if labels[j] == labels[i]] for i in range(len(labels))]

    def pairs_with_later(first: int) -> list[Pair]:
        matched = (match(first, second, points, images) for second in later[first])
        return [pair for pair in matched if pair is not None]

    # One thread for each matrix product: at this size, handing out the work costs more than the product.
    with threadpool_limits(1):
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            rows = progress(pool.map(pairs_with_later, range(len(labels))), "Comparing fields", quiet, len(labels))
            return [pair for found in rows for pair in found]
        finally:
            pool.shutdown(cancel_futures=True)  # so that Ctrl-C does not wait for thousands of comparisons


def key_points(image: NDArray[np.uint8]) -> KeyPoints:
    """Return the strongest key points of the green channel, which shows cells best, outside the scale bar."""
    mask = np.full(image.shape[:2], 255, np.uint8)
    mask[-SCALE_BAR_BOX[1] - 4 :, -SCALE_BAR_BOX[0] - 4 :] = 0
    sift: Any = cv2.SIFT_create(nfeatures=FEATURES)  # type: ignore[attr-defined]  # missing in OpenCV's stubs
    found, described = sift.detectAndCompute(image[..., 1], mask)
    if described is None:
        return KeyPoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    # Root SIFT: Euclidean distance becomes Hellinger distance (Arandjelovic and Zisserman, 2012).
    root = np.sqrt(described / np.maximum(described.sum(axis=1, keepdims=True), 1e-6))
    return KeyPoints(np.array([p.pt for p in found], np.float32), root.astype(np.float32))


def match(first: int, second: int, points: Sequence[KeyPoints], images: Sequence[NDArray[np.uint8]]) -> Pair | None:
    """Return the pair of fields `first` and `second`, or None where no plausible transform maps one onto the other."""
    a, b = points[first], points[second]
    if min(len(a.xy), len(b.xy)) < MIN_INLIERS:
        return None
    rows, columns = _mutual_matches(a.descriptors, b.descriptors)
    if len(rows) < MIN_INLIERS:
        return None
    cv2.setRNGSeed(0)  # RANSAC's generator is global: without this the result would depend on the order of pairs
    transform, inside = cv2.estimateAffinePartial2D(
        a.xy[rows], b.xy[columns], ransacReprojThreshold=MAX_ERROR_PX, maxIters=ROUNDS
    )
    if transform is None or int(inside.sum()) < MIN_INLIERS:
        return None
    zoom = float(np.hypot(transform[0, 0], transform[1, 0]))
    if not ZOOM[0] < zoom < ZOOM[1]:
        return None
    shared, correlation = _overlap(images[first], images[second], transform)
    if shared < MIN_SHARED or correlation < MIN_CORRELATION:
        return None
    shift = (float(transform[0, 2]), float(transform[1, 2]))
    return Pair(first, second, int(inside.sum()), zoom, shift, correlation)


def _mutual_matches(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return rows of `a` and of `b` that are each other's nearest by a clear margin (`NEXT_BEST`)."""
    similarity = a @ b.T
    nearest, nearest_back = similarity.argmax(axis=1), similarity.argmax(axis=0)
    rows = np.flatnonzero(nearest_back[nearest] == np.arange(len(a)))
    best_two = -np.partition(-similarity[rows], 1, axis=1)[:, :2]
    distance = np.sqrt(np.maximum(2 - 2 * best_two, 0))  # of unit vectors, from their product
    rows = rows[distance[:, 0] < NEXT_BEST * np.maximum(distance[:, 1], 1e-6)]
    return rows, nearest[rows]


def _overlap(first: NDArray[np.uint8], second: NDArray[np.uint8], transform: Any) -> tuple[float, float]:
    """Return the share of `second` that the transformed `first` covers, and the correlation of grey values there."""
    height, width = second.shape[:2]
    grey = [cv2.GaussianBlur(image[..., 1], (0, 0), 3).astype(np.float32) for image in (first, second)]
    known = np.ones(first.shape[:2], np.uint8)
    known[-SCALE_BAR_BOX[1] - 4 :, -SCALE_BAR_BOX[0] - 4 :] = 0
    moved = cv2.warpAffine(grey[0], transform, (width, height))
    both = (cv2.warpAffine(known, transform, (width, height), flags=cv2.INTER_NEAREST) > 0) & (known > 0)
    if both.mean() < MIN_SHARED:
        return float(both.mean()), 0.0
    x, y = moved[both] - moved[both].mean(), grey[1][both] - grey[1][both].mean()
    return float(both.mean()), float((x @ y) / max(1e-6, float(np.sqrt((x @ x) * (y @ y)))))


def groups(count: int, joined: Iterable[tuple[int, int]]) -> list[int]:
    """Return for each of `count` fields the smallest index that any chain of pairs connects it with."""
    ends = np.array(list(joined), int).reshape(-1, 2).T
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), (count, count))
    _, group = connected_components(graph, directed=False)
    _, first = np.unique(group, return_index=True)
    return [int(i) for i in first[group]]


def duplicates(sha256: Sequence[str]) -> list[tuple[int, int]]:
    """Return every pair of identical files: each later one with the first."""
    same: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(sha256):
        same[value].append(row)
    return [(rows[0], other) for rows in same.values() for other in rows[1:]]
