"""Writing pictures: photographs, and the masks and overlays that carry the program's name."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from smear import RESEARCH_USE_ONLY
from smear.errors import ImageError
from smear.memory import memory_for
from smear.output_files import HEAD_BYTES, write_atomic

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STRIP_ROWS = 64
_AFTER_HEADER = 33  # signature and IHDR, which must come first
_MARK = b"tEXtSoftware\0Smearscope"
_TEXT = {"Software": "Smearscope; research use only", "Disclaimer": RESEARCH_USE_ONLY}  # keywords of the PNG standard


def encode(image: np.ndarray, suffix: str, quality: int = 95) -> bytes:
    """Return `image`, RGB (H, W, 3) or grey (H, W) uint8, as the bytes of a `suffix` file (".png", ".jpg").

    Raises:
        ImageError: OpenCV cannot encode it, or there is not enough memory.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in {".jpg", ".jpeg"} else []
    with memory_for(f"a picture of shape {image.shape}"):
        stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
        return _encoded(stored, suffix, options).tobytes()


def _encoded(stored: np.ndarray, suffix: str, options: list[int]) -> np.ndarray:
    done, data = cv2.imencode(suffix, stored, options)
    if not done:
        raise ImageError(f"cannot encode a picture of shape {stored.shape} as {suffix}")
    return data


def encode_output(image: np.ndarray) -> bytes:
    """Return a mask or overlay, RGB (H, W, 3) or grey (H, W) uint8, as a PNG that says where it comes from.

    One in colour is overwritten: a second copy of 48 megapixels takes 144 MB.
    """
    if image.ndim == 3:
        for top in range(0, len(image), _STRIP_ROWS):
            strip = image[top : top + _STRIP_ROWS]
            strip[:] = cv2.cvtColor(strip, cv2.COLOR_RGB2BGR)
    png = _encoded(image, ".png", []).data
    chunks = b"".join(_text_chunk(keyword, text) for keyword, text in _TEXT.items())
    return b"".join((png[:_AFTER_HEADER], chunks, png[_AFTER_HEADER:]))


def is_own_output(head: bytes) -> bool:
    """Tell from the first `HEAD_BYTES` of a file whether `encode_output` made it."""
    return head.startswith(_PNG_SIGNATURE) and head[_AFTER_HEADER + 4 :].startswith(_MARK)


def is_own_output_file(path: Path) -> bool:
    """Tell whether `path` is a mask or overlay that this program wrote; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return is_own_output(file.read(HEAD_BYTES))
    except OSError:
        return False


def write_image(path: Path, image: np.ndarray, mode: int = 0o666) -> None:
    """Write `image`, RGB (H, W, 3) or grey (H, W) uint8, atomically in the format of `path`'s suffix.

    The umask takes from `mode`.
    """
    write_atomic(path, encode(image, path.suffix), mode)


def _text_chunk(keyword: str, text: str) -> bytes:
    content = b"tEXt" + keyword.encode("latin-1") + b"\0" + text.encode("latin-1")
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
