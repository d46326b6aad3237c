"""The cameras of the contract: software or fake hardware of others that can be lost, stopped and slowed."""

import fcntl
import functools
import importlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import Image

from device.cameras.registry import camera_identity
from tests.device.cameras.contract.card import SIZE, assert_card, card

HERE = Path(__file__).parent
PROJECT = HERE.parents[3]
SYSTEM_PYTHON = "/usr/bin/python3"
DEBIAN_PYTHON = Path("/usr/lib/python3/dist-packages")
FAKE_GENICAM, SERIAL = "arv-fake-gv-camera-0.8", "CONTRACT1"
ARAVIS = """
import gi
gi.require_version("Aravis", "0.8")
"""
RTSP_SERVER = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("x264enc", "rtph264pay", "videoconvert")))
"""
RTSP_PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"
COUNTS = 24


class Bench:
    """A camera that is not there yet: `start` it."""

    name = ""  # as it is opened
    size, other_size = SIZE, (400, 304)  # that it can be started with
    asks_size = True  # the size can be asked for, and another one be delivered
    refused_size = ((1920, 1080), SIZE)  # one that is asked for, and what is granted
    hangs = True  # it can stop without going away
    repeats = False  # its pictures do not differ, so that a frame cannot be told from the one before
    losable = True
    missing = ""  # why it cannot be had here

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None: ...

    def lose(self) -> None: ...

    def hang(self) -> None: ...

    def go_on(self) -> None: ...

    def close(self) -> None: ...

    def assert_picture(self, image: np.ndarray) -> None:
        assert_card(image)


class ServerBench(Bench):
    """One whose camera is a process: killed, it is lost; stopped, it hangs."""

    port = 0
    _process: "subprocess.Popen[str] | None" = None

    def command(self, size: tuple[int, int], fps: int) -> Sequence[str | Path]:
        raise NotImplementedError

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        self.lose()
        self.port = self.port or free_port()
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}
        self._process = subprocess.Popen(
            [str(word) for word in self.command(size, fps)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the server did not start"

    def lose(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def hang(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)


class MotionJpegBench(ServerBench):
    """FFmpeg's Motion JPEG, by Python's HTTP server."""

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"http://127.0.0.1:{self.port}/"

    def command(self, size: tuple[int, int], fps: int) -> Sequence[str | Path]:
        return [sys.executable, HERE / "mjpeg_server.py", *map(str, (self.port, *size, fps))]


class RtspBench(ServerBench):
    """GStreamer's RTSP server; what it sends is coded by BT.709, as most IP cameras do."""

    matrix = "bt709"
    credentials: tuple[str, ...] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"rtsp://127.0.0.1:{self.port}/video"

    @property
    def missing(self) -> str:  # type: ignore[override]
        return refusal_of_system_python(RTSP_SERVER, RTSP_PACKAGES)

    def command(self, size: tuple[int, int], fps: int) -> Sequence[str | Path]:
        frames = self.folder / f"{size[0]}x{size[1]}.rgb"
        frames.write_bytes(b"".join(card(size, count).tobytes() for count in range(COUNTS)))
        words = map(str, (self.port, *size, fps, self.matrix))
        return [SYSTEM_PYTHON, HERE / "rtsp_server.py", frames, *words, *self.credentials]


class SnapshotBench(MotionJpegBench):
    """The same with one JPEG for each request."""

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"http://127.0.0.1:{self.port}/snapshot.jpg"


class GenicamBench(ServerBench):
    """Aravis's own fake camera of GigE Vision on the loopback interface; one on a machine, as its port is fixed."""

    name = f"aravis:Aravis-Fake-{SERIAL}"
    refused_size = ((4000, 64), (2048, 64))
    packages = "python3-gi gir1.2-aravis-0.8 aravis-tools"
    _alone: IO[str] | None = None

    @property
    def missing(self) -> str:  # type: ignore[override]
        if not shutil.which(FAKE_GENICAM):
            return f"needs Debian's packages {self.packages}"
        return import_gi(self.folder) or refusal_of_system_python(ARAVIS, self.packages)

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        if self._alone is None:
            self._alone = (Path(tempfile.gettempdir()) / "fake-genicam.lock").open("w")
            fcntl.flock(self._alone, fcntl.LOCK_EX)
        self.lose()
        self._process = subprocess.Popen([FAKE_GENICAM, "-i", "127.0.0.1", "-s", SERIAL])
        while self._process.poll() is None and not camera_identity(self.name).serial:
            pass  # looking for it takes its time
        assert self._process.poll() is None, "the fake camera did not start"

    def assert_picture(self, image: np.ndarray) -> None:
        """Jet's colours from dark blue to dark red, along the diagonals."""
        assert image.std() > 20

    def close(self) -> None:
        if self._alone is not None:
            self._alone.close()


class VirtualDslrBench(Bench):
    """libgphoto2's own virtual camera, which takes the same picture each time; without it, it fails."""

    name = "gphoto2:?capture=1"
    hangs = False
    repeats = True

    @property
    def missing(self) -> str:  # type: ignore[override]
        if not (vusb := virtual_usb()):
            return "needs the package gphoto2 with libgphoto2's virtual USB port"
        os.environ |= {"IOLIBS": vusb, "VCAMERADIR": str(self.folder)}
        return ""

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        roll = self.folder / "store_00010001/DCIM/100CARDS"
        roll.mkdir(parents=True, exist_ok=True)
        Image.fromarray(card(size)).save(roll / "CARD0001.JPG", quality=95)

    def lose(self) -> None:
        shutil.rmtree(self.folder / "store_00010001", ignore_errors=True)

    def close(self) -> None:
        for name in ("IOLIBS", "VCAMERADIR"):
            os.environ.pop(name, None)


class MicroManagerBench(Bench):
    """Micro-Manager's demo camera with its colour test pattern; it can be neither unplugged nor stopped."""

    losable = hangs = False
    repeats = True
    pixel_type = "32bitRGB"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"micromanager:{self.folder / 'demo.cfg'}?adapters={demo_adapters()}"

    @property
    def missing(self) -> str:  # type: ignore[override]
        return "" if demo_adapters() else "needs the packages pymmcore and mm-test-adapters (x86-64 alone)"

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        facts = {"PixelType": self.pixel_type, "Mode": "Color Test Pattern", "Exposure": 1000 / fps}
        facts |= {"OnCameraCCDXSize": size[0], "OnCameraCCDYSize": size[1]}
        lines = ["Device,Camera,DemoCamera,DCam", "Property,Core,Initialize,1", "Property,Core,Camera,Camera"]
        lines += [f"Property,Camera,{name},{value}" for name, value in facts.items()]
        (self.folder / "demo.cfg").write_text("\n".join(lines) + "\n")

    def assert_picture(self, image: np.ndarray) -> None:
        """The pattern's first three bands are blue, green and red ramps from the left to the right."""
        height, width = image.shape[:2]
        seen = [image[int((band + 0.5) * height / 8), int(width * 0.75)].argmax() for band in range(3)]
        assert seen == [2, 1, 0]
        assert image[: height // 8, :, :2].max() == 0


class FilesBench(Bench):
    """A folder of pictures; lost when it is emptied."""

    asks_size = hangs = False

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"files:{self.folder / 'pictures'}?loop=1"

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        (self.folder / "pictures").mkdir(exist_ok=True)
        for count in range(3):
            Image.fromarray(card(size, count)).save(self.folder / f"pictures/{count}.png")

    def lose(self) -> None:
        shutil.rmtree(self.folder / "pictures", ignore_errors=True)


class SimulatedBench(Bench):
    """The simulated microscope, which has its own pictures, cannot be lost and gives every size."""

    name = "simulated:7"
    asks_size = hangs = False
    losable = False

    def assert_picture(self, image: np.ndarray) -> None:
        assert image.std() > 1


class VideoBench(Bench):
    """OpenCV's V4L2 path on a video file: the same reading, without a device; lost at its end."""

    hangs = False

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"v4l2:{self.folder / 'video.avi'}"

    def start(self, size: tuple[int, int] = SIZE, fps: int = 20) -> None:
        writer = cv2.VideoWriter(str(self.folder / "video.avi"), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
        for count in range(8):
            writer.write(cv2.cvtColor(card(size, count), cv2.COLOR_RGB2BGR))
        writer.release()

    def lose(self) -> None:
        (self.folder / "video.avi").unlink(missing_ok=True)  # what is open is read to its end


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def import_gi(folder: Path) -> str:
    """Let this Python import PyGObject of Debian's packages; return why it cannot."""
    if importlib.util.find_spec("gi") is None and (DEBIAN_PYTHON / "gi").exists():
        (folder / "debian").mkdir(exist_ok=True)
        (folder / "debian/gi").symlink_to(DEBIAN_PYTHON / "gi")  # alone: its NumPy is not ours
        sys.path.append(str(folder / "debian"))
        importlib.invalidate_caches()
    try:
        import gi  # noqa: F401
    except ImportError as error:
        return f"needs PyGObject of Debian's package python3-gi for this Python: {error}"
    return ""


def demo_adapters() -> str:
    """Return the folder of Micro-Manager's demo adapters; empty where there is none."""
    if importlib.util.find_spec("pymmcore") is None:
        return ""
    if (found := importlib.util.find_spec("mm_test_adapters")) is None or found.origin is None:
        return ""
    return str(Path(found.origin).parent / "libs")


@functools.cache
def virtual_usb() -> str:
    """Return the folder of libgphoto2's virtual USB port; empty where there is none."""
    if (found := importlib.util.find_spec("gphoto2")) is None or found.origin is None:
        return ""
    folder = Path(found.origin).parent / "libgphoto2/vusb"
    return str(folder) if folder.is_dir() else ""


@functools.cache
def refusal_of_system_python(code: str, packages: str) -> str:
    """Return what Debian's packages the system's Python needs to run `code`; empty where it does."""
    if Path(SYSTEM_PYTHON).exists() and not subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True).returncode:
        return ""
    return f"needs Debian's packages {packages}"


BENCHES = (
    FilesBench,
    SimulatedBench,
    VideoBench,
    MotionJpegBench,
    SnapshotBench,
    RtspBench,
    GenicamBench,
    VirtualDslrBench,
    MicroManagerBench,
)
