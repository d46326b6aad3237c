"""What a site check says of a label: with which camera profile and certificate it was shown to be right here."""

from dataclasses import dataclass

NOT_CHECKED = "not checked at this site"
CHECK_SITE = "run 'smearscope site check FOLDER' with labelled fields of this laboratory"
SAME_SCALE = 0.05  # relative: a scale measured twice on one ruling differs by less than 1 %, two objectives by 25 %


@dataclass(frozen=True, slots=True)
class CameraProfile:
    """What a certificate belongs to besides the bundle: which camera, at which size, through which objective."""

    id: str = "uncalibrated"
    objective: str | None = None  # as the calibration calls it; None: it does not say
    pixel_size_um: float | None = None  # edge of one pixel on the slide; None: not calibrated

    def fits(self, other: "CameraProfile") -> bool:
        """Tell whether `other` is the same camera with the same objective."""
        if (self.id, self.objective) != (other.id, other.objective):
            return False
        if self.pixel_size_um is None or other.pixel_size_um is None:
            return self.pixel_size_um is other.pixel_size_um
        return abs(self.pixel_size_um / other.pixel_size_um - 1) <= SAME_SCALE


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """Whether the labels of the bundle in use were shown to agree with a person's at this site."""

    certificate: str | None = None  # id of the certificate that holds; None: none does
    reason: str = "no site certificate"  # why none holds; "" where one does

    @property
    def checked(self) -> bool:
        """True: a certificate holds."""
        return self.certificate is not None

    @property
    def warning(self) -> str:
        """What stands beside a label: "" where a certificate holds."""
        return "" if self.checked else f"{NOT_CHECKED} ({self.reason})"
