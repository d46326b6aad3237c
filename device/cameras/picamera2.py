"""The Pi's own cameras through picamera2, which comes from apt and is imported only here."""

import contextlib
import gc
import threading
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from device.cameras.base import AUTOMATICS_SETTLE_FRAMES, CameraIdentity, CameraKind, Grant, size_difference
from device.cameras.threaded_camera import live
from device.cameras.uri import CameraName
from smear.errors import CameraError

DEFAULT_SIZE = (1280, 960)  # 4:3 as the sensors of the HQ camera and the Module 2 and 3 read all of their area
GRAB_TIMEOUT_S = 5.0  # longer than any exposure used in bright field

# libcamera names formats as DRM does, from the highest byte of a little-endian word down:
# what it calls BGR888 lies in memory as R, G, B; what it calls RGB888 as B, G, R.
WANTED_FORMAT = "BGR888"
_PACKED = {
    "BGR888": (3, None),
    "RGB888": (3, "COLOR_BGR2RGB"),
    "XBGR8888": (4, "COLOR_RGBA2RGB"),
    "XRGB8888": (4, "COLOR_BGRA2RGB"),
}
_CHROMA = {"NV12": (0, 1), "NV21": (1, 0), "YUV420": (0, 1), "YVU420": (1, 0)}  # which chroma plane is Cb, and Cr
_RED_BLUE_WEIGHTS = {"Rec601": (0.299, 0.114), "Rec709": (0.2126, 0.0722)}  # Kr, Kb of ITU-R BT.601 and BT.709


class Picamera2Source:
    """`picamera2:[index]`."""

    def __init__(
        self, name: CameraName, size: tuple[int, int] | None = None, controls: Mapping[str, Any] | None = None
    ) -> None:
        """Open and start the camera.

        Raises:
            CameraError: picamera2 is not installed, or there is no such camera.
        """
        self._name = name
        self._gives_frames = True
        self._changing = threading.Lock()  # of what is above
        self._camera = _open(name)
        try:
            self._camera.configure(
                self._camera.create_preview_configuration(
                    main={"size": size or DEFAULT_SIZE, "format": WANTED_FORMAT},
                    controls=dict(controls or {}),
                    queue=False,  # every capture is a frame that was exposed after it was asked for
                )
            )
            # What was granted, which may be another format and size: libcamera adjusts without an error.
            self._stream = dict(self._camera.camera_configuration()["main"])
            granted = (int(self._stream["size"][0]), int(self._stream["size"][1]))
            self.granted = Grant(granted, str(self._stream["format"]), size_difference(name.text, size, granted))
            self._colour_space = self._camera.camera_configuration().get("colour_space")
            self._camera.start()
        except Exception:
            _close(self._camera)
            raise

    def grab(self) -> np.ndarray:
        """Return the buffer of the next picture."""
        try:
            return np.asarray(self._camera.capture_buffer("main", wait=GRAB_TIMEOUT_S))
        except TimeoutError as error:
            self._camera.cancel_all_and_flush()  # else stopping waits for the same lost frame
            raise CameraError(
                f"camera {self._name.text} stopped giving pictures; switch off and check the ribbon cable"
            ) from error

    def to_rgb(self, raw: np.ndarray) -> np.ndarray:
        """Return RGB uint8 (H, W, 3) from a buffer in the format that libcamera granted."""
        width, height = self._stream["size"]
        pixel_format, stride = self._stream["format"], self._stream["stride"]
        if pixel_format in _PACKED:
            channels, conversion = _PACKED[pixel_format]
            rows = raw[: height * stride].reshape(height, stride)[:, : width * channels]
            picture = np.ascontiguousarray(rows).reshape(height, width, channels)
            return picture if conversion is None else cv2.cvtColor(picture, getattr(cv2, conversion))
        if pixel_format in _CHROMA:
            luma, chroma_b, chroma_r = split_planes(raw, pixel_format, width, height, stride)
            return yuv_to_rgb(luma, chroma_b, chroma_r, *describe_colour_space(self._colour_space))
        raise CameraError(
            f"camera {self._name.text} delivers {pixel_format}, which Smearscope cannot read; "
            f"use a camera that delivers one of {', '.join([*_PACKED, *_CHROMA])}"
        )

    def settled_controls(self) -> dict[str, Any]:
        """Return the libcamera controls that switch the automatics off and keep the present exposure and gains."""
        now = self._camera.capture_metadata(wait=GRAB_TIMEOUT_S)
        kept = {name: now[name] for name in ("ExposureTime", "AnalogueGain", "ColourGains") if name in now}
        return {"AeEnable": False, "AwbEnable": False} | kept

    def interrupt(self) -> None:
        """End a `grab` in another thread; one that waits for a lost frame would keep the camera for seconds."""
        with self._changing:
            if self._gives_frames:  # else it would cancel the stopping
                self._camera.cancel_all_and_flush()

    def release(self) -> None:
        """Stop and close the camera."""
        with self._changing:
            self._gives_frames = False
        self._camera.stop()
        _close(self._camera)


def _open(name: CameraName) -> Any:
    """Return the `Picamera2` object for the index in `name`."""
    if name.target and not name.target.isdecimal():
        raise CameraError(
            f"camera {name.text}: {name.target!r} is not an index; write picamera2:0 for the first camera"
        )
    index = int(name.target or 0)
    driver = KIND.load(name).Picamera2
    found = len(driver.global_camera_info())
    if index >= found:
        raise CameraError(
            f"camera {name.text}: libcamera finds {found} camera{'' if found == 1 else 's'}; check the ribbon cable, "
            "then `rpicam-hello --list-cameras`"
        )
    camera = driver.__new__(driver)
    try:
        camera.__init__(index)
    except Exception:
        # picamera2 keeps the camera when it fails half-way, as at boot before udev has set the group of the dma-heap,
        # and no later attempt of this process could open it. Closing fails half-way too, but releases the camera first.
        with contextlib.suppress(Exception):
            _close(camera)
        raise
    return camera


def _close(camera: Any) -> None:
    try:
        camera.close()
    finally:
        gc.collect()  # picamera2 leaves descriptors of each opening in cycles


def split_planes(
    raw: np.ndarray, pixel_format: str, width: int, height: int, stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Y (H, W), Cb and Cr (H/2, W/2) of a 4:2:0 buffer, without the padding of its rows."""
    luma_bytes = height * stride
    luma = raw[:luma_bytes].reshape(height, stride)[:, :width]
    first, second = _CHROMA[pixel_format]
    if pixel_format.startswith("NV"):
        pairs = raw[luma_bytes : luma_bytes * 3 // 2].reshape(height // 2, stride)[:, :width]
        planes = pairs.reshape(height // 2, width // 2, 2).transpose(2, 0, 1)
    else:
        planes = raw[luma_bytes : luma_bytes * 3 // 2].reshape(2, height // 2, stride // 2)[:, :, : width // 2]
    return luma, planes[first], planes[second]


def describe_colour_space(space: Any) -> tuple[str, bool]:
    """Return the name of the matrix and whether the range is full, of a libcamera ColorSpace.

    Without an entry it is sYCC, which picamera2 asks for: BT.601, full range.
    """
    matrix = str(getattr(space, "ycbcrEncoding", "")).rpartition(".")[2]
    limited = str(getattr(space, "range", "")).endswith("Limited")
    return (matrix if matrix in _RED_BLUE_WEIGHTS else "Rec601"), not limited


def yuv_to_rgb(
    luma: np.ndarray, chroma_b: np.ndarray, chroma_r: np.ndarray, matrix: str = "Rec601", full_range: bool = True
) -> np.ndarray:
    """Return RGB uint8 (H, W, 3) by the matrix of ITU-R BT.601 or BT.709.

    OpenCV's own conversions assume the limited range of video, which would raise the contrast of sYCC by 16 %.
    """
    size = (luma.shape[1], luma.shape[0])
    chroma = [cv2.resize(np.ascontiguousarray(c), size, interpolation=cv2.INTER_LINEAR) for c in (chroma_b, chroma_r)]
    red, blue = _RED_BLUE_WEIGHTS[matrix]
    green = 1 - red - blue
    gain_y, gain_c, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    r_cr, b_cb = 2 * (1 - red) * gain_c, 2 * (1 - blue) * gain_c
    g_cb, g_cr = -b_cb * blue / green, -r_cr * red / green
    rows = [(gain_y, 0.0, r_cr), (gain_y, g_cb, g_cr), (gain_y, b_cb, 0.0)]
    weights = np.array([(y, cb, cr, -y * black - (cb + cr) * 128) for y, cb, cr in rows])
    return cv2.transform(cv2.merge([np.ascontiguousarray(luma), *chroma]), weights)


def _identify(name: CameraName) -> CameraIdentity:
    """Return the camera with libcamera's id, which names the sensor and its connector, in place of a serial."""
    index = int(name.target) if name.target.isdecimal() else 0
    found: list[Any] = []
    with contextlib.suppress(CameraError):  # without picamera2, opening it says so
        found = KIND.load(name).Picamera2.global_camera_info()
    serial = str(found[index].get("Id", "")) if index < len(found) else ""
    return CameraIdentity(f"picamera2:{index}", serial)


KIND = CameraKind(
    name="picamera2",
    help="a camera module of the Raspberry Pi, through picamera2 from apt",
    usage="picamera2:[index]",
    open=live(lambda name, request: Picamera2Source(name, request.size, request.controls)),
    identify=_identify,
    settle_frames=AUTOMATICS_SETTLE_FRAMES,
    takes_controls=True,
    module="picamera2",
    install="sudo apt install python3-picamera2",
    attached=lambda: ["picamera2:0"],  # tried even without picamera2, so that the message says how to install it
)
