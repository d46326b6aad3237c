"""Opening through OpenCV without its own warnings beside our one message."""

import contextlib
from collections.abc import Iterator

import cv2


def open_capture(target: str, device: int | None = None) -> cv2.VideoCapture:
    """Return a capture of V4L2 `device` (OpenCV opens those by number only), else of the file or stream `target`.

    It may not be open: ask `isOpened`.
    """
    with _quiet():
        return cv2.VideoCapture(device, cv2.CAP_V4L2) if device is not None else cv2.VideoCapture(target)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
