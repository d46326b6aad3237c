"""Open devices, files and streams through OpenCV, without its warnings beside our own message."""

import contextlib
from collections.abc import Iterator

import cv2


def open_capture(target: str, device: int | None = None) -> "cv2.VideoCapture":
    """Return a capture of V4L2 `device` (which OpenCV opens by number only), else of the file or stream `target`.

    Check `isOpened`: opening may have failed.
    """
    with _without_warnings():
        return cv2.VideoCapture(device, cv2.CAP_V4L2) if device is not None else cv2.VideoCapture(target)


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
