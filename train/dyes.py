"""The two dyes of a smear: what more or less of each does to optical density."""

from functools import lru_cache

import numpy as np

# Optical density of azure B with haematoxylin-like nuclei, and of eosin, in R, G, B (Ruifrok and Johnston 2001, whose
# haematoxylin stands for the blue dye here); the third direction is what neither explains, and is left alone.
BLUE_DYE, EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)


def dyed(blue: float, eosin: float) -> np.ndarray:
    """Return float (3, 3): densities (..., 3) times it are those with so many times as much of each dye."""
    dyes = _dyes()
    return np.linalg.inv(dyes) @ np.diag([blue, eosin, 1.0]) @ dyes


@lru_cache(maxsize=1)
def _dyes() -> np.ndarray:
    first, second = np.array(BLUE_DYE), np.array(EOSIN)
    dyes = np.stack([first, second, np.cross(first, second)])
    return np.asarray(dyes / np.linalg.norm(dyes, axis=1, keepdims=True))
