"""The simulated microscope: a stage that moves over a synthetic slide, a new field at every read."""

import random
import time

from device.cameras.base import CameraIdentity, CameraKind, Grant
from device.cameras.uri import CameraName
from smear.classes import LABELS
from smear.errors import CameraError
from smear.findings import Frame

DEFAULT_SIZE = (640, 480)
DEFAULT_PIXEL_SIZE_UM = 0.25  # a 40x objective with a 1/2.3 inch sensor, binned
FIELDS_A_ROW = 8  # a smear is read in a meander: along, down, back
STEP = 1.05  # of the width of a field: neighbours do not overlap


class SimulatedCamera:
    """`simulated:[seed][?class=Pre]`; without a class the seed draws one."""

    simulated = True

    def __init__(
        self, name: CameraName, pixel_size_um: float | None = None, size: tuple[int, int] | None = None
    ) -> None:
        """Make the slide.

        Raises:
            CameraError: the seed is not a number, or there is no such class.
        """
        from smear.synthetic import SyntheticSlide  # here, as most commands never open this camera

        if name.target and not name.target.isdecimal():
            raise CameraError(f"camera {name.text}: the seed {name.target!r} is not a whole number; write simulated:7")
        seed = int(name.target or 0)
        label = name.options.get("class") or random.Random(seed).choice(LABELS)
        if label not in LABELS:
            raise CameraError(f"camera {name.text}: no class {label!r}; write one of {', '.join(LABELS)}")
        self.name = name.text
        self.label = label
        self._pixel_size_um = pixel_size_um or DEFAULT_PIXEL_SIZE_UM
        self._size = size or DEFAULT_SIZE
        self.granted = Grant(self._size)
        self._slide = SyntheticSlide(label, seed, self._pixel_size_um)
        self._sequence = 0
        self._closed = False

    def read(self, timeout_s: float) -> Frame:
        """Return the next field of the slide."""
        if self._closed:
            raise CameraError(f"camera {self.name} is closed; open it again")
        width, height = self._size
        row, column = divmod(self._sequence, FIELDS_A_ROW)
        if row % 2:
            column = FIELDS_A_ROW - 1 - column
        step_um = STEP * self._pixel_size_um
        field = self._slide.field_at(column * width * step_um, row * height * step_um, (height, width))
        frame = Frame(field.image, self.name, self._pixel_size_um, self._sequence, time.monotonic(), time.time())
        self._sequence += 1
        return frame

    def close(self) -> None:
        """Refuse further reads; safe to call twice."""
        self._closed = True


KIND = CameraKind(
    name="simulated",
    help="a simulated microscope: a synthetic slide, another one for each seed",
    usage="simulated:[seed]",
    options={"class": f"class of the slide: {', '.join(LABELS)}; drawn from the seed when left out"},
    open=lambda name, request: SimulatedCamera(name, request.pixel_size_um, request.size),
    identify=lambda name: CameraIdentity("simulated:"),  # a seed is another slide, not another camera
    steps_by_itself=True,
    simulated=True,
)
