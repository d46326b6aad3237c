"""One finding as JSON, and drawn over its picture: the outputs of `analyze` and `capture`."""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.classes import FIELD_CLASSES
from smear.findings import Cell, Finding, Refusal, Scale
from smear.inference.legend import draw_legend, legend_lines
from smear.site import SiteStatus

Colour = tuple[int, int, int]

UNCLASSIFIED: Colour = (255, 255, 255)
_HALO = (24, 20, 28)  # under each outline: no class colour stands out on both glass and nucleus


def colour_of(cell: Cell) -> Colour:
    """Return the colour of the class a cell resembles most; white when it was not classified."""
    if not cell.probabilities:
        return UNCLASSIFIED
    return FIELD_CLASSES[cell.probabilities.index(max(cell.probabilities))].colour


def finding_json(image: str, finding: Finding) -> dict[str, Any]:
    """Return the result for the picture called `image` as JSON types; the interface is documented in the README."""
    quality = finding.quality
    return {
        "image": image,
        "label": finding.label,
        "top": finding.top,
        "refusals": [refusal_json(refusal) for refusal in finding.refusals],
        "probabilities": {name: round(float(value), 6) for name, value in finding.probabilities.items()},
        "cells": [_cell_json(cell) for cell in finding.cells],
        "quality": {name: _rounded(getattr(quality, name)) for name in type(quality).__slots__},
        "scale": None if finding.scale is None else scale_json(finding.scale),
        "timing_ms": {stage: round(float(ms), 3) for stage, ms in finding.timing_ms.items()},
        "bundle_sha256": finding.bundle_sha256,
        "level": finding.level,
        "runtime": finding.runtime,
        "site": site_json(finding.site),
    }


def site_json(site: SiteStatus | None) -> dict[str, Any] | None:
    """Return `site` as JSON types; None where the finding belongs to no site."""
    if site is None:
        return None
    return {"checked": site.checked, "certificate": site.certificate, "warning": site.warning}


def refusal_json(refusal: Refusal) -> dict[str, str]:
    """Return `refusal` as JSON types."""
    return {"code": str(refusal.code), "advice": refusal.advice}


def scale_json(scale: Scale) -> dict[str, Any]:
    """Return `scale` as JSON types; what red cells say is None where none were seen."""
    said = scale.red_cells
    low, high = said.interval_um if said is not None else (None, None)
    return {
        "pixel_size_um": _rounded(scale.pixel_size_um),
        "given": scale.given,
        "red_cells_um": _rounded(said.pixel_size_um if said is not None else None),
        "low_um": _rounded(low),
        "high_um": _rounded(high),
        "red_cells": said.red_cells if said is not None else 0,
        "sure": said is not None and said.sure,
    }


def draw_overlay(image: NDArray[np.uint8], finding: Finding) -> np.ndarray:
    """Return RGB uint8 (H, W, 3) `image` with each leukocyte outlined in its class's colour, and a legend.

    A refused field says so, and its outlines are white: no label, and so no class.
    """
    drawn = image.copy()
    refused = finding.label is None
    draw_outlines(drawn, [(cell.contour, UNCLASSIFIED if refused else colour_of(cell)) for cell in finding.cells])
    unchecked = finding.site is not None and not finding.site.checked
    draw_legend(drawn, legend_lines(refused, unchecked), finding.mask.values)
    return drawn


def scaled_contour(contour: NDArray[np.int32], scale: float, origin: tuple[int, int] = (0, 0)) -> NDArray[np.int32]:
    """Return int32 (n, 2) of x and y in a picture that `cv2.resize` scaled from `origin` on."""
    centres = (contour - np.array(origin) + 0.5) * scale - 0.5  # as it maps the centres of pixels
    return np.asarray(np.rint(centres), np.int32)


def draw_outlines(
    image: NDArray[np.uint8], outlines: Sequence[tuple[NDArray[np.int32], Colour]], least: int = 1
) -> None:
    """Draw `outlines`, int32 (n, 2) of x and y, in their colours and `least` pixels wide, into RGB uint8 `image`."""
    width = max(least, round(min(image.shape[:2]) / 240))  # as thick on a camera's frame as on a field of the data set
    for under, extra in ((True, 2), (False, 0)):
        for contour, colour in outlines:
            points = [contour.reshape(-1, 1, 2)]
            cv2.polylines(image, points, True, _HALO if under else colour, width + extra, cv2.LINE_AA)


def _cell_json(cell: Cell) -> dict[str, Any]:
    area = {"area_px": float(cell.area_px)} if cell.area_um2 is None else {"area_um2": round(float(cell.area_um2), 3)}
    return area | {"nc_ratio": round(float(cell.nc_ratio), 4), "bbox": [int(value) for value in cell.bbox]}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
