"""The colour card that every camera of the contract looks at, and how it is found again in a frame."""

import numpy as np

SIZE = (320, 240)
COLOURS = {
    "white": (235, 235, 235),
    "red": (200, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 60, 180),
    "eosin": (220, 150, 170),
    "nucleus": (95, 60, 140),
    "grey": (128, 128, 128),
}
TOLERANCE = 14  # of 255: 8-bit YCbCr, halved chroma and a lossy codec; a wrong matrix is off by 20 and more in green


def card(size: tuple[int, int] = SIZE, count: int = 0) -> np.ndarray:
    """Return bands of `COLOURS` as RGB uint8; the lowest rows differ with `count`, as the noise of a sensor does."""
    width, height = size
    edges = np.linspace(0, width, len(COLOURS) + 1).astype(int)
    picture = np.zeros((height, width, 3), np.uint8)
    for left, right, colour in zip(edges, edges[1:], COLOURS.values(), strict=False):
        picture[:, left:right] = colour
    picture[-height // 8 :] = 16 + count * 37 % 224
    return picture


def bands_of(image: np.ndarray) -> dict[str, tuple[int, ...]]:
    """Return the mean colour in the middle of each band."""
    height, width = image.shape[:2]
    step = width / len(COLOURS)
    found = {}
    for index, name in enumerate(COLOURS):
        left, right = int((index + 0.3) * step), int((index + 0.7) * step)
        middle = image[height // 4 : height // 2, left:right].reshape(-1, 3)
        found[name] = tuple(int(value) for value in middle.mean(axis=0).round())
    return found


def assert_card(image: np.ndarray) -> None:
    """Assert that `image` shows the card in its colours."""
    found = bands_of(image)
    off = {name: found[name] for name in COLOURS if np.abs(np.subtract(found[name], COLOURS[name])).max() > TOLERANCE}
    assert not off, f"{off}, not {[COLOURS[name] for name in off]}"
