"""Straightforward reference implementations of what the product does fast; both must agree."""

import cv2
import numpy as np

from smear.findings import BACKGROUND, CYTOPLASM, NUCLEUS, CellMask
from smear.imaging.cell_detection import CellPixels, DetectedCell, measure
from smear.imaging.contours import MAX_LOG_ODDS
from smear.imaging.resampling import ModelFrame, to_frame_scale
from smear.imaging.stain_normalization import GLASS_PERCENTILE, fill_holes
from smear.imaging.tiling import TILE_OVERLAP
from smear.imaging.watershed import (
    CROSS,
    GAP_PX,
    LEVEL_STEP_PX,
    MIN_CELL_PX,
    MIN_PEAK_PX,
    NECK,
    SMOOTHING_PX,
    peak_window,
    split_touching_cells,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def stitch(tiles: list[np.ndarray], origins: list[tuple[int, int]], shape: tuple[int, int]) -> np.ndarray:
    size = tiles[0].shape[0]
    ramp = np.minimum(np.arange(size) + 1, size - np.arange(size)).clip(max=TILE_OVERLAP).astype(np.float32)
    weight = np.minimum.outer(ramp, ramp)[..., np.newaxis]
    total, weights = np.zeros((*shape, tiles[0].shape[2]), np.float32), np.zeros((*shape, 1), np.float32)
    for values, (x, y) in zip(tiles, origins, strict=True):
        total[y : y + size, x : x + size] += values * weight
        weights[y : y + size, x : x + size] += weight
    return total / weights


def mask_in_frame(probabilities: np.ndarray, cell: np.ndarray, view: ModelFrame) -> np.ndarray:
    cell = fill_holes(cell)
    near = cv2.dilate(cell.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    background = np.where(near if view.scale != 1.0 else cell, probabilities[..., 0], 1.0)
    nucleus = log_odds(probabilities[..., 2], probabilities[..., 1])
    hole = cell & (background >= 0.5)
    background[hole], nucleus[hole] = 0.0, -1.0
    planes = [
        to_frame_scale(p[..., np.newaxis], view)[..., 0] for p in (log_odds(background, 1.0 - background), nucleus)
    ]
    return np.select([planes[0] >= 0, planes[1] >= 0], [BACKGROUND, NUCLEUS], CYTOPLASM).astype(np.uint8)


def log_odds(this: np.ndarray, that: np.ndarray) -> np.ndarray:
    share = np.clip(this / (this + that), 1 / (1 + np.exp(MAX_LOG_ODDS)), 1 / (1 + np.exp(-MAX_LOG_ODDS)))
    return np.asarray(np.log(share) - np.log1p(-share), np.float32)


def split_by_outline(cell: np.ndarray) -> np.ndarray:
    """Split bool (h, w) by its outline alone, every pixel being certain."""
    return split_touching_cells(cell, np.where(cell, np.float32(-MAX_LOG_ODDS), np.float32(MAX_LOG_ODDS)))


def measured(labels: np.ndarray, mask: CellMask, view: ModelFrame, pixel_size_um: float | None) -> list[DetectedCell]:
    return measure(labels, CellPixels.of(labels, mask.nucleus), view, pixel_size_um)[1]


def watershed(cell: np.ndarray, background: np.ndarray, stride: int) -> np.ndarray:
    """Split each component on a background of its own, as if there were no other."""
    count, parts = cv2.connectedComponents(cell.astype(np.uint8), connectivity=4)
    labels, found, least = np.zeros(cell.shape, np.int32), 0, MIN_CELL_PX / stride**2
    for part in range(1, count):
        inside = np.pad(parts == part, 8)
        if np.count_nonzero(inside) < least:
            continue
        height = heights(np.where(inside, np.pad(background, 8), MAX_LOG_ODDS).astype(np.float32), inside, stride)
        top = (height >= cv2.dilate(height, peak_window(stride))) & (height > MIN_PEAK_PX)
        _, _, _, centres = cv2.connectedComponentsWithStats(top.astype(np.uint8), connectivity=8)
        middles = [(int(x), int(y)) for x, y in np.rint(centres[1:])]
        peaks = [(float(height[y, x]), x, y) for x, y in middles if inside[y, x]]
        seeds = [(x, y) for _, x, y in apart(height, sorted(peaks, reverse=True))]
        pieces = flood(np.where(inside, height, 0), seeds, stride) if len(seeds) > 1 else inside.astype(int)
        for name in range(1, max(2, len(seeds) + 1)):
            if np.count_nonzero(pieces == name) >= least:
                found += 1
                labels[(pieces == name)[8:-8, 8:-8]] = found
    return labels


def apart(height: np.ndarray, peaks: list[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    kept: list[tuple[float, int, int]] = []
    for top, x, y in peaks:
        necks = []
        for _, u, v in kept:
            along = np.linspace(0, 1, max(3, int(np.hypot(u - x, v - y))))
            necks.append(min(height[round(y + (v - y) * t), round(x + (u - x) * t)] for t in along))
        if all(neck <= NECK * top for neck in necks):
            kept.append((top, x, y))
    return kept


def heights(odds: np.ndarray, inside: np.ndarray, stride: int) -> np.ndarray:
    fine_inside = (cv2.resize(odds, None, fx=stride, fy=stride) < 0).astype(np.uint8)
    count, holes, stats, _ = cv2.connectedComponentsWithStats(1 - fine_inside, connectivity=4)
    for hole in range(1, count):
        if stats[hole, cv2.CC_STAT_AREA] < GAP_PX:
            fine_inside[holes == hole] = 1
    smooth = cv2.GaussianBlur(cv2.distanceTransform(fine_inside, cv2.DIST_L2, 5), (0, 0), SMOOTHING_PX)
    fine = np.where(fine_inside > 0, np.maximum(smooth, np.float32(0.01)), np.float32(0))
    mean = cv2.resize(fine, odds.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.where(inside, np.maximum(mean, np.float32(0.01)), np.float32(0))


def flood(height: np.ndarray, seeds: list[tuple[int, int]], stride: int) -> np.ndarray:
    labels = np.zeros(height.shape, np.uint16)
    for name, (x, y) in enumerate(seeds, start=1):
        labels[y, x] = name
    step, highest = LEVEL_STEP_PX * stride, float(max(height[y, x] for x, y in seeds))
    for level in np.arange(highest - step, -step, -step):
        zone = height > max(level, 0.0)
        while True:
            grown = cv2.dilate(labels, CROSS)
            new = zone & (labels == 0) & (grown > 0)
            if not new.any():
                break
            labels[new] = grown[new]
    return labels


def glass_colour(image: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    step = max(1, min(image.shape[:2]) // 224)
    sample = image[::step, ::step].reshape(-1, 3)
    if not exclude.all():
        sample = sample[~exclude[::step, ::step].ravel()]
    luminance = sample @ np.array([299, 587, 114])
    return np.asarray(np.median(sample[luminance >= np.percentile(luminance, GLASS_PERCENTILE)], axis=0))


def focus(pixels: np.ndarray, cell: np.ndarray, step: int) -> float:
    kernel = np.ones((5, 5), np.uint8)
    grown, core = (step(cell.astype(np.uint8), kernel) > 0 for step in (cv2.dilate, cv2.erode))
    rim, background = grown & ~core, ~grown
    if not (rim.any() and core.any() and background.any()):
        return 0.0
    green = pixels[..., 1].astype(float)
    gradient = cv2.Sobel(green, cv2.CV_64F, 1, 0) ** 2 + cv2.Sobel(green, cv2.CV_64F, 0, 1) ** 2
    coarse = np.s_[::step, ::step]
    if not background[coarse].any():
        return 0.0
    contrast = float(np.median(green[coarse][background[coarse]]) - np.median(green[core]))
    return float(gradient[rim].mean()) / 64.0 / max(contrast * contrast, 25.0)


def clipped(pixels: np.ndarray, cell: np.ndarray) -> float:
    at_end = (pixels == 0) | (pixels == 255)
    return float(at_end[cell].any(axis=-1).mean() if cell.any() else at_end.all(axis=-1).mean())
