"""What a day at the microscope does to a field, in graded strengths: stain, white balance, focus, compression."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from smear.images import encode
from smear.imaging.stain_normalization import optical_density
from train.data.dye_variation import dyed


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One change of one strength."""

    kind: str
    strength: str  # as a table says it
    apply: Callable[[np.ndarray], np.ndarray]  # RGB uint8 (H, W, 3) to the same


def all_disturbances() -> tuple[Disturbance, ...]:
    """Return every kind, each from mild to harsh."""
    return (
        *(Disturbance("stain", f"blue dye x{b}, eosin x{e}", _stain(b, e))
          for b, e in ((1.1, 0.9), (0.9, 1.1), (1.25, 0.8), (0.8, 1.25), (1.5, 0.7), (0.7, 1.5))),
        *(Disturbance("white balance", f"red x{r}, blue x{b}", _balance(r, b))
          for r, b in ((0.95, 1.0), (1.0, 0.95), (0.9, 1.0), (1.0, 0.9), (0.8, 1.0), (1.0, 0.8))),
        *(Disturbance("blur", f"sigma {sigma} px", _blur(sigma)) for sigma in (0.5, 1.0, 1.5, 2.0, 3.0)),
        *(Disturbance("JPEG", f"quality {quality}", _jpeg(quality)) for quality in (80, 50, 30, 15)),
    )  # fmt: skip


def _stain(blue: float, eosin: float) -> Callable[[np.ndarray], np.ndarray]:
    change = dyed(blue, eosin).astype(np.float32)

    def apply(image: np.ndarray) -> np.ndarray:
        density = optical_density(image.astype(np.float32)) @ change
        return np.clip(np.exp(-density) * 256.0 - 0.5, 0, 255).astype(np.uint8)

    return apply


def _balance(red: float, blue: float) -> Callable[[np.ndarray], np.ndarray]:
    gain = np.array([red, 1.0, blue], np.float32)
    return lambda image: np.clip(image * gain + 0.5, 0, 255).astype(np.uint8)


def _blur(sigma_px: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def _jpeg(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def apply(image: np.ndarray) -> np.ndarray:
        stored = np.frombuffer(encode(image, ".jpg", quality), np.uint8)
        return np.asarray(cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)

    return apply
