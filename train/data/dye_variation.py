"""The two dyes of a smear: what more or less of each does to optical density."""

import numpy as np

# Optical density of azure B with haematoxylin-like nuclei, and of eosin, in R, G, B (Ruifrok and Johnston 2001, whose
# haematoxylin stands for the blue dye here); the third direction is what neither explains, and is left alone.
BLUE_DYE, EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)
_DYES = np.array([BLUE_DYE, EOSIN, np.cross(BLUE_DYE, EOSIN)])
_DYES /= np.linalg.norm(_DYES, axis=1, keepdims=True)
_APART = np.linalg.inv(_DYES)  # densities (..., 3) times it are amounts of each direction


def dyed(blue: float, eosin: float) -> np.ndarray:
    """Return float (3, 3): densities (..., 3) times it are those with so many times as much of each dye."""
    return np.asarray(_APART @ np.diag([blue, eosin, 1.0]) @ _DYES)
