"""Pictures from disk as a camera: one picture, a folder as the stage would move over a slide, or a video."""

import re
import time
from functools import cached_property
from pathlib import Path

import numpy as np

from device.cameras.base import CameraIdentity, CameraKind, Grant
from device.cameras.uri import CameraName
from device.cameras.video_file import VideoFile
from smear.errors import CameraError, EndOfFramesError, ImageError
from smear.findings import Frame
from smear.images import IMAGE_SUFFIXES, is_picture_file, look_through, read_field
from smear.output_files import printable

_DIGITS = re.compile(r"(\d+)")


class FilesCamera:
    """`files:PATH[?loop=1]`."""

    simulated = False

    def __init__(
        self, name: CameraName, pixel_size_um: float | None = None, size: tuple[int, int] | None = None
    ) -> None:
        """Find the pictures, or open the video.

        `pixel_size_um` is of pictures of `size` (width, height) where that is given, and of no others.

        Raises:
            CameraError: there is no picture or video at this path.
        """
        self.name = name.text
        self._loop = name.options.get("loop", "0") not in {"0", "no", "false"}
        self._path = Path(name.target)
        self._pixel_size_um = pixel_size_um
        self._size = size
        self._sequence = 0
        self._video: VideoFile | None = None
        self._pictures: list[Path] = []
        self._faults: list[str] = []  # said by the next reads, one each
        self._next = 0
        self._round_began = 0  # the number of its first frame
        if not name.target or not self._path.exists():
            raise self._error("no such file or folder; write files:PATH of an existing one")
        if self._path.is_dir():
            found = look_through(self._path)
            self._faults = list(found.unreadable)
            self._pictures = sorted(found.pictures, key=natural_order)
            if not self._pictures and not self._faults:
                raise self._error(f"no picture in this folder; it may hold {', '.join(sorted(IMAGE_SUFFIXES))}")
        elif self._path.suffix.lower() in IMAGE_SUFFIXES or is_picture_file(self._path):
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
        if self._faults:
            raise ImageError(self._faults.pop(0))
        return self._from_folder() if self._video is None else self._from_video(self._video)

    @cached_property
    def granted(self) -> Grant:
        """The size of the first picture that can be read: a scale that was typed for this folder belongs to it."""
        for path in self._pictures:
            try:
                height, width = read_field(path).image.shape[:2]
            except ImageError:
                continue  # `read` says what is wrong with it
            return Grant((width, height))
        return Grant(self._video.size if self._video is not None else None)

    def close(self) -> None:
        """Close the video; safe to call twice."""
        if self._video is not None:
            self._video.close()
        self._pictures, self._faults = [], []
        self._loop = False

    def _from_folder(self) -> Frame:
        if self._loop and self._pictures:
            self._next %= len(self._pictures)
        if self._next >= len(self._pictures):
            raise self._end()
        path = self._pictures[self._next]
        try:
            picture = read_field(path)
        except ImageError:
            del self._pictures[self._next]  # a loop passes over it from now on, and ends when none is left
            if not self._path.exists():
                self._pictures = []
                raise ImageError(f"{printable(self._path)} is no longer there; put it back and start again") from None
            raise
        self._next += 1
        return self._frame(picture.image, printable(path), picture.pixel_size_um)

    def _from_video(self, video: VideoFile) -> Frame:
        image = self._next_of(video)
        if image is None and (shortfall := video.shortfall()):
            self._loop = False  # the same would be missing in every round
            video.close()
            self._video, self._pictures = None, []
            raise ImageError(shortfall)
        if image is None and self._loop and self._sequence > self._round_began:
            video.close()
            self._video, self._round_began = self._open_video(), self._sequence
            image = self._next_of(self._video)
        if image is None:
            raise self._end()
        return self._frame(image, f"{printable(self._path)}#{self._sequence}", None)

    def _next_of(self, video: VideoFile) -> np.ndarray | None:
        """Return the next frame; what is damaged is said in the first round and passed over in the others."""
        while True:
            try:
                return video.next()
            except ImageError:
                if not self._round_began:
                    raise

    def _frame(self, image: np.ndarray, source: str, own_pixel_size_um: float | None) -> Frame:
        given = self._pixel_size_um if self._size in (None, (image.shape[1], image.shape[0])) else None
        frame = Frame(image, source, given or own_pixel_size_um, self._sequence, time.monotonic(), time.time())
        self._sequence += 1
        return frame

    def _open_video(self) -> VideoFile:
        video = VideoFile(self._path)
        if not video.readable:
            raise self._error(
                "neither a readable picture nor a readable video; give JPEG, PNG, TIFF, or a video such as AVI or MP4"
            )
        return video

    def _error(self, text: str) -> CameraError:
        return CameraError(f"camera {printable(self.name)}: {text}")

    def _end(self) -> EndOfFramesError:
        return EndOfFramesError(
            f"camera {printable(self.name)} is at its end after {self._sequence} pictures; add ?loop=1 to start again"
        )


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key by which field_2 comes before field_10, the order in which they were taken."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(str(path)) if part]


def _folder_of(name: CameraName) -> CameraIdentity:
    """Return the folder: pictures that lie together count as those of one camera, others do not."""
    path = Path(name.target).resolve()
    return CameraIdentity(f"files:{path if path.is_dir() else path.parent}")


KIND = CameraKind(
    name="files",
    help="pictures from disk: one picture, a folder in the order of its names, or a video",
    usage="files:PATH",
    options={"loop": "1: start again at the end"},
    open=lambda name, request: FilesCamera(name, request.pixel_size_um, request.size),
    identify=_folder_of,
    steps_by_itself=True,
    live=False,
)
