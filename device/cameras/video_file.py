"""A video from disk, frame by frame: what is damaged or missing in it is said and never patched up."""

from pathlib import Path

import cv2
import numpy as np

from device.cameras.opencv_capture import open_capture
from smear.errors import ImageError
from smear.images import jpeg
from smear.output_files import printable

_MOTION_JPEG = b"MJPG"
_AS_STORED = -1  # of CAP_PROP_FORMAT: packets instead of pictures
# These name no number of frames; it is worked out from their length, and may be one off at each end.
_ESTIMATED = frozenset({".mkv", ".webm", ".ts", ".mts", ".mpg", ".mpeg", ".flv", ".wmv"})
_ESTIMATE_OFF_BY = 2


class VideoFile:
    """One pass through a video."""

    def __init__(self, path: Path) -> None:
        """Open `path`; ask `readable` whether that went well."""
        self._path = path
        self._capture = open_capture(str(path))
        width, height = (int(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = width, height
        self.readable = self._capture.isOpened() and min(self.size) > 0
        self._promised = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if self.readable else 0
        self._came = 0
        codec = int(self._capture.get(cv2.CAP_PROP_FOURCC)) if self.readable else 0
        # FFmpeg shows half a JPEG with grey below as a frame like any other; the strict reader does not.
        self._packets = codec & 0xFFFFFFFF == int.from_bytes(_MOTION_JPEG, "little") and self._capture.set(
            cv2.CAP_PROP_FORMAT, _AS_STORED
        )

    def next(self) -> np.ndarray | None:
        """Return the next frame as RGB uint8 (H, W, 3); None at the end.

        Raises:
            ImageError: this frame is damaged; the next call goes on with the next one.
        """
        done, read = self._capture.read()
        if not done or read is None:
            return None
        self._came += 1
        frame = np.asarray(read)
        if not self._packets:
            return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        try:
            return jpeg.decode_strictly(frame.tobytes(), "RGB", self.size)
        except ImageError as error:
            raise ImageError(f"{printable(self._path)}: frame {self._came} is {error}") from error

    def shortfall(self) -> str:
        """Return a sentence where fewer frames came than the header promises, else an empty one."""
        off_by = _ESTIMATE_OFF_BY if self._path.suffix.lower() in _ESTIMATED else 0
        if self._promised <= 0 or self._came + off_by >= self._promised:
            return ""
        return (
            f"{printable(self._path)}: ends after {self._came} of the {self._promised} frames its header promises; "
            "it is cut off or damaged: copy or record it again"
        )

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._capture.release()
