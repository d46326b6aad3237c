"""The picture that follows the stage: the camera's newest frame, and where in it the last examined field lies."""

from collections.abc import Callable
from dataclasses import replace

from device.cameras.calibration.correction import Corrector
from device.cameras.calibration.profile import NONE, Calibration
from device.screen.drawing.boxes import Box
from device.screen.field_picture import Placement, fitted, resize
from device.screen.stage_tracker import ALIKE, LEAST_ALIKE, StageTracker, small_grey
from smear.findings import Frame

FRESH_S = 1.0  # after a result, before its outlines begin to fade
FRESH_RESULTS = 2.0  # intervals between results, where those come more slowly
_LEAST_OPACITY = 0.25  # of outlines that hardly fit


class LivePicture:
    """Shrinks and corrects each frame for the screen, and tracks the field that was examined last."""

    def __init__(self, calibration: Callable[[], Calibration]) -> None:
        self._calibration = calibration
        self._corrector = Corrector()
        self._corrects: tuple[Calibration, Box] | None = None
        self._tracker = StageTracker()

    def examined(self, frame: Frame, area: Box) -> None:
        """Track this field from now on; `frame` is as it was examined, `area` where it is shown."""
        self._tracker.examined(small_grey(self._shrunken(frame, area).image), frame.monotonic_s)

    def of(self, frame: Frame, area: Box, opacity: float) -> tuple[Frame, Placement | None]:
        """Return `frame` as large as it is shown, and how the examined field's outlines are drawn in it.

        They have at most `opacity`, and none, as None says, where the frame shows another place.
        """
        shown = self._corrected(self._shrunken(frame, area), (frame.image.shape[1], frame.image.shape[0]), area)
        shift = self._tracker.follow(small_grey(shown.image), frame.monotonic_s)
        if shift is None:
            return shown, None
        sure = min(1.0, (shift.alike - LEAST_ALIKE) / (ALIKE - LEAST_ALIKE))
        return shown, Placement(shift, opacity * (_LEAST_OPACITY + (1 - _LEAST_OPACITY) * sure))

    def _shrunken(self, frame: Frame, area: Box) -> Frame:
        height, width = frame.image.shape[:2]
        box = fitted(area, width, height)
        scale = frame.pixel_size_um and frame.pixel_size_um * width / box.width
        return replace(frame, image=resize(frame.image, (box.width, box.height)), pixel_size_um=scale)

    def _corrected(self, shown: Frame, size: tuple[int, int], area: Box) -> Frame:
        """Correct a shrunken frame, which takes a tenth of what the whole one of `size` would take."""
        known = self._calibration()
        if known == NONE or known.size not in (None, size):
            return shown
        if self._corrects is None or self._corrects[0] is not known or self._corrects[1] != area:
            scale = known.pixel_size_um and known.pixel_size_um * size[0] / shown.image.shape[1]
            self._corrector = Corrector(known.model_copy(update={"size": None, "pixel_size_um": scale}))
            self._corrects = known, area
        return self._corrector.correct(shown)


def opacity_at(age_s: float, fields_per_s: float, lost_after_s: float) -> float:
    """Return how strongly outlines are drawn `age_s` after their result came: less and less, 0 at `lost_after_s`."""
    fresh_s = max(FRESH_S, FRESH_RESULTS / fields_per_s if fields_per_s else 0.0)
    if age_s <= fresh_s:
        return 1.0
    return max(0.0, 1 - (age_s - fresh_s) / (lost_after_s - fresh_s)) if lost_after_s > fresh_s else 0.0
