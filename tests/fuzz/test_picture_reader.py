"""Files mutated at random go through the picture reader: an array or an `ImageError`, soon, and in little memory.

SMEARSCOPE_FUZZ=20000 sets how many; without it the same few seconds' worth every time.
"""

import io
import os
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from smear.errors import ImageError
from smear.images import read_picture
from smear.synthetic import render

ASKED = os.environ.get("SMEARSCOPE_FUZZ")
EXAMPLES = int(ASKED or 2000)
SLOW_S = 5.0
MOST_MEMORY_KB = 400_000
FIELD = render("Pre", 5, (72, 96)).image
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
OME = '<OME><Image><Pixels PhysicalSizeX="0.25" PhysicalSizeY="0.25"/></Image></OME>'
COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
INTERESTING = (0, 1, 2, 3, 7, 8, 16, 127, 128, 255, 256, 4096, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def saved(kind: str, image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def seeds() -> list[bytes]:
    """One small sound file of each kind that the reader knows."""
    rgb = Image.fromarray(FIELD)
    rgba, palette, cmyk = rgb.convert("RGBA"), rgb.quantize(32), rgb.convert("CMYK")
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = struct.pack(">IIBBBBB", 96, 72, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in FIELD.astype(np.uint16) * 257)
    flipped = [rgb.rotate(180)]
    return [
        saved("JPEG", rgb), saved("JPEG", rgb, progressive=True), saved("JPEG", rgb, subsampling=0, exif=turned),
        saved("JPEG", rgb, restart_marker_rows=1, icc_profile=SRGB), saved("JPEG", cmyk),
        saved("JPEG", rgb.convert("L")),
        saved("PNG", rgb), saved("PNG", rgba), saved("PNG", palette, transparency=3),
        saved("PNG", rgb, icc_profile=SRGB), saved("PNG", rgb, save_all=True, append_images=flipped),
        saved("PNG", rgb, exif=turned),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", deep) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""),
        *(saved("TIFF", rgb, compression=name) for name in COMPRESSIONS),
        saved("TIFF", rgba), saved("TIFF", palette), saved("TIFF", cmyk, icc_profile=SRGB),
        saved("TIFF", rgb, tiffinfo={270: OME}), saved("TIFF", rgb, save_all=True, append_images=flipped),
        saved("TIFF", rgb, compression="tiff_lzw", exif=turned),
        saved("BMP", rgb), saved("BMP", palette), saved("BMP", rgba),
        saved("WEBP", rgb), saved("WEBP", rgba, lossless=True), saved("WEBP", rgb, exif=turned, icc_profile=SRGB),
        saved("WEBP", rgb, save_all=True, append_images=flipped),
    ]  # fmt: skip


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_right_sums(png: bytes) -> bytes:
    """Give each chunk of a mutated PNG its right sum, so that what is in it gets as far as it can."""
    out, at = png[:8], 8
    while at + 8 <= len(png):
        length = min(struct.unpack_from(">I", png, at)[0], len(png) - at - 8)
        out += chunk(png[at + 4 : at + 8], png[at + 8 : at + 8 + length])
        at += 12 + length
    return out


SEEDS = seeds()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw one seed with a few of its bytes changed, moved, repeated, left out or taken from another one."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    in_header = draw(st.booleans())  # where a change means most
    for _ in range(draw(st.integers(1, 5))):
        length = max(1, min(len(content), 400) if in_header else len(content))
        at = draw(st.integers(0, length - 1))
        match draw(st.sampled_from(["byte", "bit", "number", "cut", "leave out", "repeat", "other", "zeros"])):
            case "byte":
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "bit":
                content[at : at + 1] = bytes(value ^ 1 << draw(st.integers(0, 7)) for value in content[at : at + 1])
            case "number":
                number = struct.pack(draw(st.sampled_from("<>")) + "I", draw(st.sampled_from(INTERESTING)))
                size = draw(st.sampled_from([2, 4]))
                content[at : at + size] = number[:size]
            case "cut":
                del content[max(at, 32) :]
            case "leave out":
                del content[at : at + draw(st.integers(1, 64))]
            case "repeat":
                part = content[at : at + draw(st.integers(1, 400))]
                content[at:at] = part * draw(st.integers(1, 20))
            case "other":
                other = draw(st.sampled_from(SEEDS))
                content[at:] = other[draw(st.integers(0, len(other) - 1)) :]
            case "zeros":
                size = draw(st.integers(1, 200))
                content[at : at + size] = bytes(size)
    whole = bytes(content)
    return with_right_sums(whole) if whole.startswith(b"\x89PNG") and draw(st.booleans()) else whole


COUNTS = {"read": 0, "refused": 0}
SLOWEST_S = [0.0]


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=ASKED is None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(mutated())
def every_mutant_is_read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    began_s = time.perf_counter()
    try:
        picture = read_picture(path)
    except ImageError as error:
        COUNTS["refused"] += 1
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)
    else:
        COUNTS["read"] += 1
        assert picture.image.dtype == np.uint8
        assert picture.image.ndim == 3
        assert picture.image.shape[2] == 3
        assert picture.image.flags.c_contiguous
    took_s = time.perf_counter() - began_s
    SLOWEST_S[0] = max(SLOWEST_S[0], took_s)
    assert took_s < SLOW_S


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_each_seed_is_read_or_refused_for_its_colours_or_pages(tmp_path: Path, number: int) -> None:
    (tmp_path / "seed").write_bytes(SEEDS[number])
    try:
        read_picture(tmp_path / "seed")
    except ImageError as error:
        assert any(word in str(error) for word in ("grey", "CMYK", "transparent", "several pictures")), error


def test_a_mutated_file_is_a_picture_or_an_error_within_seconds_and_400_mb(tmp_path: Path) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    every_mutant_is_read_or_refused(tmp_path / "mutant")
    most_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(COUNTS, f"slowest {SLOWEST_S[0]:.2f} s, {most_kb // 1000} MB")  # noqa: T201 - the figures of a long run
    assert COUNTS["read"] > EXAMPLES / 50  # else nothing but headers was tried
    assert most_kb < max(MOST_MEMORY_KB, before_kb + MOST_MEMORY_KB // 4)  # what ran before may have needed more
