"""What this microscope's light, optics and scale are: measured once, dated, named in every record, and applied."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from smear.bundle.files import MISSING, FileFault, read_file
from smear.errors import ImageError, SettingsError, StoreError
from smear.findings import Finding, Frame
from smear.images import write_atomic
from smear.inference.quality_gate import CALIBRATE_WHITE, REFUSE_DRIFT, WARN_DRIFT, Reference
from smear.output_files import printable
from smear.site import CameraProfile

FILE = "calibration.json"
SCHEMA_VERSION = 1
_MAX_BYTES = 1_000_000  # a flat field has 40 kB
GRID = (24, 32)  # rows, columns of the flat field: a lamp's fall-off and a lens's vignette are smoother than that
MAX_GAIN = 4.0  # more would show noise as stain
MIN_GLASS, MAX_GLASS = 60.0, 250.0  # of 255: darker is not lit, brighter is clipped, and neither says what white is
MAX_BLANK_DEVIATION = 0.08  # of the local mean after smoothing: cells on the glass give 0.15 and more


Gain = Annotated[float, Field(gt=0, le=MAX_GAIN)]
Tone = Annotated[float, Field(ge=0, le=255)]
Edge = Annotated[int, Field(ge=1, le=100_000)]


class Calibration(BaseModel):
    """The content of `calibration.json`; a part that was not calibrated is None."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    id: str = Field(default="", pattern=r"^[0-9A-Za-z-]{0,40}$")  # date and checksum of the rest; in every record
    created: str = ""  # ISO 8601, UTC
    camera: str = ""
    size: tuple[Edge, Edge] | None = None  # width, height of the frames it was measured on
    white: tuple[Gain, Gain, Gain] | None = None  # gains of R, G, B
    glass: tuple[Tone, Tone, Tone] | None = None  # colour of the empty glass once corrected, 0..255
    flat: list[list[list[Gain]]] | None = None  # gains by row, column and channel of `GRID`
    controls: dict[str, Any] = Field(default_factory=dict)  # fixed settings in the camera's own words
    pixel_size_um: float | None = Field(default=None, ge=0.01, le=10)
    best_focus: float | None = Field(default=None, gt=0, le=10)

    @field_validator("controls")
    @classmethod
    def _finite(cls, controls: dict[str, Any]) -> dict[str, Any]:
        json.dumps(controls, allow_nan=False)  # raises for what is no finite number
        return controls

    @property
    def profile(self) -> CameraProfile:
        """What a site certificate belongs to: the camera, the size of its frames, and the objective by its scale."""
        if not self.id:
            return CameraProfile()
        size = f" {self.size[0]}x{self.size[1]}" if self.size else ""
        return CameraProfile(f"{self.camera}{size}", None, self.pixel_size_um)


NONE = Calibration()


def load(folder: Path) -> Calibration:
    """Read the calibration in the data folder; an empty one where there is none.

    Raises:
        SettingsError: the file is damaged.
    """
    try:
        text = read_file(folder / FILE, _MAX_BYTES)
    except FileFault as error:
        if str(error) == MISSING:
            return NONE
        raise SettingsError(f"{folder / FILE}: {error}; remove it and calibrate again") from error
    try:
        found = Calibration.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = printable(".".join(str(part) for part in first["loc"]))
        raise SettingsError(f"{folder / FILE}: {where}: {first['msg']}; remove it and calibrate again") from error
    if found.flat is not None and np.asarray(found.flat, dtype=object).shape != (*GRID, 3):
        raise SettingsError(f"{folder / FILE}: flat: not {GRID[0]} rows of {GRID[1]} gains; calibrate flat again")
    return found


def save(calibration: Calibration, folder: Path, wall_s: float) -> Calibration:
    """Write `calibration` with its date and a new id; return it as written.

    Raises:
        StoreError: the folder cannot be written.
    """
    now = datetime.fromtimestamp(wall_s, UTC)
    bare = calibration.model_copy(update={"id": "", "created": now.isoformat(timespec="seconds")})
    digest = hashlib.sha256(bare.model_dump_json().encode()).hexdigest()[:8]
    dated = bare.model_copy(update={"id": f"{now:%Y%m%dT%H%M%SZ}-{digest}"})
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}); choose another --data") from error
    write_atomic(folder / FILE, (dated.model_dump_json(indent=1) + "\n").encode())
    return dated


def measure_blank(calibration: Calibration, blank: np.ndarray, *, white: bool, flat: bool) -> Calibration:
    """Return `calibration` with the gains that make `blank`, float32 (H, W, 3) RGB of empty glass, neutral and even.

    A new flat field renews the white balance too where there is one, since it lifts the mean of each channel.

    Raises:
        ImageError: `blank` is not an empty, well lit field.
    """
    _require_blank(blank)
    size = (blank.shape[1], blank.shape[0])
    made = calibration.model_copy(update={"size": size})
    if calibration.size != size and not flat:
        made = made.model_copy(update={"flat": None})  # of another reading of the sensor
    if flat:
        wide = cv2.GaussianBlur(blank, (0, 0), max(blank.shape) / GRID[1])
        coarse = cv2.resize(wide, GRID[::-1], interpolation=cv2.INTER_AREA)
        gains = np.clip(coarse.max(axis=(0, 1)) / np.maximum(coarse, 1.0), 1.0, MAX_GAIN)
        made = made.model_copy(update={"flat": np.round(gains, 4).tolist()})
    if not (white or calibration.white is not None):
        return made
    even = blank * gains_of(made.model_copy(update={"white": None}), blank.shape[:2])
    colour = np.asarray(even.mean(axis=(0, 1)), np.float64)
    gains = colour.max() / colour
    if gains.max() > MAX_GAIN:
        raise ImageError(f"the light is too coloured (gain {gains.max():.1f}); check the lamp's filter, then again")
    return made.model_copy(update={"white": _three(gains), "glass": (round(float(min(colour.max(), 255.0)), 2),) * 3})


def measure_scale(calibration: Calibration, image: np.ndarray, division_um: float) -> Calibration:
    """Return `calibration` with the pixel size from a stage micrometre with a line every `division_um`.

    Raises:
        ImageError: there are no regular lines.
    """
    size_um = division_um / line_spacing_px(image)
    return typed_scale(calibration, size_um, (image.shape[1], image.shape[0]))


def typed_scale(calibration: Calibration, pixel_size_um: float, size: tuple[int, int] | None) -> Calibration:
    """Return `calibration` with a pixel size that somebody knows.

    Raises:
        ImageError: no microscope has such a scale.
    """
    if not 0.01 <= pixel_size_um <= 10:
        raise ImageError(f"a pixel of {pixel_size_um:g} um is none of a microscope; check the division of the ruling")
    return calibration.model_copy(update={"pixel_size_um": round(pixel_size_um, 6), "size": size or calibration.size})


def average(frames: list[np.ndarray]) -> np.ndarray:
    """Return float32 (H, W, 3): the mean of frames of one size, so that noise does not become gain.

    Raises:
        ImageError: there is none, or their sizes differ.
    """
    if not frames or len({frame.shape for frame in frames}) > 1:
        raise ImageError("the camera changed its picture during the calibration; try again")
    return np.asarray(np.mean(np.stack(frames).astype(np.float32), axis=0), np.float32)


def _require_blank(blank: np.ndarray) -> None:
    colour = np.asarray(blank.mean(axis=(0, 1)), np.float64)
    brightest = float(np.percentile(blank, 99))
    if colour.max() < MIN_GLASS or brightest > MAX_GLASS:
        raise ImageError(
            f"the empty field is {'too bright' if brightest > MAX_GLASS else 'too dark'} (mean "
            f"{colour.max() / 255:.0%}, brightest {brightest / 255:.0%}); set lamp or exposure to about 80 %"
        )
    smooth = cv2.GaussianBlur(blank, (0, 0), max(blank.shape[:2]) / 200)  # grain is no cell
    wide = cv2.GaussianBlur(blank, (0, 0), max(blank.shape[:2]) / 12)
    deviation = float(np.percentile(np.abs(smooth - wide) / np.maximum(wide, 1.0), 99))
    if deviation > MAX_BLANK_DEVIATION:
        raise ImageError(f"the field is not empty (it varies by {deviation:.0%}); move to clear glass and try again")


def _three(values: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 4) for value in values)
    return red, green, blue


def line_spacing_px(image: np.ndarray) -> float:
    """Return the distance in pixels of the parallel lines in RGB uint8 (H, W, 3), whatever their direction.

    The strongest wave of the spectrum gives the direction. Along it, the autocorrelation has a peak at every
    multiple of the spacing; the farthest clear one is taken, which divides the error by its number.

    Raises:
        ImageError: no line follows another at regular distances.
    """
    grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    grey -= cv2.GaussianBlur(grey, (0, 0), max(grey.shape) / 8)  # the lamp
    height, width = grey.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    rows, columns = 2 * height, 2 * width  # padded, so that the correlation does not wrap
    power = np.abs(np.fft.rfft2(grey * window, s=(rows, columns))) ** 2
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    radius = np.hypot(fy, fx)
    strong = np.where((radius > 3 / max(height, width)) & (radius < 0.4), power, 0.0)
    y, x = np.unravel_index(int(strong.argmax()), strong.shape)
    across = np.array([fx[0, x], fy[y, 0]]) / radius[y, x]
    correlation = np.fft.fftshift(np.fft.irfft2(power, s=(rows, columns)))
    profile = _along(correlation, across, min(height, width) / 2)
    return _period(profile)


def _along(correlation: np.ndarray, direction: np.ndarray, reach: float) -> np.ndarray:
    """Return the correlation at every quarter of a pixel along `direction` from the centre, 1 at the centre."""
    steps = np.arange(0, reach, 0.25, dtype=np.float32)
    centre_y, centre_x = correlation.shape[0] // 2, correlation.shape[1] // 2
    xs, ys = (centre_x + steps * direction[0]), (centre_y + steps * direction[1])
    sampled = cv2.remap(
        correlation.astype(np.float32), xs.astype(np.float32)[None], ys.astype(np.float32)[None], cv2.INTER_CUBIC
    )[0]
    return np.asarray(sampled / sampled[0])


def _period(profile: np.ndarray) -> float:
    inner = profile[1:-1]
    peaks = np.flatnonzero((inner >= profile[:-2]) & (inner > profile[2:])) + 1
    # The overlap, and the windows with it, shrinks along the profile, and so do the peaks: judged by their neighbours.
    clear = [
        int(peak) for peak in peaks if profile[peak] > 0.15 and profile[peak] > 3 * abs(profile[:peak].min() * 0.1)
    ]
    if not clear:
        raise ImageError(
            "no regular lines were found; focus on the ruling of the stage micrometre, with five or more lines in view"
        )
    strongest = max(profile[peak] for peak in clear)
    first = next(peak for peak in clear if profile[peak] > 0.6 * strongest)
    spacing, number = first / 4, 1
    for peak in clear:
        ratio = peak / 4 / spacing
        if round(ratio) == number + 1 and abs(ratio - round(ratio)) < 0.15:
            number += 1
            spacing = peak / 4 / number
    if number < 3:
        raise ImageError(f"only {number} regular distances were found; have five or more lines of the ruling in view")
    return float(spacing)


class Corrector:
    """Applies one calibration to frames; keeps the gains of the last size, as they take longer to make than to use."""

    def __init__(self, calibration: Calibration = NONE) -> None:
        self.calibration = calibration
        self._gains: np.ndarray | None = None

    @property
    def reference(self) -> Reference:
        """What the gate compares a corrected field with."""
        return Reference(self.calibration.glass, self.calibration.best_focus, self.calibration.profile)

    def fits(self, frame: Frame) -> bool:
        """Tell whether `frame` has the size that was calibrated; a sensor read otherwise has another flat and scale."""
        size = self.calibration.size
        return size is None or size == (frame.image.shape[1], frame.image.shape[0])

    def correct(self, frame: Frame) -> Frame:
        """Return `frame` in neutral, even light and with its scale; unchanged where nothing fits or is calibrated."""
        known = self.calibration
        if not self.fits(frame):
            return frame
        image = frame.image
        if known.white is not None or known.flat is not None:
            if self._gains is None or self._gains.shape != image.shape:
                self._gains = gains_of(known, (image.shape[0], image.shape[1]))
            image = cv2.multiply(image, self._gains, dtype=cv2.CV_8U)
        return replace(frame, image=image, pixel_size_um=frame.pixel_size_um or known.pixel_size_um)

    def warnings(self, frame: Frame, finding: Finding) -> tuple[str, ...]:
        """Return what a person should know about the calibration."""
        if not self.fits(frame):
            return ("the camera's size is not the calibrated one: calibrate again",)
        if WARN_DRIFT < finding.quality.colour_drift <= REFUSE_DRIFT:
            return (
                f"the light drifts (colour {finding.quality.colour_drift:.0f} from the calibration): {CALIBRATE_WHITE}",
            )
        return ()


def gains_of(calibration: Calibration, shape: tuple[int, int]) -> np.ndarray:
    """Return float32 (H, W, 3): what each pixel is multiplied by."""
    gains: np.ndarray = np.ones((*shape, 3), np.float32)
    if calibration.flat is not None:
        gains = cv2.resize(np.array(calibration.flat, np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    if calibration.white is not None:
        gains = gains * np.array(calibration.white, np.float32)
    return np.ascontiguousarray(gains, np.float32)
