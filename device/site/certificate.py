"""The site certificate: when, with which camera profile, stain and bundle the labels were shown to be right here."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from device.site.agreement import Proportion
from smear.errors import SettingsError, StoreError, first_fault
from smear.images import write_atomic
from smear.site import CameraProfile, SiteStatus

FILE = "site.json"
SCHEMA_VERSION = 1


class SiteCertificate(BaseModel):
    """The content of `site.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA_VERSION
    id: str = ""  # date and checksum of the rest; in every record of a field that it holds for
    created: datetime
    valid_until: datetime
    profile: str  # of the camera, from the calibration in use
    objective: str | None = None
    pixel_size_um: float | None = Field(default=None, gt=0, le=10)
    stain: str = ""  # as the laboratory calls it
    bundle: str
    bundle_sha256: str
    level: str
    fields: dict[str, int]  # with cells, by kind
    figures: dict[str, Proportion]
    refusals: dict[str, Proportion]  # by code, of all fields

    @property
    def camera_profile(self) -> CameraProfile:
        """The camera profile that it belongs to."""
        return CameraProfile(self.profile, self.objective, self.pixel_size_um)


def load(folder: Path) -> SiteCertificate | None:
    """Read the certificate in the data folder; None where there is none.

    Raises:
        SettingsError: the file is damaged.
    """
    path, advice = folder / FILE, "run 'smearscope site revoke' and check again"
    try:
        found = SiteCertificate.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check its owner and permissions") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise SettingsError(f"{path}: {fault}; {advice}") from error
    if found.schema_version != SCHEMA_VERSION or found.id != _id_of(found):
        raise SettingsError(f"{path}: not as it was issued, damaged or edited; {advice}")
    return found


def issue(draft: SiteCertificate, folder: Path, now_s: float, valid_days: float) -> SiteCertificate:
    """Write `draft` with its dates and its id; return it as written.

    Raises:
        StoreError: the folder cannot be written.
    """
    now = datetime.fromtimestamp(now_s, UTC).replace(microsecond=0)
    dated = draft.model_copy(update={"id": "", "created": now, "valid_until": now + timedelta(days=valid_days)})
    certificate = dated.model_copy(update={"id": _id_of(dated)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / FILE, (certificate.model_dump_json(indent=1) + "\n").encode())
    except OSError as error:
        raise StoreError(f"{folder / FILE}: cannot be written ({error.strerror}); choose another --data") from error
    return certificate


def _id_of(certificate: SiteCertificate) -> str:
    rest = certificate.model_copy(update={"id": ""}).model_dump_json()
    return f"{certificate.created:%Y%m%dT%H%M%SZ}-{hashlib.sha256(rest.encode()).hexdigest()[:8]}"


def revoke(folder: Path) -> bool:
    """Remove the certificate; return whether there was one.

    Raises:
        StoreError: it cannot be removed.
    """
    try:
        (folder / FILE).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"{folder / FILE}: cannot be removed ({error.strerror}); check its owner") from error
    return True


def status_of(
    certificate: SiteCertificate | None, bundle_sha256: str, profile: CameraProfile, now_s: float
) -> SiteStatus:
    """Return whether `certificate` holds for a bundle behind a camera at a moment, in Unix time."""
    if certificate is None:
        return SiteStatus()
    now = datetime.fromtimestamp(now_s, UTC)
    if certificate.bundle_sha256 != bundle_sha256:
        return SiteStatus(None, "the certificate is for another bundle")
    if not certificate.camera_profile.fits(profile):
        return SiteStatus(None, "the certificate is for another camera or objective")
    if now < certificate.created:
        return SiteStatus(None, "the clock is before the certificate's date")
    if now > certificate.valid_until:
        return SiteStatus(None, f"the certificate expired on {certificate.valid_until:%Y-%m-%d}")
    return SiteStatus(certificate.id, "")
