"""The certificate in use, watched: one that is made, revoked or expires takes effect at the next field."""

from pathlib import Path

from device.cameras.calibration import ProfileStore
from device.site.certificate import FILE, SiteCertificate, load, status_of
from device.system.clock import Clock, SystemClock
from smear.errors import SettingsError
from smear.site import CameraProfile, SiteStatus

_Stamp = tuple[int, int, int] | None  # inode, time of change and size; None: there is no such file


class SiteWatch:
    """Knows whether the certificate in a data folder holds for one bundle; its file is read when it changed."""

    def __init__(self, data: Path | None, bundle_sha256: str, clock: Clock | None = None) -> None:
        """`data` is None for a user without a data folder, whose labels were checked nowhere."""
        self._data = data
        self._bundle_sha256 = bundle_sha256
        self._clock = clock or SystemClock()
        self._stamp: _Stamp = None
        self._certificate: SiteCertificate | None = None
        self._profile = CameraProfile()  # of the calibration that was in use when the certificate was read
        self._fault = ""

    def status(self, profile: CameraProfile | None) -> SiteStatus:
        """Return whether a certificate holds now for the camera `profile`; None: for the one that is calibrated."""
        if self._data is None:
            return SiteStatus()
        stamp = _stamp_of(self._data / FILE)
        if stamp != self._stamp:
            self._stamp = stamp
            self._read(self._data)
        if self._fault:
            return SiteStatus(None, self._fault)
        return status_of(self._certificate, self._bundle_sha256, profile or self._profile, self._clock.wall_s())

    def _read(self, data: Path) -> None:
        self._certificate, self._fault = None, ""
        try:
            self._certificate = load(data)
            if self._certificate is not None:
                self._profile = ProfileStore(data).in_use().profile
        except SettingsError as error:
            self._fault = str(error)


def _stamp_of(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
