"""Applies one calibration profile to the frames it belongs to, and says why where it is not applied."""

from dataclasses import replace

import cv2
import numpy as np

from device.cameras.calibration.gains import STRIP_ROWS, GainRows
from device.cameras.calibration.profile import NONE, Calibration, OpticalSetup
from smear.findings import Finding, Frame
from smear.imaging.field_quality import Reference
from smear.inference.quality_gate import CALIBRATE_WHITE, REFUSE_DRIFT, WARN_DRIFT


class Corrector:
    """Corrects frames by one profile; frames of another size than the profile's are left as they are."""

    def __init__(
        self, calibration: Calibration = NONE, setup: OpticalSetup | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        """`setup` is the camera as it is open; `notes` are what a person should know about it and its calibration."""
        self.calibration = calibration
        self.setup = setup if setup is not None else calibration.setup
        self.notes = notes
        self._size = calibration.size  # None: that of the first frame
        self._applied = calibration != NONE  # to the last frame
        self._rows: GainRows | None = None

    @property
    def objective(self) -> str:
        """The objective that is taken to be in the light path."""
        return self.setup.objective

    @property
    def applied_id(self) -> str | None:
        """The id of the profile that the last frame was corrected by; None: by none."""
        return self.calibration.id or None if self._applied else None

    @property
    def reference(self) -> Reference:
        """What the gate compares the last corrected frame with."""
        known = self.calibration if self._applied else NONE
        return Reference(known.glass, known.best_focus, known.profile)

    def correct(self, frame: Frame) -> Frame:
        """Return `frame` in neutral, even light and with its scale; unchanged where nothing fits or is calibrated."""
        known = self.calibration
        self._applied = known != NONE and self.fits(frame)
        if not self._applied:
            return frame
        image = frame.image
        if known.flat is not None:
            image = self._evened(image)
        elif known.white is not None:
            image = np.asarray(cv2.LUT(image, _white_table(known.white)), np.uint8)
        return replace(frame, image=image, pixel_size_um=frame.pixel_size_um or known.pixel_size_um)

    def warnings(self, frame: Frame, finding: Finding) -> tuple[str, ...]:
        """Return what a person should know about the camera and its calibration, most urgent first."""
        found = list(self.notes)
        if self.calibration != NONE and not self.fits(frame):
            size = f"{_size_of(frame)[0]}x{_size_of(frame)[1]}"
            own = "x".join(map(str, self._size or ()))
            found.insert(0, f"calibration {self.calibration.id} is not applied: it is for {own}, not {size}")
        elif WARN_DRIFT < finding.quality.colour_drift <= REFUSE_DRIFT:
            drift = f"colour {finding.quality.colour_drift:.0f} from the calibration"
            found.append(f"the light drifts ({drift}): {CALIBRATE_WHITE}")
        return tuple(found)

    def fits(self, frame: Frame) -> bool:
        """Tell whether `frame` has the size that was calibrated; a sensor read otherwise has another flat and scale."""
        self._size = self._size or _size_of(frame)
        return self._size == _size_of(frame)

    def _evened(self, image: np.ndarray) -> np.ndarray:
        if self._rows is None or self._rows.shape != image.shape[:2]:
            self._rows = GainRows(self.calibration, (image.shape[0], image.shape[1]))
        made = np.empty_like(image)
        for top in range(0, len(image), STRIP_ROWS):
            strip = slice(top, min(top + STRIP_ROWS, len(image)))
            cv2.multiply(image[strip], self._rows.gains(strip), dst=made[strip], dtype=cv2.CV_8U)
        return made


def _size_of(frame: Frame) -> tuple[int, int]:
    return frame.image.shape[1], frame.image.shape[0]


def _white_table(white: tuple[float, float, float]) -> np.ndarray:
    """Return uint8 (1, 256, 3): what each value of each channel becomes."""
    products = np.arange(256, dtype=np.float32)[:, None] * np.array(white, np.float32)
    return np.clip(np.rint(products), 0, 255).astype(np.uint8)[None]
