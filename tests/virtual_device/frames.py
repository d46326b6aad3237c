"""The pictures that the virtual cameras play: smears made by the project, and a card of known colours."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from smear.classes import LABELS

SIZE = (640, 480)  # width, height; guest/virtual.yaml names the same
PIXEL_SIZE_UM = 0.25  # a 40x objective with a 1/2.3 inch sensor, binned
COLOURS = {"red": (200, 30, 30), "green": (30, 170, 30), "blue": (30, 30, 200), "grey": (128, 128, 128)}
"""Left to right on the card. Red and blue tell RGB from BGR; grey and green tell a wrong YUV matrix or range."""
JPEG: dict[str, Any] = {"quality": 95, "subsampling": 0}  # the camera's own 4:2:0 is loss enough


def write_frames(folder: Path) -> None:
    """Write folder/smear and folder/patches with the numbered JPEGs that libcamera plays."""
    for name, pictures in (("smear", smears()), ("patches", [card()])):
        (folder / name).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / name / f"{number}.jpg", **JPEG)


def smears() -> list[np.ndarray]:
    """Return one field of each class."""
    from smear.synthetic import SyntheticSlide

    width, height = SIZE
    slides = (SyntheticSlide(label, seed, PIXEL_SIZE_UM) for seed, label in enumerate(LABELS))
    return [slide.field_at(0, 0, (height, width)).image for slide in slides]


def card() -> np.ndarray:
    """Return the colour card: equal upright bands of `COLOURS`."""
    width, height = SIZE
    bands = [np.full((height, width // len(COLOURS), 3), colour, np.uint8) for colour in COLOURS.values()]
    return np.hstack(bands)
