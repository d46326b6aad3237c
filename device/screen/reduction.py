"""A result no larger than the screen needs it: it is kept as long as it is shown, and at 48 megapixels takes 190 MB."""

from dataclasses import replace

import cv2
import numpy as np

from device.screen.layout import ScreenState
from smear.findings import Cell, CellMask, Finding, Frame


def reduced(state: ScreenState, size: tuple[int, int]) -> ScreenState:
    """Return `state` with frame and finding halved until less than twice as large as `size` (width, height)."""
    frame, finding = state.frame, state.finding
    while frame is not None and frame.image.shape[1] >= 2 * size[0] and frame.image.shape[0] >= 2 * size[1]:
        frame, finding = _halved(frame), _halved_finding(finding) if finding is not None else None
    return state if frame is state.frame else replace(state, frame=frame, finding=finding)


def _halved(frame: Frame) -> Frame:
    half = (frame.image.shape[1] // 2, frame.image.shape[0] // 2)
    image = np.asarray(cv2.resize(frame.image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return replace(frame, image=image, pixel_size_um=frame.pixel_size_um and 2 * frame.pixel_size_um)


def _halved_finding(finding: Finding) -> Finding:
    mask = CellMask(np.ascontiguousarray(finding.mask.values[::2, ::2]))
    return replace(finding, cells=tuple(map(_halved_cell, finding.cells)), mask=mask)


def _halved_cell(cell: Cell) -> Cell:
    x, y, width, height = (length // 2 for length in cell.bbox)
    measured = (cell.area_px / 4, cell.area_um2, cell.nc_ratio, cell.circularity)
    centroid = (cell.centroid[0] / 2, cell.centroid[1] / 2)
    return Cell((x, y, width, height), centroid, *measured, cell.contour // 2, cell.touches_edge, cell.probabilities)
