"""What is peculiar to TIFF: pages, tiles, bits, JPEG inside, and the pixel size that OME writes."""

import math
from collections.abc import Iterator
from typing import IO, Any
from xml.etree import ElementTree

from PIL.TiffImagePlugin import TiffImageFile

from smear.errors import ImageError
from smear.images import jpeg

PIXEL_SIZE_RANGE_UM = (0.01, 10.0)  # what --pixel-size-um takes
_MAX_PAGES_SEEN = 32  # a pyramid halves at every level
_NEW_SUBFILE_TYPE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _DESCRIPTION = 254, 256, 257, 258, 259, 270
_STRIPS, _STRIP_BYTES, _ROWS_PER_STRIP, _PLANES = 273, 279, 278, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _JPEG_TABLES = 322, 323, 324, 325, 347
_REDUCED_OR_MASK = 1 | 4  # bits of NewSubfileType: a smaller copy of another page, a transparency mask
_JPEG = 7
_MICROMETRES = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "pm": 1e-6, "Å": 1e-4}
_MAX_XML_CHARACTERS = 4_000_000
SQUARE_WITHIN = 0.01


def bits_of(picture: TiffImageFile) -> int:
    """Return the most bits that any channel of the current page has."""
    bits = picture.tag_v2.get(_BITS, (1,))
    return max(bits) if isinstance(bits, tuple) else int(bits)


def require_one_page(picture: TiffImageFile) -> None:
    """Refuse a file of several pictures; smaller copies (pyramids) and masks are none. Leaves the first page open.

    Raises:
        ImageError: it holds several pictures; the message has no file name yet.
    """
    for page in range(1, _MAX_PAGES_SEEN + 2):
        try:
            picture.seek(page)
        except EOFError:
            break
        if page > _MAX_PAGES_SEEN or not int(picture.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED_OR_MASK:
            raise ImageError("holds several pictures; save each page as a file of its own")
    picture.seek(0)


def require_sound_parts(picture: TiffImageFile, file: IO[bytes], max_pixels: int) -> None:
    """Refuse tiles larger than any picture, and JPEG data inside that libjpeg would patch up.

    Raises:
        ImageError: too large or damaged; the message has no file name yet.
    """
    width, height = _part_size(picture)
    if min(width, height) < 1 or width * height > max_pixels:
        raise ImageError(f"its parts of {width}x{height} are larger than {max_pixels:,} pixels; save it without tiles")
    if picture.tag_v2.get(_COMPRESSION) != _JPEG:
        return
    tables = picture.tag_v2.get(_JPEG_TABLES, b"")
    for part in _parts(picture, file, (width, height)):
        whole = tables[:-2] + part[2:] if tables else part  # without the end of one and the start of the other
        jpeg.require_few_scans(whole, width * height)
        jpeg.decode_strictly(whole, "RGB", (width, height))


def ome_pixel_size_um(picture: TiffImageFile) -> tuple[float | None, str]:
    """Return the edge of a pixel on the slide as OME-XML says it, and a sentence where it says it but is not believed.

    TIFF's own resolution tags are not asked: they hold the printer's or the screen's dots.
    """
    description = picture.tag_v2.get(_DESCRIPTION)
    if not isinstance(description, str) or "<OME" not in description or len(description) > _MAX_XML_CHARACTERS:
        return None, ""
    if "<!" in description.replace("<!--", ""):  # a document type may define entities without end
        return None, "its OME pixel size is not used: the XML has a document type"
    try:
        root = ElementTree.fromstring(description)
    except (ElementTree.ParseError, ValueError):
        return None, "its OME pixel size is not used: the XML is damaged"
    pixels = next((found for found in root.iter() if found.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        return None, ""
    across, down = (_micrometres(pixels.attrib, axis) for axis in ("X", "Y"))
    if across is None or not PIXEL_SIZE_RANGE_UM[0] <= across <= PIXEL_SIZE_RANGE_UM[1]:
        return None, "its OME PhysicalSizeX is not used: no length from 0.01 to 10 µm; give --pixel-size-um"
    if "PhysicalSizeY" in pixels.attrib and (down is None or abs(down / across - 1) > SQUARE_WITHIN):
        return None, "its OME pixel size is not used: the pixels are not square"
    return across, f"pixel size {across:g} µm, as its OME-XML says"


def _micrometres(attributes: dict[str, str], axis: str) -> float | None:
    factor = _MICROMETRES.get(attributes.get(f"PhysicalSize{axis}Unit", "µm"))
    try:
        length = float(attributes.get(f"PhysicalSize{axis}", "nan")) * (factor or math.nan)
    except ValueError:
        return None
    return length if math.isfinite(length) else None


def _part_size(picture: TiffImageFile) -> tuple[int, int]:
    """Return width and height of a tile or strip."""
    tags = picture.tag_v2
    if _TILES in tags:
        return int(tags[_TILE_WIDTH]), int(tags[_TILE_HEIGHT])
    return int(tags[_WIDTH]), min(int(tags[_HEIGHT]), int(tags.get(_ROWS_PER_STRIP, 2**32 - 1)))


def _parts(picture: TiffImageFile, file: IO[bytes], size: tuple[int, int]) -> Iterator[bytes]:
    """Read the bytes of each tile or strip.

    Raises:
        ImageError: there are more or fewer of them than the picture needs.
    """
    tags: Any = picture.tag_v2
    places, lengths = (tags[_TILES], tags[_TILE_BYTES]) if _TILES in tags else (tags[_STRIPS], tags[_STRIP_BYTES])
    needed = math.prod(math.ceil(int(tags[side]) / part) for side, part in zip((_WIDTH, _HEIGHT), size, strict=True))
    if int(tags.get(_PLANES, 1)) == 2:
        needed *= len(picture.getbands())
    if not needed == len(places) == len(lengths):
        raise ImageError(f"damaged: it needs {needed} parts and has {len(places)}; copy or take the picture again")
    for place, length in zip(places, lengths, strict=True):
        file.seek(place)
        yield file.read(min(length, jpeg.MAX_BYTES))
