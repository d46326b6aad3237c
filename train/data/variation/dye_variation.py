"""The two dyes of a smear: how more or less of each changes optical density."""

import numpy as np
from numpy.typing import NDArray

# Optical density of haematoxylin, which stands for azure B here, and of eosin, in R, G, B (Ruifrok and Johnston 2001,
# "Quantification of histochemical staining by color deconvolution"). The third direction is what neither dye explains;
# it is left unchanged.
BLUE_DYE, EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)
_DYES = np.array([BLUE_DYE, EOSIN, np.cross(BLUE_DYE, EOSIN)])
_DYES /= np.linalg.norm(_DYES, axis=1, keepdims=True)
_AMOUNTS = np.linalg.inv(_DYES)  # densities (..., 3) @ this: the amount of each direction


def dye_matrix(blue: float, eosin: float) -> NDArray[np.float64]:
    """Return float (3, 3) M: `density @ M` is the optical density with `blue` and `eosin` times as much of each dye."""
    return np.asarray(_AMOUNTS @ np.diag([blue, eosin, 1.0]) @ _DYES)
