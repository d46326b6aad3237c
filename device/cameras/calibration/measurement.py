"""What calibrating measures: white balance and flat field on empty glass, a scale, the best focus."""

import cv2
import numpy as np

from device.cameras.calibration.gains import GainRows
from device.cameras.calibration.profile import GRID, MAX_GAIN, Calibration
from smear.errors import ImageError

MIN_GLASS, MAX_GLASS = 60.0, 250.0  # of 255: darker is not lit, brighter is clipped, and neither says what white is
MAX_BLANK_DEVIATION = 0.08  # of the local mean after smoothing: cells on the glass give 0.15 and more
MAX_BLANK_SIDE_PX = 1280  # light changes over hundreds of pixels: a frame is reduced before it is averaged


class BlankMean:
    """The running mean of frames of empty glass, each reduced, so that noise does not become gain."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None  # width, height of the frames
        self._sum: np.ndarray | None = None
        self._count = 0

    def add(self, image: np.ndarray) -> None:
        """Add RGB uint8 (H, W, 3).

        Raises:
            ImageError: it has another size than the ones before.
        """
        size = (image.shape[1], image.shape[0])
        if self.size not in (None, size):
            raise ImageError("the camera changed its picture during the calibration; try again")
        self.size = size
        share = min(1.0, MAX_BLANK_SIDE_PX / max(size))
        if share < 1:
            image = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        self._sum = image.astype(np.float32) if self._sum is None else cv2.accumulate(image, self._sum)
        self._count += 1

    def mean(self) -> np.ndarray:
        """Return float32 (h, w, 3).

        Raises:
            ImageError: there was no frame.
        """
        if self._sum is None:
            raise ImageError("the camera gave no picture during the calibration; try again")
        return np.asarray(self._sum / self._count, np.float32)


def measure_blank(calibration: Calibration, blank: np.ndarray, *, white: bool, flat: bool) -> Calibration:
    """Return `calibration` with the gains that make `blank`, float32 (h, w, 3) RGB of empty glass, neutral and even.

    A new flat field renews the white balance too where there is one, since it lifts the mean of each channel.

    Raises:
        ImageError: `blank` is not an empty, well lit field.
    """
    if fault := blank_fault(blank):
        raise ImageError(fault)
    made = calibration
    if flat:
        wide = cv2.GaussianBlur(blank, (0, 0), max(blank.shape) / GRID[1])
        coarse = cv2.resize(wide, GRID[::-1], interpolation=cv2.INTER_AREA)
        gains = np.clip(coarse.max(axis=(0, 1)) / np.maximum(coarse, 1.0), 1.0, MAX_GAIN)
        made = made.model_copy(update={"flat": np.round(gains, 4).tolist()})
    if not (white or calibration.white is not None):
        return made
    even = GainRows(made.model_copy(update={"white": None}), blank.shape[:2]).gains(slice(0, len(blank))) * blank
    colour = np.asarray(even.mean(axis=(0, 1), dtype=np.float64))
    gains = colour.max() / colour
    if gains.max() > MAX_GAIN:
        raise ImageError(f"the light is too coloured (gain {gains.max():.1f}); check the lamp's filter, then again")
    return made.model_copy(update={"white": _three(gains), "glass": (round(float(min(colour.max(), 255.0)), 2),) * 3})


def typed_scale(calibration: Calibration, pixel_size_um: float) -> Calibration:
    """Return `calibration` with a pixel size that somebody knows.

    Raises:
        ImageError: no microscope has such a scale.
    """
    if not 0.01 <= pixel_size_um <= 10:
        raise ImageError(f"a pixel of {pixel_size_um:g} µm is none of a microscope; check the division of the ruling")
    return calibration.model_copy(update={"pixel_size_um": round(pixel_size_um, 6)})


def blank_fault(blank: np.ndarray) -> str:
    """Return why `blank`, float32 (h, w, 3) RGB, is no empty, well lit field, and what to do; "": it is one."""
    colour = np.asarray(blank.mean(axis=(0, 1), dtype=np.float64))
    mean, brightest = float(colour.max()) / 255, float(np.percentile(blank, 99)) / 255
    if brightest * 255 > MAX_GLASS:
        return (
            f"the empty field is too bright (mean {mean:.0%}, brightest {brightest:.0%}); "
            "set lamp or exposure to about 80 %"
        )
    if mean * 255 < MIN_GLASS:
        return (
            f"the empty field is too dark (mean {mean:.0%}, brightest {brightest:.0%}); "
            "set lamp or exposure to about 80 %"
        )
    smooth = cv2.GaussianBlur(blank, (0, 0), max(blank.shape[:2]) / 200)  # grain is no cell
    wide = cv2.GaussianBlur(blank, (0, 0), max(blank.shape[:2]) / 12)
    deviation = float(np.percentile(np.abs(smooth - wide) / np.maximum(wide, 1.0), 99))
    if deviation > MAX_BLANK_DEVIATION:
        return f"the field is not empty (it varies by {deviation:.0%}); move to clear glass and try again"
    return ""


def _three(values: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 4) for value in values)
    return red, green, blue
