"""Which fields show the same place on the slide: photographed twice, shifted, refocused, exposed anew or zoomed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits

from smear.preprocess import SCALE_BAR_BOX
from train.dataset import progress

FEATURES = 250  # SIFT key points a field; sharp fields of 224 px hold 150 to 300
WORDS = 800  # visual words: 400 to 1600 propose the same pairs
ALIKE = 90  # fields proposed for each by their words ...
OVERLAPPING = 5  # ... and by phase correlation
THUMBNAIL = 56  # px: red cells are still 3 px wide
NEXT_BEST = 0.85  # a match must be this much nearer than the next best: red cells resemble each other
MAX_ERROR_PX = 4.0  # of a matched point after the move; JPEG and the lens bend by up to 3
MIN_INLIERS = 7  # fewer fit by chance too often
ROUNDS = 500  # of RANSAC: finds a pair among matches of which a fifth are right, all but once in 10^8
ZOOM = (0.6, 1.67)
MIN_SHARED = 0.04  # of the area: less holds no whole cell
MIN_CORRELATION = 0.5
"""Of the blurred grey values in the overlap. On the 2605 fields true pairs had 0.52 to 1, chance ones up to 0.45: of 84
pairs looked at, the weakest of 798 among them, all were right."""


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

    Proposed by common visual words (any move) and by phase correlation (shift alone), then proven by a similarity
    transform through matched key points and by the correlation of what overlaps.
    """
    points = [key_points(image) for image in progress(images, "Key points", quiet)]
    # Small products by the hundred thousand: waiting for each other's threads made them ten times slower.
    with threadpool_limits(1):
        return _proven(points, images, labels, quiet)


def _proven(points: Sequence[Points], images: Sequence[np.ndarray], labels: Sequence[str], quiet: bool) -> list[Pair]:
    proposed: set[tuple[int, int]] = set()
    for label in progress(sorted(set(labels)), "Proposing pairs", quiet):
        rows = [i for i, other in enumerate(labels) if other == label]
        near = alike([points[i].what for i in rows]) | overlapping([images[i] for i in rows])
        proposed |= {(rows[a], rows[b]) for a, b in near}
    found = []
    for first, second in progress(sorted(proposed), "Proving pairs", quiet):
        pair = prove(first, second, points, images)
        if pair is not None:
            found.append(pair)
    return found


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


def alike(described: Sequence[np.ndarray]) -> set[tuple[int, int]]:
    """Return for each field the pairs with the `ALIKE` whose rare visual words agree best."""
    rng = np.random.default_rng(0)
    some = np.concatenate([d[rng.permutation(len(d))[:40]] for d in described])
    if len(some) < 2:
        return set()
    words = MiniBatchKMeans(min(WORDS, len(some)), n_init=1, max_iter=20, batch_size=4096, random_state=0)
    words.fit(some)
    centres = words.cluster_centers_.astype(np.float32)
    length = (centres**2).sum(axis=1)
    counts = np.zeros((len(described), len(centres)), np.float32)
    for row, d in enumerate(described):
        np.add.at(counts[row], (length - 2 * d @ centres.T).argmin(axis=1), 1)
    rarity = np.log(len(described) / (1 + (counts > 0).sum(axis=0)))
    weighted = np.sqrt(counts) * np.maximum(rarity, 0)
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True) + 1e-9
    return _best(weighted @ weighted.T, ALIKE)


def overlapping(images: Sequence[np.ndarray]) -> set[tuple[int, int]]:
    """Return for each field the pairs with the `OVERLAPPING` of the sharpest phase-correlation peak."""
    size = THUMBNAIL
    small = np.stack([cv2.resize(i[..., 1], (size, size), interpolation=cv2.INTER_AREA) for i in images])
    small = small.astype(np.float32)
    ground = np.median(small, axis=(1, 2), keepdims=True)
    small -= ground
    small[:, -9:, -13:] = 0  # the scale bar is at the same place in all
    spectrum = fft.rfft2(small * np.outer(np.hanning(size), np.hanning(size)).astype(np.float32))
    spectrum /= np.abs(spectrum) + 1e-6
    low = np.exp(-(fft.fftfreq(size)[:, None] ** 2 + fft.rfftfreq(size)[None] ** 2) / (2 * 0.2**2))
    spectrum = (spectrum * np.sqrt(low)).astype(np.complex64)
    peaks = np.zeros((len(images), len(images)), np.float32)
    for row in range(len(images) - 1):
        together = fft.irfft2(spectrum[row].conj() * spectrum[row + 1 :], s=(size, size))
        peaks[row, row + 1 :] = peaks[row + 1 :, row] = together.max(axis=(1, 2))
    return _best(peaks, OVERLAPPING)


def _best(likeness: np.ndarray, count: int) -> set[tuple[int, int]]:
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argsort(-likeness, axis=1)[:, : min(count, len(likeness) - 1)]
    return {(min(a, int(b)), max(a, int(b))) for a, row in enumerate(nearest) for b in row}


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
