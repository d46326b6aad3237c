"""Corruptions of a field as they occur at the microscope, in graded strengths: stain, white balance, focus, JPEG."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.images import encode
from smear.imaging.stain_normalization import optical_density
from train.data.variation.dye_variation import dye_matrix

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""RGB uint8 (H, W, 3) to the same."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of corruption at one strength."""

    kind: str
    strength: str  # as tables name it
    apply: Change


def all_corruptions() -> tuple[Corruption, ...]:
    """Return every kind, each from mild to severe."""
    return (
        *(Corruption("stain", f"blue dye x{b}, eosin x{e}", _stain(b, e))
          for b, e in ((1.1, 0.9), (0.9, 1.1), (1.25, 0.8), (0.8, 1.25), (1.5, 0.7), (0.7, 1.5))),
        *(Corruption("white balance", f"red x{r}, blue x{b}", _balance(r, b))
          for r, b in ((0.95, 1.0), (1.0, 0.95), (0.9, 1.0), (1.0, 0.9), (0.8, 1.0), (1.0, 0.8))),
        *(Corruption("blur", f"sigma {sigma} px", _blur(sigma)) for sigma in (0.5, 1.0, 1.5, 2.0, 3.0)),
        *(Corruption("JPEG", f"quality {quality}", _jpeg(quality)) for quality in (80, 50, 30, 15)),
    )  # fmt: skip


def _stain(blue: float, eosin: float) -> Change:
    matrix = dye_matrix(blue, eosin).astype(np.float32)

    def apply(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        density = optical_density(image.astype(np.float32)) @ matrix
        return np.clip(np.exp(-density) * 256.0 - 0.5, 0, 255).astype(np.uint8)

    return apply


def _balance(red: float, blue: float) -> Change:
    gain = np.array([red, 1.0, blue], np.float32)
    return lambda image: np.clip(image * gain + 0.5, 0, 255).astype(np.uint8)


def _blur(sigma_px: float) -> Change:
    return lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def _jpeg(quality: int) -> Change:
    def apply(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        stored = np.frombuffer(encode(image, ".jpg", quality), np.uint8)
        return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR_RGB), np.uint8)

    return apply
