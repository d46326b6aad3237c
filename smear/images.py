"""Reading a picture file into RGB, and writing files so that a power cut leaves the old or the new one."""

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from smear.errors import ImageError, StoreError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MIN_SIDE_PX = 32  # smaller holds no whole leukocyte at any usable scale
MAX_PIXELS = 50_000_000  # four times the 12.3 megapixels of the Pi's HQ camera


def read_image(path: Path) -> np.ndarray:
    """Return the picture at `path` as RGB uint8 (H, W, 3), rows and columns as stored (no EXIF rotation).

    Raises:
        ImageError: not a picture, truncated, too small or too large, or not 8-bit RGB.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is the stricter guard
            with Image.open(path) as picture:
                _check_header(path, picture)
                return np.array(picture)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the path") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not a picture in a known format; give JPEG, PNG, BMP, TIFF or WebP") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path}: larger than {MAX_PIXELS:,} pixels; crop or scale it down") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path}: damaged or truncated ({error}); copy or take the picture again") from error


def _check_header(path: Path, picture: ImageFile.ImageFile) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{path}: {width}x{height} is larger than {MAX_PIXELS:,} pixels; crop or scale it down")
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(f"{path}: {width}x{height} is too small; a field needs at least {MIN_SIDE_PX} pixels a side")
    # Pillow narrows 16-bit RGB to 8 bits without a word; only the raw mode of its decoder still tells.
    raw_modes = " ".join(str(tile[3]) for tile in picture.tile)
    if "16" in raw_modes or picture.mode.startswith(("I", "F")):
        raise ImageError(f"{path}: more than 8 bits a channel; save it as 8-bit RGB")
    if picture.mode != "RGB":
        names = {"L": "grey", "1": "black and white", "P": "palette", "RGBA": "RGB with an alpha channel"}
        raise ImageError(f"{path}: {names.get(picture.mode, picture.mode)}, not colour RGB; save it as 8-bit RGB")


def list_images(folder: Path) -> list[Path]:
    """Return every picture below `folder`, sorted by path."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())


def encode(image: np.ndarray, suffix: str, quality: int = 95) -> bytes:
    """Return `image`, RGB (H, W, 3) or grey (H, W) uint8, as the bytes of a `suffix` file (".png", ".jpg").

    Raises:
        ImageError: OpenCV cannot encode it.
    """
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in {".jpg", ".jpeg"} else []
    done, data = cv2.imencode(suffix, stored, options)
    if not done:
        raise ImageError(f"cannot encode a picture of shape {image.shape} as {suffix}")
    return data.tobytes()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` by write, fsync, rename and fsync of the folder.

    Raises:
        StoreError: the disk is full, read-only or the folder is missing.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}; free some space or choose another folder") from error


def write_image(path: Path, image: np.ndarray, quality: int = 95) -> None:
    """Write `image`, RGB (H, W, 3) or grey (H, W) uint8, atomically in the format of `path`'s suffix."""
    write_atomic(path, encode(image, path.suffix, quality))
