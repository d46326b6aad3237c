"""Reading pictures: what is no 8-bit RGB field is refused by name. Writing: whole or not at all."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from smear.errors import ImageError, StoreError
from smear.images import encode, list_images, read_image, write_atomic, write_image

FIELD = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG that claims to be `width` x `height` RGB, with a first row at most."""
    parts = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), b"IDAT" + zlib.compress(bytes(100))
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def saved(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path


def test_a_png_comes_back_as_it_was_written_in_rgb(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", FIELD)
    assert (read_image(tmp_path / "a.png") == FIELD).all()


def test_red_stays_red_in_a_jpeg(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", np.full((40, 40, 3), (220, 30, 40), np.uint8))
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - (220, 30, 40)).max() <= 4  # JPEG is lossy


def test_what_is_read_may_be_drawn_on(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", FIELD)
    assert read_image(tmp_path / "a.png").flags.writeable


def test_rows_stay_rows_whatever_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(FIELD).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == FIELD.shape


@pytest.mark.parametrize(
    ("name", "picture", "words"),
    [
        ("grey.png", Image.fromarray(FIELD[..., 0]), "grey, not colour RGB; save it as 8-bit RGB"),
        ("grey.jpg", Image.fromarray(FIELD[..., 0]), "grey, not colour RGB"),
        ("alpha.png", Image.fromarray(FIELD).convert("RGBA"), "RGB with an alpha channel"),
        ("palette.png", Image.fromarray(FIELD).convert("P"), "palette"),
        ("bits.png", Image.fromarray(FIELD[..., 0] > 99), "black and white"),
        ("cmyk.jpg", Image.fromarray(FIELD).convert("CMYK"), "CMYK, not colour RGB"),
        ("grey16.png", Image.fromarray(FIELD[..., 0].astype(np.uint16)), "more than 8 bits a channel"),
        ("float.tif", Image.fromarray(FIELD[..., 0].astype(np.float32)), "more than 8 bits a channel"),
        ("dot.png", Image.fromarray(FIELD[:1, :1]), "1x1 is too small; a field needs at least 32 pixels"),
        ("strip.png", Image.fromarray(FIELD[:31]), "80x31 is too small"),
    ],
)
def test_what_is_no_field_is_refused_with_its_reason(
    tmp_path: Path, name: str, picture: Image.Image, words: str
) -> None:
    with pytest.raises(ImageError, match=words) as error:
        read_image(saved(picture, tmp_path / name))
    assert name in str(error.value)


def test_sixteen_bit_colour_is_refused_not_narrowed(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.png"), FIELD.astype(np.uint16) * 257)
    with pytest.raises(ImageError, match="more than 8 bits"):
        read_image(tmp_path / "deep.png")


def test_a_huge_claim_is_refused_from_its_header_alone(tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(png_claiming(30_000, 30_000))
    with pytest.raises(ImageError, match="larger than 50,000,000 pixels; crop or scale it down"):
        read_image(tmp_path / "huge.png")


def test_a_claim_just_under_pillows_own_limit_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(png_claiming(8_000, 7_000))
    with pytest.raises(ImageError, match="8000x7000 is larger than"):
        read_image(tmp_path / "large.png")


def test_a_header_without_a_picture_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "header.png").write_bytes(png_claiming(30_000, 30_000)[:33])
    with pytest.raises(ImageError, match="not a picture"):
        read_image(tmp_path / "header.png")


def test_text_called_jpg_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("this is not a picture")
    with pytest.raises(ImageError, match=r"notes\.jpg: not a picture in a known format"):
        read_image(tmp_path / "notes.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_a_truncated_picture_is_called_damaged(tmp_path: Path, suffix: str) -> None:
    whole = saved(Image.fromarray(FIELD), tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"damaged or truncated|not a picture"):
        read_image(tmp_path / f"half{suffix}")


def test_missing_and_folder_are_image_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError):
        read_image(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_picture_with_any_bytes_changed_is_read_or_refused_but_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(encode(FIELD, data.draw(st.sampled_from([".png", ".jpg"]))))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content)
    try:
        read = read_image(path)
    except ImageError:
        return
    assert read.dtype == np.uint8
    assert read.shape[2] == 3


def test_pictures_are_listed_below_the_folder_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "c.png").mkdir()  # a folder may be called so
    for name in ("b/2.JPG", "a.png", "notes.txt", "b/1.tiff"):
        (tmp_path / name).touch()
    assert [str(p.relative_to(tmp_path)) for p in list_images(tmp_path)] == ["a.png", "b/1.tiff", "b/2.JPG"]


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"a long old content")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_where_nothing_can_be_written_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write .*free some space or choose another folder"):
        write_atomic(tmp_path / "missing" / "a", b"")
