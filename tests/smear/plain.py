"""The same steps written plainly: what the fast ones must answer, however they come to it."""

import cv2
import numpy as np

from smear.borders import SUREST
from smear.cells import MIN_CELL_PX
from smear.field import BACKGROUND, CYTOPLASM, NUCLEUS
from smear.parting import _CROSS, _LEVEL_PX, _MIN_PEAK_PX, SMOOTHING_PX, _apart, _peak_window
from smear.preprocess import TILE_OVERLAP, ModelFrame, to_frame_scale
from smear.stain import GLASS_PERCENTILE, fill_holes


def softmax(logits: np.ndarray) -> np.ndarray:
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


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
    ground = np.where(near if view.scale != 1.0 else cell, probabilities[..., 0], 1.0)
    nucleus = log_odds(probabilities[..., 2], probabilities[..., 1])
    hole = cell & (ground >= 0.5)
    ground[hole], nucleus[hole] = 0.0, -1.0
    planes = [to_frame_scale(p[..., np.newaxis], view)[..., 0] for p in (log_odds(ground, 1.0 - ground), nucleus)]
    return np.select([planes[0] >= 0, planes[1] >= 0], [BACKGROUND, NUCLEUS], CYTOPLASM).astype(np.uint8)


def log_odds(this: np.ndarray, that: np.ndarray) -> np.ndarray:
    share = np.clip(this / (this + that), 1 / (1 + np.exp(SUREST)), 1 / (1 + np.exp(-SUREST)))
    return (np.log(share) - np.log1p(-share)).astype(np.float32)


def separate(cell: np.ndarray) -> np.ndarray:
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(cell.astype(np.uint8), connectivity=4)
    distance = cv2.distanceTransform(cell.astype(np.uint8), cv2.DIST_L2, 5)
    height = np.where(cell, np.maximum(cv2.GaussianBlur(distance, (0, 0), SMOOTHING_PX), 0.01), 0).astype(np.float32)
    top = (height >= cv2.dilate(height, _peak_window(1))) & (height > _MIN_PEAK_PX)
    _, _, _, centres = cv2.connectedComponentsWithStats(top.astype(np.uint8), connectivity=8)
    peaks: list[list[tuple[float, int, int]]] = [[] for _ in range(count)]
    for x, y in np.rint(centres[1:]).astype(int):
        peaks[parts[y, x]].append((float(height[y, x]), int(x), int(y)))
    labels, found = np.zeros(cell.shape, np.int32), 0
    for part in range(1, count):
        x, y, width, height_px, area = boxes[part]
        if area < MIN_CELL_PX:
            continue
        window = np.s_[y : y + height_px, x : x + width]
        inside = parts[window] == part
        tops = _apart(height, sorted(peaks[part], reverse=True))
        if len(tops) < 2:
            found += 1
            labels[window][inside] = found
            continue
        flooded = flood(np.where(inside, height[window], 0), [(px - x, py - y) for _, px, py in tops])
        for name in range(1, len(tops) + 1):
            body = flooded == name
            if np.count_nonzero(body) >= MIN_CELL_PX:
                found += 1
                labels[window][body] = found
    return labels


def flood(height: np.ndarray, seeds: list[tuple[int, int]]) -> np.ndarray:
    labels = np.zeros(height.shape, np.uint16)
    for name, (x, y) in enumerate(seeds, start=1):
        labels[y, x] = name
    for level in np.arange(float(height.max()) - _LEVEL_PX, -_LEVEL_PX, -_LEVEL_PX):
        zone = height > max(level, 0.0)
        while True:
            grown = cv2.dilate(labels, _CROSS)
            new = zone & (labels == 0) & (grown > 0)
            if not new.any():
                break
            labels[new] = grown[new]
    return labels


def glass_colour(image: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    step = max(1, min(image.shape[:2]) // 224)
    thin = image[::step, ::step].reshape(-1, 3)
    if not exclude.all():
        thin = thin[~exclude[::step, ::step].ravel()]
    luminance = thin @ np.array([299, 587, 114])
    return np.median(thin[luminance >= np.percentile(luminance, GLASS_PERCENTILE)], axis=0)


def focus(pixels: np.ndarray, cell: np.ndarray, step: int) -> float:
    kernel = np.ones((5, 5), np.uint8)
    grown, core = (step(cell.astype(np.uint8), kernel) > 0 for step in (cv2.dilate, cv2.erode))
    rim, ground = grown & ~core, ~grown
    if not (rim.any() and core.any() and ground.any()):
        return 0.0
    green = pixels[..., 1].astype(float)
    gradient = cv2.Sobel(green, cv2.CV_64F, 1, 0) ** 2 + cv2.Sobel(green, cv2.CV_64F, 0, 1) ** 2
    thin = np.s_[::step, ::step]
    if not ground[thin].any():
        return 0.0
    contrast = float(np.median(green[thin][ground[thin]]) - np.median(green[core]))
    return float(gradient[rim].mean()) / 64.0 / max(contrast * contrast, 25.0)


def clipped(pixels: np.ndarray, cell: np.ndarray) -> float:
    at_end = (pixels == 0) | (pixels == 255)
    return float(at_end[cell].any(axis=-1).mean() if cell.any() else at_end.all(axis=-1).mean())
