"""Random changes of geometry, stain and optics, applied to NumPy pictures before they are batched.

The paper's own six augmentations are Keras layers in `whole_fields`; these are the ones the paper lacks.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.imaging.masking import SCALE_BAR_BOX
from smear.imaging.stain_normalization import optical_density

GLASS_PERCENTILE = 85  # of lightness: brighter pixels are empty glass
PALETTE_JITTER = 0.15  # a spread is matched to within this share, so that no two pictures get quite the same colours
MAX_STRETCH = 2.0  # a spread is stretched or compressed by no more than this factor


def random_crop(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], rng: np.random.Generator, size: int, zoom: tuple[float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut a randomly placed, rotated, mirrored and zoomed `size` square out of a picture and its mask.

    `image` is RGB uint8 (H, W, 3) and `mask` uint8 (H, W) of codes, which are never interpolated; the scale factor is
    drawn log-uniformly from the range `zoom`.
    """
    height, width = mask.shape
    scale = float(np.exp(rng.uniform(*np.log(zoom))))
    angle = rng.uniform(0, 360)
    matrix = cv2.getRotationMatrix2D((0, 0), angle, scale)
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    slack = np.maximum(np.array([width, height]) * scale - size, 0) / 2
    centre = np.array([width / 2, height / 2]) + rng.uniform(-1, 1, 2) * slack / scale
    matrix[:, 2] = size / 2 - matrix[:, :2] @ centre
    if scale < 0.7:  # warpAffine does not average: blur first what would alias
        image = np.asarray(cv2.blur(image, (round(1 / scale), round(1 / scale))), np.uint8)
    moved = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    codes = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8), np.asarray(codes, np.uint8)


def vary_stain(image: NDArray[np.uint8], rng: np.random.Generator, strength: float = 1.0) -> NDArray[np.uint8]:
    """Return RGB uint8 (..., 3) under another stain and light: densities scaled and mixed, glass tinted, gamma changed.

    Optical density follows Beer and Lambert; mixing its channels is what another stain batch does
    (Tellez et al. 2019, "Quantifying the effects of data augmentation and stain color normalization").
    """
    density = optical_density(image.astype(np.float32))
    mixing = np.eye(3) * rng.uniform(1 - 0.3 * strength, 1 + 0.3 * strength) + rng.normal(0, 0.08 * strength, (3, 3))
    density = density @ mixing.astype(np.float32)
    np.clip(density, 0.0, None, out=density)
    tint = rng.uniform(1 - 0.15 * strength, 1.0, 3).astype(np.float32)
    gamma = np.float32(np.exp(rng.normal(0, 0.12 * strength)))
    out = np.exp(-density) ** gamma * tint
    return np.asarray(np.clip(out * 255.0, 0, 255), np.uint8)


class Palette(NamedTuple):
    """The colours of one picture in 8-bit CIELAB: those of its glass, and the spread of the rest around it."""

    glass: NDArray[Any]  # float (3,)
    spread: NDArray[Any]  # float (3,), root mean square


def palette_of(image: NDArray[np.uint8]) -> Palette:
    """Return the palette of RGB uint8 (h, w, 3)."""
    return _palette(_lab(image))


def recolour(image: NDArray[np.uint8], palette: Palette, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return RGB uint8 (h, w, 3) in the colours of another picture: its glass, and its spread around the glass.

    After Reinhard et al. 2001, "Color transfer between images", but around the glass: the mean depends on how many
    cells a picture holds.
    """
    lab = _lab(image)
    own = _palette(lab)
    stretch = np.clip(palette.spread / own.spread, 1 / MAX_STRETCH, MAX_STRETCH)
    stretch *= rng.uniform(1 - PALETTE_JITTER, 1 + PALETTE_JITTER, 3)
    moved = np.clip((lab - own.glass) * stretch + palette.glass, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), np.uint8)


def _lab(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.float32)


def _palette(lab: NDArray[np.float32]) -> Palette:
    light = lab[..., 0]
    glass = np.median(lab[light >= np.percentile(light, GLASS_PERCENTILE)], axis=0)
    return Palette(glass, np.sqrt(((lab - glass) ** 2).mean(axis=(0, 1))) + 1.0)


def degrade(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur RGB uint8 (H, W, 3), add sensor noise or recompress it, as optics and cameras do; often leave it."""
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.4))), np.uint8)
    if rng.random() < 0.2:
        noise = rng.normal(0, rng.uniform(1, 6), (*image.shape[:2], 1)).astype(np.float32)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        _, data = cv2.imencode(".jpg", image[..., ::-1], quality)  # as BGR: JPEG subsamples colour, not luminance
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
    return image


def add_scale_bar(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a scale bar like the data set's into the bottom right corner of RGB uint8 (H, W, 3), in a random style."""
    out = image.copy()
    height, width = out.shape[:2]
    box = out[height - SCALE_BAR_BOX[1] // 2 :, width - SCALE_BAR_BOX[0] // 2 :]
    if rng.random() < 0.6:
        box[:] = 255
    ink = (200, 30, 40) if rng.random() < 0.5 else (0, 0, 0)
    cv2.line(out, (width - 22, height - 5), (width - 6, height - 5), ink, 1)
    cv2.putText(out, "200 px", (width - 24, height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.22, ink, 1, cv2.LINE_AA)
    return out


def shift_hue(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return RGB uint8 (h, w, 3) in a hue that no Romanowsky stain has."""
    hsv = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + rng.integers(35, 145)) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def defocus(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return RGB uint8 (h, w, 3) blurred more than any picture in focus."""
    return np.asarray(cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), float(rng.uniform(3.5, 7))), np.uint8)
