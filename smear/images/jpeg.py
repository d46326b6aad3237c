"""JPEG decoded strictly: what libjpeg would patch up with a warning, and a plausible wrong picture, is an error."""

from typing import Any

import numpy as np
import simplejpeg

from smear.errors import ImageError

MAX_BYTES = 100_000_000  # two bytes a pixel of the largest picture
# Every scan of a progressive file passes over all blocks: encoders write 10 to 20, and 400 kB of empty ones took 55 s.
MAX_SCANS = 64
_MAX_SCANNED_PIXELS = 1_000_000_000  # 2 s on a desktop
_START_OF_SCAN, _END = b"\xff\xda", b"\xff\xd9"
# Of the standard tables (ITU T.81, table K.3). With them, and all components in one scan, 24 bytes of zeros would be a
# block whose 63 coefficients are all -1: no picture has two in a row. Lost sectors are zeros, and one hole in forty
# happens to decode to the right number of blocks, so that the decoder has nothing to say.
_STANDARD_DC_LENGTHS = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
_HOLE = bytes(64)


def require_few_scans(data: bytes, pixels: int) -> None:
    """Refuse a file that would take its decoder many times as long as a usual one of its size.

    Raises:
        ImageError: too many scans; the message has no file name yet.
    """
    scans = data.count(_START_OF_SCAN)  # inside entropy-coded data FF is always followed by 00: never too few
    if scans > MAX_SCANS or scans * pixels > _MAX_SCANNED_PIXELS:
        raise ImageError(f"a JPEG of {scans} scans, which takes too long to decode; save it again as baseline JPEG")


def require_no_hole(data: bytes) -> None:
    """Refuse a file whose entropy-coded data have a hole of zeros, where zeros cannot be data.

    Raises:
        ImageError: there is a hole; the message has no file name yet.
    """
    start = data.rfind(_START_OF_SCAN)
    tables, scan = data[:start], data[start : data.find(_END, start)]
    if _STANDARD_DC_LENGTHS in tables and scan[4:5] == b"\x03" and _HOLE in scan:
        raise ImageError("damaged or truncated (a part of its data is zeros); copy or take the picture again")


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
        require_no_hole(data)
        return np.asarray(simplejpeg.decode_jpeg(data, colours))
    except ValueError as error:
        raise ImageError(f"damaged or truncated ({error}); copy or take the picture again") from error
