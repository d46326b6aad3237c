"""Reading a picture file into RGB: formats by list, told by content, within bounds, and nothing damaged."""

import hashlib
import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from smear.errors import ImageError
from smear.images import jpeg, tiff
from smear.images.colour import ToRgb, to_rgb
from smear.images.formats import HEAD_BYTES, format_of
from smear.images.urls import fetch
from smear.images.writer import is_own_output
from smear.output_files import printable

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MIN_SIDE_PX = 32  # smaller holds no whole leukocyte at any usable scale
MAX_PIXELS = 50_000_000  # four times the 12.3 megapixels of the Pi's HQ camera
_TOO_LARGE = f"larger than {MAX_PIXELS:,} pixels; crop or scale it down (a whole slide: analyze --out FILE.geojson)"
# A file that unpacks to far more than any photograph does is made to fill memory; small ones cannot.
_SMALL_PIXELS = 4_000_000
_MAX_PIXELS_A_BYTE = 200  # photographs: 30 at the lowest quality of JPEG
_MAX_STREAM_BYTES = 100_000_000  # of what is no file on a disk, and so has no size: a pipe
_PNG_BITS_AT = 24
# Whatever a parser meets in hostile bytes; Pillow's documentation promises no list.
_DECODER_FAULTS = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError,
    ValueError, ImageCms.PyCMSError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture as it is examined."""

    image: np.ndarray  # RGB uint8 (H, W, 3), turned as its EXIF orientation says: as viewers show it
    pixel_size_um: float | None  # from OME-XML; None: the file does not say
    notes: tuple[str, ...]  # a sentence for each conversion
    sha256: str = ""  # of the file, where it was asked for


def read_image(path: Path) -> np.ndarray:
    """Return the picture at `path` as RGB uint8 (H, W, 3); see `read_picture`."""
    return read_picture(path).image


def read_picture(path: Path) -> Picture:
    """Read the picture at `path`.

    Raises:
        ImageError: there is none, it may not be read, it is damaged anywhere, one of several in its file, too small or
            too large, or its colours are not well defined as RGB.
    """
    with _named(path), _opened(path) as file:
        return _read(file)


def read_field(path: Path | str, *, digest: bool = False) -> Picture:
    """Read the photograph at `path`, a file or a URL, to examine it, and its sha256 for a `digest`; see `read_picture`.

    Raises:
        ImageError: as `read_picture`, and for a mask or overlay of this program.
    """
    with _named(path), _opened(path) as file:
        if is_own_output(file.read(HEAD_BYTES)):
            raise ImageError("a mask or overlay of this program, not a photograph")
        file.seek(0)
        picture = _read(file)
        return replace(picture, sha256=_sha256(file)) if digest else picture


def digest_of(path: Path | str) -> str:
    """Return the sha256 of the file or URL `path`.

    Raises:
        ImageError: there is none, it may not be read, or it can be read only once.
    """
    with _named(path):
        if isinstance(path, Path) and not os.path.isfile(path):  # noqa: PTH113 - pathlib's may raise
            raise ImageError("no file on a disk")
        with _opened(path) as file:
            return _sha256(file)


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # its protocol is narrower


def read_jpeg(data: bytes) -> Picture:
    """Read a JPEG that a camera sent, of any bytes; see `read_picture`.

    Raises:
        ImageError: as `read_picture`, and for another format; the message names no source.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise ImageError("not a JPEG")
    return _read(io.BytesIO(data))


def is_picture_file(path: Path) -> bool:
    """Tell by the first bytes of `path` whether it is in one of the formats that are read."""
    if not path.is_file():  # of a pipe the bytes would be gone
        return False
    try:
        with _opened(path) as file:
            format_of(file.read(HEAD_BYTES))
    except ImageError:
        return False
    return True


@contextmanager
def _named(path: Path | str) -> Iterator[None]:
    """Put the file's name before the message of any `ImageError`."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{printable(path)}: {error}") from error.__cause__


@contextmanager
def _opened(path: Path | str) -> Iterator[IO[bytes]]:
    """Open `path`; what is no file on a disk is read to its end first, since a decoder must go back and forth."""
    if isinstance(path, str):
        yield _bounded(fetch(path, _MAX_STREAM_BYTES + 1))
        return
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise ImageError("no such file; check the path") from None
    except PermissionError:
        raise ImageError("may not be read; give yourself permission (chmod), or ask its owner") from None
    except IsADirectoryError:
        raise ImageError("is a folder, not a picture") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be opened ({getattr(error, 'strerror', None) or error}); check the path") from error
    with file:
        try:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                yield _bounded(file.read(_MAX_STREAM_BYTES + 1))
                return
            yield file
            after = os.fstat(file.fileno())
        except OSError as error:
            raise ImageError(f"cannot be read ({error.strerror}); check its disk or network, and try again") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ImageError("was changed while it was read; examine it again once it is complete")


def _bounded(content: bytes) -> IO[bytes]:
    if len(content) > _MAX_STREAM_BYTES:
        raise ImageError(f"has more than {_MAX_STREAM_BYTES:,} bytes; save it as a file on a disk, or smaller")
    return io.BytesIO(content)


def _read(file: IO[bytes]) -> Picture:
    kind = format_of(file.read(HEAD_BYTES))
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata; of sizes MAX_PIXELS is the stricter guard
            with Image.open(file, formats=[kind]) as picture:
                return _decoded(picture, kind, file)
    except UnidentifiedImageError:
        raise ImageError(
            f"not a picture that can be read: a {kind} file that is damaged or of a rare kind; save it as 8-bit RGB PNG"
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(_TOO_LARGE) from None
    except MemoryError:
        raise ImageError("needs more memory than there is; crop or scale it down") from None
    except _DECODER_FAULTS as error:
        raise ImageError(f"damaged or truncated ({error}); copy or take the picture again") from error


def _decoded(picture: ImageFile.ImageFile, kind: str, file: IO[bytes]) -> Picture:
    _check_size(picture.size)
    _check_bytes(picture.size, file)
    pixel_size_um: float | None = None
    bits, notes = 8, tuple[str, ...]()
    if isinstance(picture, TiffImageFile):
        tiff.require_one_page(picture)
        _check_size(picture.size)
        tiff.require_sound_parts(picture, file, MAX_PIXELS)
        bits = tiff.bits_of(picture)
        pixel_size_um, said = tiff.ome_pixel_size_um(picture)
        notes = (said,) if said else ()
    elif kind != "JPEG" and getattr(picture, "n_frames", 1) > 1:  # a JPEG's others are its camera's previews
        raise ImageError("holds several pictures; save each page as a file of its own")
    if isinstance(picture, PngImageFile):
        bits = _require_sound_png(picture, file)
        with Image.open(file, formats=[kind]) as again:  # checking the sums has used the first one up
            image, ways = _pixels(again, kind, file, bits)
            return Picture(_turned(image, again), None, ways.notes)
    image, ways = _pixels(picture, kind, file, bits)
    return Picture(_turned(image, picture), pixel_size_um, notes + ways.notes)


def _pixels(picture: ImageFile.ImageFile, kind: str, file: IO[bytes], bits: int) -> tuple[np.ndarray, ToRgb]:
    ways = to_rgb(picture, bits)
    if kind == "JPEG":
        file.seek(0)
        data = file.read(jpeg.MAX_BYTES)
        jpeg.require_few_scans(data, picture.size[0] * picture.size[1])
        decoded = jpeg.decode_strictly(data, "CMYK" if picture.mode == "CMYK" else "RGB", picture.size)
        if picture.mode == "RGB":
            return (ways.array(Image.fromarray(decoded)) if ways.steps else decoded), ways
        file.seek(0)
    elif picture.tile and picture.tile[0][0] == "bmp_rle":
        raise ImageError("a run-length-coded bitmap, which is not read here; save it as PNG")
    return ways.array(picture), ways


def _require_sound_png(picture: PngImageFile, file: IO[bytes]) -> int:
    """Check the sum of every chunk, which decoding does not, and return the bits of a channel."""
    picture.verify()
    file.seek(_PNG_BITS_AT)
    bits = file.read(1)[0]
    file.seek(0)
    return bits


def _turned(image: np.ndarray, picture: Image.Image) -> np.ndarray:
    """Return `image` turned and mirrored as EXIF says; Pillow does so itself to a TIFF while it loads."""
    match picture.getexif().get(ExifTags.Base.Orientation):
        case 2:
            turned = image[:, ::-1]
        case 3:
            turned = image[::-1, ::-1]
        case 4:
            turned = image[::-1]
        case 5:
            turned = image.swapaxes(0, 1)
        case 6:
            turned = np.rot90(image, -1)
        case 7:
            turned = image[::-1, ::-1].swapaxes(0, 1)
        case 8:
            turned = np.rot90(image)
        case _:
            return image
    return np.ascontiguousarray(turned)


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{width}x{height} is {_TOO_LARGE}")
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(f"{width}x{height} is too small; a field needs at least {MIN_SIDE_PX} pixels a side")


def _check_bytes(size: tuple[int, int], file: IO[bytes]) -> None:
    pixels, length = size[0] * size[1], file.seek(0, io.SEEK_END)
    file.seek(0)
    if pixels > max(_SMALL_PIXELS, length * _MAX_PIXELS_A_BYTE):
        raise ImageError(f"{size[0]}x{size[1]} pixels in {length:,} bytes: damaged, or no photograph")
