"""The cameras of the contract that only a virtual machine has: a Pi's by picamera2, and the kernel's test device."""

import contextlib
import fcntl
import importlib.util
import math
import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from tests.device.cameras.contract.benches import COUNTS, Bench
from tests.device.cameras.contract.card import SIZE, card

VIRTUAL_CAMERA = """
"Virtual{number}":
  supported_formats:
  - width: {size[0]}
    height: {size[1]}
    frame_rates: [30]
  frames:
    path: "{frames}/"
  location: "CameraLocationExternal"
  model: "Colour card"
"""


class Picamera2Bench(Bench):
    """The real picamera2 on libcamera's virtual cameras, which play JPEGs; lost, libcamera finds one camera less."""

    name = "picamera2:1"
    repeats = True  # each picture is played several times
    cameras = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")

    @property
    def missing(self) -> str:  # type: ignore[override]
        found = importlib.util.find_spec("virtual_libcamera")
        return "" if found else "picamera2 is tried in the virtual device: make test-device"

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        for count in range(COUNTS):
            Image.fromarray(card(size, count)).save(self.folder / f"{count}.jpg", quality=95, subsampling=0)
        self._attach(size, 2)
        self._pace(1 / fps)

    def lose(self) -> None:
        self.hang()
        self._attach(SIZE, 1)

    def hang(self) -> None:
        self._pace(math.inf)

    def _attach(self, size: tuple[int, int], cameras: int) -> None:
        """Let libcamera find so many cameras; this pipeline looks for them only when libcamera starts."""
        from picamera2 import Picamera2

        described = (VIRTUAL_CAMERA.format(number=n, size=size, frames=self.folder) for n in range(cameras))
        self.cameras.write_text("".join(described), encoding="utf-8")
        Picamera2._cm._cms = None  # as when the last camera is closed

    def _pace(self, period_s: float) -> None:
        import virtual_libcamera

        virtual_libcamera.PERIOD_S = period_s


class VividBench(Bench):
    """The kernel's own test driver as a webcam that sends YUYV; its controls disconnect it and drop its frames."""

    name = "v4l2:/dev/video20?fourcc=YUYV"
    node = Path("/dev/video20")
    size, other_size = (320, 180), (640, 360)
    refused_size = ((800, 600), (640, 480))
    test_pattern, text, dropped_percent, disconnect = (0x00F0F000 + number for number in (0, 1, 64, 65))  # VIVID_CID_
    full_bars, counter = 1, 1  # "100% Colorbar", "Counters Only"
    set_control = 0xC008561C  # VIDIOC_S_CTRL
    _gone: int | None = None  # vivid comes back when the last one closes it; this one holds it

    @property
    def missing(self) -> str:  # type: ignore[override]
        return "" if Path("/sys/module/vivid").exists() else "vivid is tried in the emulated machine: make test-machine"

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        self.attach()
        lost = 95 if fps < 5 else 0
        self._set({self.test_pattern: self.full_bars, self.text: self.counter, self.dropped_percent: lost})

    def attach(self) -> None:
        if self._gone is not None:
            os.close(self._gone)
            self._gone = None

    def lose(self) -> None:
        if self._gone is None:
            self._gone = os.open(self.node, os.O_RDWR)
            fcntl.ioctl(self._gone, self.set_control, struct.pack("Ii", self.disconnect, 1))

    def hang(self) -> None:
        self._set({self.dropped_percent: 100})

    def go_on(self) -> None:
        with contextlib.suppress(OSError):  # lost
            self._set({self.dropped_percent: 0})

    def close(self) -> None:
        self.attach()

    def assert_picture(self, image: np.ndarray) -> None:
        """Bars in full colours, below the line in which vivid counts."""
        height, width = image.shape[:2]
        bars = [image[height * 3 // 4, int((bar + 0.5) * width / 8)].astype(int) for bar in range(8)]
        colours = [(r, g, b) for g in (255, 0) for r in (255, 0) for b in (255, 0)]
        assert np.abs(np.subtract(bars, colours)).max() < 14, bars

    def _set(self, values: dict[int, int]) -> None:
        handle = os.open(self.node, os.O_RDWR)
        for number, value in values.items():
            fcntl.ioctl(handle, self.set_control, struct.pack("Ii", number, value))
        os.close(handle)


class UnpluggedVividBench(VividBench):
    """The same taken out of the machine, so that /dev/video20 goes."""

    driver = Path("/sys/bus/platform/drivers/vivid")

    def attach(self) -> None:
        if not (self.driver / "vivid.0").exists():
            (self.driver / "bind").write_text("vivid.0", encoding="ascii")

    def lose(self) -> None:
        if (self.driver / "vivid.0").exists():
            (self.driver / "unbind").write_text("vivid.0", encoding="ascii")


BENCHES = (Picamera2Bench, VividBench, UnpluggedVividBench)
