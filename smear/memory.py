"""What does not fit into memory: a picture that is too large is a fault of the picture, not the end of the process."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from smear.errors import ImageError


@contextmanager
def memory_for(what: str) -> Iterator[None]:
    """Do what the context holds, which takes memory for `what`.

    Raises:
        ImageError: there is not enough.
    """
    try:
        yield
    except (MemoryError, cv2.error) as error:
        if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
            raise
        raise ImageError(f"{what} needs more memory than there is; choose a smaller size") from None
