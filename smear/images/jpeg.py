"""JPEG decoded strictly: what libjpeg would patch up with a warning, and a plausible wrong picture, is an error."""

from typing import Any

import numpy as np

from smear.errors import ImageError

try:
    import simplejpeg
except ModuleNotFoundError:  # an environment from before it was among the pins: made again by `make`
    simplejpeg = None

MAX_BYTES = 100_000_000  # two bytes a pixel of the largest picture
# Every scan of a progressive file passes over all blocks: encoders write 10 to 20, and 400 kB of empty ones took 55 s.
MAX_SCANS = 64
_MAX_SCANNED_PIXELS = 1_000_000_000  # 2 s on a desktop
_START_OF_SCAN = b"\xff\xda"

STRICT = simplejpeg is not None


def require_few_scans(data: bytes, pixels: int) -> None:
    """Refuse a file that would take its decoder many times as long as a usual one of its size.

    Raises:
        ImageError: too many scans; the message has no file name yet.
    """
    scans = data.count(_START_OF_SCAN)  # inside entropy-coded data FF is always followed by 00: never too few
    if scans > MAX_SCANS or scans * pixels > _MAX_SCANNED_PIXELS:
        raise ImageError(f"a JPEG of {scans} scans, which takes too long to decode; save it again as baseline JPEG")


def decode_strictly(data: bytes, colours: str, max_size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Return `data`, a whole JPEG file, decoded to uint8 (H, W, channels).

    Args:
        data: the bytes.
        colours: "RGB" (from RGB, YCbCr or grey) or "CMYK".
        max_size: width and height that are not exceeded, whatever its own header says.

    Raises:
        ImageError: libjpeg has something to say against it; the message has no file name yet.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        if width > max_size[0] or height > max_size[1]:
            raise ImageError(f"damaged: it is {width}x{height} inside and {max_size[0]}x{max_size[1]} by its header")
        return np.asarray(simplejpeg.decode_jpeg(data, colours))
    except (ValueError, MemoryError) as error:
        raise ImageError(f"damaged or truncated ({error}); copy or take the picture again") from error
