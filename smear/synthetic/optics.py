"""From amounts of dye to a camera's picture: illumination, lens, sensor, burned-in scale bar."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.synthetic.paint import SUPERSAMPLING
from smear.synthetic.stains import Stain

# Half the opening angle of a 40x/0.65 objective, as tangent: radius of the blur disc per µm out of focus.
_BLUR_PER_DEFOCUS = 0.855
_DIFFRACTION_UM = 0.17  # Gaussian sigma of the Airy disc at NA 0.65 and 550 nm
_MOSAIC = np.array([[0.8, 0.6], [0.95, -0.3], [0.8, -0.6]], np.float32)
_SHARPENING = 0.35  # cameras sharpen: the data set's cells have light fringes ...
_SHARPENING_UM = 0.45  # ... about this wide


@dataclass(frozen=True, slots=True)
class Lamp:
    """Illumination of one microscope, fixed while the stage moves; x and y of its centre relative to half a side."""

    x: float
    y: float
    falloff: float  # loss of light at the corner, 0 to 1
    warmth: float  # how much more of it is lost in blue (below 0: in red)


def draw_lamp(rng: np.random.Generator) -> Lamp:
    """Draw the illumination of one microscope, as its condenser happens to be set up."""
    return Lamp(rng.normal(0, 0.25), rng.normal(0, 0.25), rng.uniform(0.01, 0.09), rng.normal(0, 0.25))


def _illumination(lamp: Lamp, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return relative intensity, float32 (H, W, 3), 1 in the middle of the light."""
    height, width = shape
    y = (np.linspace(-1, 1, height, dtype=np.float32)[:, None] - np.float32(lamp.y)) ** 2
    x = (np.linspace(-1, 1, width, dtype=np.float32)[None] - np.float32(lamp.x)) ** 2
    tint = np.array([1 - lamp.warmth, 1, 1 + lamp.warmth], np.float32)
    return np.asarray(1.0 - 0.5 * lamp.falloff * (x + y)[..., None] * np.clip(tint, 0.0, 2.0), np.float32)


def expose(
    dyes: NDArray[np.float32],
    stain: Stain,
    lamp: Lamp,
    pixel_um: float,
    defocus_um: float,
    noise: float,
    noise_seed: int,
) -> NDArray[np.uint8]:
    """Return RGB uint8 (H, W, 3) of float32 (4, 2H, 2W) `dyes`, by the Beer-Lambert law.

    `noise` is the standard deviation of the sensor's noise on bright glass, in grey levels.
    """
    shape = (dyes.shape[1] // SUPERSAMPLING, dyes.shape[2] // SUPERSAMPLING)
    light: NDArray[np.float32] = np.dstack([_transmitted(dyes, channel, shape) for channel in stain.absorption().T])
    del dyes  # frees them if `Canvas.take_dyes` gave them: 20 MB for a small camera's frame
    sigma = float(np.hypot(_DIFFRACTION_UM, 0.5 * _BLUR_PER_DEFOCUS * defocus_um)) / pixel_um
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), max(sigma, 0.05)), np.float32)
    soft = cv2.GaussianBlur(light, (0, 0), max(_SHARPENING_UM / pixel_um, 0.3))
    light = np.asarray(cv2.addWeighted(light, 1.0 + _SHARPENING, soft, -_SHARPENING, 0.0), np.float32)
    light = np.asarray(cv2.multiply(light, _illumination(lamp, shape) * np.array(stain.glass, np.float32)), np.float32)
    if noise:
        light = np.asarray(cv2.add(light, _sensor_noise(light, noise, noise_seed)), np.float32)
    return np.asarray(np.clip(light + 0.5, 0, 255), np.uint8)


def _transmitted(
    dyes: NDArray[np.float32], absorption: NDArray[np.float32], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the transmittance for one colour, float32 (H, W)."""
    # Plane by plane: a matrix product of this shape costs ten times as much on two busy cores.
    density = cv2.addWeighted(dyes[0], -float(absorption[0]), dyes[1], -float(absorption[1]), 0.0)
    for plane, strength in zip(dyes[2:], absorption[2:], strict=True):
        density = cv2.scaleAdd(plane, -float(strength), density, dst=density)
    light = cv2.resize(cv2.exp(density, dst=density), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(light, np.float32)


def _sensor_noise(light: NDArray[np.float32], noise: float, seed: int) -> NDArray[np.float32]:
    """Return shot noise, correlated between the colours, as a sensor's Bayer mosaic is interpolated."""
    grain = np.random.default_rng(seed).standard_normal((*light.shape[:2], 2), np.float32)
    shot = np.asarray(cv2.transform(grain, _MOSAIC), np.float32)
    brightness = np.clip(light, 8, 255)
    brightness /= 255
    shot *= np.float32(noise)
    shot *= np.sqrt(brightness, out=brightness)
    return shot


def burn_scale_bar(image: NDArray[np.uint8], mask: NDArray[np.uint8], cells: NDArray[np.uint16], style: int) -> None:
    """Draw a scale bar bottom right, in place, in one of the data set's styles; what it hides is background."""
    height, width = image.shape[:2]
    box_height, box_width = min(height, 17 if style % 2 else 30), min(width, 24 if style % 2 else 31)
    ink = (200, 30, 40) if style == 1 else (20, 20, 20)
    corner = (slice(height - box_height, height), slice(width - box_width, width))
    label = np.full((box_height, box_width, 3), 255, np.uint8)
    base = box_height - 4
    cv2.line(label, (2, base), (box_width - 1, base), ink, 1)
    cv2.line(label, (2, base - 3), (2, base + 3), ink, 1)
    text = "100 pixels" if style % 2 else "200 pixels"
    cv2.putText(label, text, (6, base - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.2 if style % 2 else 0.36, ink, 1, cv2.LINE_AA)
    image[corner] = label
    mask[corner] = 0
    cells[corner] = 0
