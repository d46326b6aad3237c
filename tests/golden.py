"""How much two pictures of the screen may differ, for every test that compares one with a golden picture."""

import cv2
import numpy as np

# Another build of FreeType or OpenCV moves anti-aliased edges by fractions of a pixel: single pixels change, some much.
# A digit, word, box or colour that is wrong changes a whole neighbourhood. So the largest mean difference over any
# 8x8 pixels is compared. Measured: 11.9 of 255 between Pillow 11.0 (FreeType 2.13.2) and 13.0 (2.14.3);
# 28.5 for the smallest change of meaning, 38 to 39 in small quiet letters.
NEIGHBOURHOOD_PX = 8
LOCAL_DIFFERENCE = 20.0  # of 255


def largest_local_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest mean difference over any neighbourhood, 0 to 255."""
    difference = np.abs(one.astype(np.float32) - other.astype(np.float32)).mean(axis=2)
    return float(cv2.blur(difference, (NEIGHBOURHOOD_PX, NEIGHBOURHOOD_PX)).max())
