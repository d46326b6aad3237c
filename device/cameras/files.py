"""Pictures from disk as a camera: one picture, a folder as the stage would move over a slide, or a video."""

import re
import time
from pathlib import Path

import cv2
import numpy as np

from device.cameras.base import CameraKind
from device.cameras.opencv_capture import open_capture
from device.cameras.uri import CameraName
from smear.errors import CameraError, EndOfFramesError
from smear.findings import Frame
from smear.images import IMAGE_SUFFIXES, list_images, read_image

_DIGITS = re.compile(r"(\d+)")


class FilesCamera:
    """`files:PATH[?loop=1]`."""

    simulated = False

    def __init__(self, name: CameraName, pixel_size_um: float | None = None) -> None:
        """Find the pictures, or open the video.

        Raises:
            CameraError: there is no picture or video at this path.
        """
        self.name = name.text
        self._loop = name.options.get("loop", "0") not in {"0", "no", "false"}
        self._path = Path(name.target)
        self._pixel_size_um = pixel_size_um
        self._sequence = 0
        self._video: cv2.VideoCapture | None = None
        self._pictures: list[Path] = []
        self._next = 0
        if not name.target or not self._path.exists():
            raise CameraError(f"camera {name.text}: no such file or folder; write files:PATH of an existing one")
        if self._path.is_dir():
            self._pictures = sorted(list_images(self._path), key=natural_order)
            if not self._pictures:
                raise CameraError(
                    f"camera {name.text}: no picture in this folder; it may hold {', '.join(sorted(IMAGE_SUFFIXES))}"
                )
        elif self._path.suffix.lower() in IMAGE_SUFFIXES:
            self._pictures = [self._path]
        else:
            self._video = self._open_video()

    def read(self, timeout_s: float) -> Frame:
        """Return the next picture.

        Raises:
            ImageError: this picture cannot be read; the next call goes on with the next one.
            EndOfFramesError: there is no next one.
            CameraError: closed, or not a readable video.
        """
        if self._video is not None:
            image, source = self._next_of_video(self._video), f"{self._path}#{self._sequence}"
        else:
            path = self._next_picture()
            image, source = read_image(path), str(path)
        frame = Frame(image, source, self._pixel_size_um, self._sequence, time.monotonic(), time.time())
        self._sequence += 1
        return frame

    def close(self) -> None:
        """Close the video; safe to call twice."""
        if self._video is not None:
            self._video.release()
        self._pictures = []
        self._loop = False

    def _next_picture(self) -> Path:
        if self._loop and self._pictures:
            self._next %= len(self._pictures)
        if self._next >= len(self._pictures):
            raise self._end(len(self._pictures))
        self._next += 1
        return self._pictures[self._next - 1]

    def _next_of_video(self, video: cv2.VideoCapture) -> np.ndarray:
        done, picture = video.read()
        if not done and self._loop:
            video.release()
            self._video = video = self._open_video()
            done, picture = video.read()
        if not done or picture is None:
            raise self._end(self._sequence)
        return cv2.cvtColor(np.asarray(picture), cv2.COLOR_BGR2RGB)

    def _open_video(self) -> cv2.VideoCapture:
        video = open_capture(str(self._path))
        if not video.isOpened() or video.get(cv2.CAP_PROP_FRAME_WIDTH) < 1:
            raise CameraError(
                f"camera {self.name}: neither a readable picture nor a readable video; "
                "give JPEG, PNG, TIFF, or a video such as AVI or MP4"
            )
        return video

    def _end(self, count: int) -> EndOfFramesError:
        return EndOfFramesError(f"camera {self.name} is at its end after {count} pictures; add ?loop=1 to start again")


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key by which field_2 comes before field_10, the order in which they were taken."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(str(path)) if part]


KIND = CameraKind(
    name="files",
    help="pictures from disk: one picture, a folder in the order of its names, or a video",
    usage="files:PATH",
    options={"loop": "1: start again at the end"},
    open=lambda name, request: FilesCamera(name, request.pixel_size_um),
    steps_by_itself=True,
    live=False,
)
