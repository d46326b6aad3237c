"""Calibration of a microscope: measured once, kept as a profile of one camera and objective, applied to its frames."""

from device.cameras.calibration.correction import Corrector
from device.cameras.calibration.profile import DEFAULT_OBJECTIVE, NONE, Calibration, OpticalSetup
from device.cameras.calibration.profile_store import ProfileStore

__all__ = ["DEFAULT_OBJECTIVE", "NONE", "Calibration", "Corrector", "OpticalSetup", "ProfileStore"]
