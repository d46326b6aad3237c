"""Reading pictures: what is a field comes back as viewers show it, in RGB; what is not is refused by name."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from smear.errors import ImageError
from smear.images import digest_of, encode, read_field, read_image, read_picture, reader, write_image
from smear.images import jpeg as jpeg_reader
from smear.synthetic import render

FIELD = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
DRAWN = render("Pre", 5, (200, 240)).image  # as smooth as a photograph: its JPEG has long runs


def png_claiming(width: int, height: int) -> bytes:
    """A PNG that claims to be `width` x `height` RGB, with a first row at most."""
    parts = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), b"IDAT" + zlib.compress(bytes(100))
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


def jpeg_of(image: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def scan_starts(data: bytes) -> list[int]:
    return [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]


def test_a_png_comes_back_as_it_was_written_in_rgb(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", FIELD)
    assert (read_image(tmp_path / "a.png") == FIELD).all()


def test_red_stays_red_in_a_jpeg(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", np.full((40, 40, 3), (220, 30, 40), np.uint8))
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - (220, 30, 40)).max() <= 4  # JPEG is lossy


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}])
def test_a_jpeg_is_decoded_as_pillow_does(tmp_path: Path, options: dict[str, object]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_of(DRAWN, **options))
    assert (read_image(tmp_path / "a.jpg") == np.array(Image.open(tmp_path / "a.jpg"))).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_what_is_read_may_be_drawn_on(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", FIELD)
    assert read_image(tmp_path / f"a{suffix}").flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_picture_lies_as_viewers_show_it(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(DRAWN), tmp_path / f"a{suffix}", exif=exif, compression="tiff_lzw", lossless=True)
    with Image.open(path) as picture:
        picture.load()
        shown = np.array(ImageOps.exif_transpose(picture))
    assert shown.shape[:2] == ((200, 240) if orientation < 5 else (240, 200))
    assert (read_image(path) == shown).all()


@pytest.mark.parametrize(
    ("name", "picture", "words"),
    [
        ("grey.png", Image.fromarray(FIELD[..., 0]), "grey, not colour RGB; save it as 8-bit RGB"),
        ("grey.jpg", Image.fromarray(FIELD[..., 0]), "grey, not colour RGB"),
        ("greys.png", Image.fromarray(FIELD[..., 0]).convert("P"), "a palette of greys"),
        ("bits.png", Image.fromarray(FIELD[..., 0] > 99), "black and white"),
        ("cmyk.jpg", Image.fromarray(FIELD).convert("CMYK"), "CMYK without a colour profile, not colour RGB"),
        ("grey16.png", Image.fromarray(FIELD[..., 0].astype(np.uint16)), "more than 8 bits a channel"),
        ("float.tif", Image.fromarray(FIELD[..., 0].astype(np.float32)), "more than 8 bits a channel"),
        ("lab.tif", Image.fromarray(FIELD).convert("LAB"), "CIELAB, not colour RGB"),
        ("dot.png", Image.fromarray(FIELD[:1, :1]), "1x1 is too small; a field needs at least 32 pixels"),
        ("strip.png", Image.fromarray(FIELD[:31]), "80x31 is too small"),
    ],
)
def test_what_is_no_field_is_refused_with_its_reason(
    tmp_path: Path, name: str, picture: Image.Image, words: str
) -> None:
    if name == "lab.tif":
        picture = ImageCms.profileToProfile(
            Image.fromarray(FIELD), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    with pytest.raises(ImageError, match=words) as error:
        read_image(saved(picture, tmp_path / name))
    assert name in str(error.value)


def test_an_opaque_alpha_channel_is_left_out_and_said(tmp_path: Path) -> None:
    read = read_picture(saved(Image.fromarray(FIELD).convert("RGBA"), tmp_path / "a.png"))
    assert (read.image == FIELD).all()
    assert read.notes == ("opaque alpha channel left out",)


def test_one_transparent_pixel_is_a_refusal(tmp_path: Path) -> None:
    picture = Image.fromarray(FIELD).convert("RGBA")
    picture.putpixel((70, 50), (1, 2, 3, 254))
    with pytest.raises(ImageError, match="alpha channel that is transparent in places"):
        read_image(saved(picture, tmp_path / "a.png"))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_a_palette_becomes_rgb_and_is_said(tmp_path: Path, suffix: str) -> None:
    picture = Image.fromarray(DRAWN).quantize(64)
    read = read_picture(saved(picture, tmp_path / f"a{suffix}"))
    assert (read.image == np.array(picture.convert("RGB"))).all()
    assert read.notes == ("palette turned into RGB",)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_of_sixteen_bit_colour_the_upper_eight_are_used_and_said(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), FIELD[..., ::-1].astype(np.uint16) * 257)
    read = read_picture(tmp_path / f"deep{suffix}")
    assert (read.image == FIELD).all()
    assert read.notes == ("16 bits a channel, of which the upper 8 are used",)


def test_a_profile_other_than_srgb_is_applied_and_said(tmp_path: Path) -> None:
    wide = ImageCms.ImageCmsProfile(io.BytesIO(profile_with_gamma(1.0)))
    read = read_picture(saved(Image.fromarray(DRAWN), tmp_path / "a.png", icc_profile=wide.tobytes()))
    expected = ImageCms.profileToProfile(Image.fromarray(DRAWN), wide, ImageCms.createProfile("sRGB"))
    assert (read.image == np.array(expected)).all()
    assert read.notes == ("colours turned into sRGB by the embedded profile",)


@pytest.mark.parametrize("profile", ["sRGB", "damaged"])
def test_a_profile_of_srgb_or_without_sense_changes_nothing(tmp_path: Path, profile: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = srgb if profile == "sRGB" else srgb[:200] + bytes(300)
    read = read_picture(saved(Image.fromarray(DRAWN), tmp_path / "a.png", icc_profile=content))
    assert (read.image == DRAWN).all()
    assert read.notes == ()


def profile_with_gamma(gamma: float) -> bytes:
    """The bytes of sRGB's profile with every curve replaced by a power."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag in range(struct.unpack_from(">I", content, 128)[0]):
        name, at, _ = struct.unpack_from(">4sII", content, 132 + 12 * tag)
        if name.endswith(b"TRC"):
            content[at : at + 14] = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return bytes(content)


# --- formats, told by content ---------------------------------------------------------------------------------------


def test_a_postscript_file_called_jpg_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n{} loop\n")
    with pytest.raises(ImageError, match="a PostScript file, which is not read here; export it as JPEG"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic", "HEIC or AVIF"),
        (b"\0\0\0\x18ftypavif", "HEIC or AVIF"),
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"%PDF-1.7", "PDF"),
        (bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_a_format_that_is_not_read_is_called_by_its_name(tmp_path: Path, head: bytes, name: str) -> None:
    (tmp_path / "a.png").write_bytes(head + bytes(500))
    with pytest.raises(ImageError, match=f"a {name} file, which is not read here"):
        read_image(tmp_path / "a.png")


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", FIELD)
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    assert (read_image(tmp_path / "a.tif") == FIELD).all()


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
    with pytest.raises(ImageError, match="not a picture that can be read: a PNG file that is damaged"):
        read_image(tmp_path / "header.png")


def test_text_called_jpg_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("this is not a picture")
    with pytest.raises(ImageError, match=r"notes\.jpg: not a picture in a known format"):
        read_image(tmp_path / "notes.jpg")


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_a_truncated_picture_is_called_damaged(tmp_path: Path, suffix: str) -> None:
    whole = saved(Image.fromarray(FIELD), tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"damaged or truncated|not a picture"):
        read_image(tmp_path / f"half{suffix}")


def cut_but_ended(data: bytes, body: int) -> bytes:
    return data[: (body + len(data)) // 2] + b"\xff\xd9"


def with_a_gap(data: bytes, body: int) -> bytes:
    third = (len(data) - body) // 3
    return data[: body + third] + data[body + 2 * third :]


def with_zeros(data: bytes, body: int) -> bytes:
    third = (len(data) - body) // 3
    return data[: body + third] + bytes(third) + data[body + 2 * third :]


def with_a_stray_marker(data: bytes, body: int) -> bytes:
    middle = (body + len(data)) // 2
    return data[:middle] + b"\xff\xd3" + data[middle:]


@pytest.mark.parametrize("damage", [cut_but_ended, with_a_gap, with_zeros, with_a_stray_marker])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_damaged_inside_is_refused_and_not_patched_up(
    tmp_path: Path, damage: Callable[[bytes, int], bytes], options: dict[str, object]
) -> None:
    whole = jpeg_of(DRAWN, **options)
    path = tmp_path / "a.jpg"
    path.write_bytes(damage(whole, scan_starts(whole)[-1 if "progressive" in options else 0] + 14))
    with pytest.raises(ImageError, match=r"a\.jpg: damaged or truncated \("):
        read_image(path)


def test_a_hole_of_zeros_is_found_also_where_the_decoder_has_nothing_to_say() -> None:
    whole = jpeg_of(DRAWN)
    jpeg_reader.require_no_hole(whole)
    with pytest.raises(ImageError, match="a part of its data is zeros"):
        jpeg_reader.require_no_hole(with_zeros(whole, scan_starts(whole)[0] + 14))


def test_zeros_that_are_data_are_no_hole(tmp_path: Path) -> None:
    black = np.zeros((1500, 1500, 3), np.uint8)
    black[700:800, 700:800] = DRAWN[:100, :100]
    content = jpeg_of(black, optimize=True)  # whose tables give the commonest code one bit: zero
    assert bytes(64) in content[scan_starts(content)[0] :]
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_image(tmp_path / "a.jpg").shape == black.shape


def test_jpeg_inside_a_tiff_is_held_to_the_same(tmp_path: Path) -> None:
    path = saved(Image.fromarray(DRAWN), tmp_path / "a.tif", compression="jpeg", quality=90)
    assert (read_image(path) == np.array(Image.open(path))).all()
    with Image.open(path) as picture:
        assert isinstance(picture, TiffImagePlugin.TiffImageFile)
        start, length = picture.tag_v2[273][0], picture.tag_v2[279][0]
    content = bytearray(path.read_bytes())
    content[start + length // 3 : start + 2 * length // 3] = bytes(2 * length // 3 - length // 3)
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"damaged or truncated \("):
        read_image(path)


def test_one_flipped_bit_in_a_png_is_damage(tmp_path: Path) -> None:
    content = bytearray(encode(DRAWN, ".png"))
    content[len(content) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match="damaged or truncated"):
        read_image(tmp_path / "a.png")


def test_a_jpeg_of_a_thousand_scans_is_not_begun(tmp_path: Path) -> None:
    whole = jpeg_of(DRAWN, progressive=True)
    first, second = scan_starts(whole)[1:3]
    (tmp_path / "a.jpg").write_bytes(whole[:-2] + whole[first:second] * 1000 + whole[-2:])
    with pytest.raises(ImageError, match="scans, which takes too long to decode"):
        read_image(tmp_path / "a.jpg")


# --- several pictures, tiles, pixel sizes -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tif", ".png", ".webp"])
def test_one_of_several_pictures_is_refused(tmp_path: Path, suffix: str) -> None:
    pages = [Image.fromarray(DRAWN), Image.fromarray(255 - DRAWN)]
    path = saved(pages[0], tmp_path / f"a{suffix}", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="holds several pictures; save each page as a file of its own"):
        read_image(path)


def test_the_smaller_copies_of_a_pyramid_are_no_further_pictures(tmp_path: Path) -> None:
    small = Image.fromarray(DRAWN).resize((120, 100))
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "a.tif"), True) as out:
        Image.fromarray(DRAWN).save(out, "TIFF", compression="jpeg", quality=95)
        out.newFrame()
        small.save(out, "TIFF", compression="jpeg", tiffinfo={254: 1})
    assert read_image(tmp_path / "a.tif").shape == DRAWN.shape


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("padding", range(0, 2400, 300))
def test_a_tiff_is_read_wherever_its_data_lie(tmp_path: Path, compression: str, padding: int) -> None:
    path = saved(Image.fromarray(FIELD), tmp_path / "a.tif", compression=compression, tiffinfo={270: "x" * padding})
    assert (read_image(path) == FIELD).all()


def tiff_of(tags: dict[int, int], bits: tuple[int, ...] = (8, 8, 8)) -> bytes:
    """A little-endian TIFF of one page with these tags, all LONG, and `bits` a sample; no pixels worth the name."""
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    end = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries.append(struct.pack("<HHII", 258, 3, len(bits), end))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack(f"<{len(bits)}H", *bits) + bytes(1000)


TILED = {256: 80, 257: 60, 259: 5, 262: 2, 277: 3, 324: 200, 325: 800}


def test_a_tile_larger_than_any_picture_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_of(TILED | {322: 30_000, 323: 30_000}))
    with pytest.raises(ImageError, match="its parts of 30000x30000 are larger than 50,000,000 pixels"):
        read_image(tmp_path / "a.tif")


def test_a_tiff_of_more_bits_than_are_known_is_refused_by_its_bits(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_of(TILED | {322: 80, 323: 64}, (32, 32, 32)))
    with pytest.raises(ImageError, match="TIFF file that is damaged or of a rare kind; save it as 8-bit RGB PNG"):
        read_image(tmp_path / "a.tif")


def ome(attributes: str) -> str:
    space = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    return f'<?xml version="1.0"?><OME xmlns="{space}"><Image ID="i"><Pixels ID="p" {attributes}/></Image></OME>'


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('PhysicalSizeX="0.25" PhysicalSizeY="0.25"', 0.25),
        ('PhysicalSizeX="250" PhysicalSizeXUnit="nm"', 0.25),
        ('PhysicalSizeX="0.25" PhysicalSizeXUnit="&#181;m"', 0.25),
        ('PhysicalSizeX="0.25" PhysicalSizeY="0.5"', None),
        ('PhysicalSizeX="0"', None),
        ('PhysicalSizeX="nan"', None),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel"', None),
        ("", None),
    ],
)
def test_the_pixel_size_of_ome_is_used_where_it_makes_sense(
    tmp_path: Path, attributes: str, expected: float | None
) -> None:
    path = saved(Image.fromarray(FIELD), tmp_path / "a.tif", tiffinfo={270: ome(attributes)}, dpi=(300, 300))
    read = read_picture(path)
    assert read.pixel_size_um == (pytest.approx(expected) if expected else None)
    assert bool(read.notes) == bool(attributes)  # used or not, it is said


def test_entities_in_ome_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><OME>&b;</OME>'
    path = saved(Image.fromarray(FIELD), tmp_path / "a.tif", tiffinfo={270: bomb})
    assert "document type" in read_picture(path).notes[0]


# --- files ------------------------------------------------------------------------------------------------------------


def test_missing_and_folder_are_image_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


def test_a_file_without_permission_is_called_that_and_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    write_image(tmp_path / "a.png", FIELD)
    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, whom nothing is refused
    with pytest.raises(ImageError, match=r"a\.png: may not be read; give yourself permission"):
        read_image(tmp_path / "a.png")


def test_a_name_that_is_no_utf8_stands_in_the_message_as_escapes(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfcber.jpg"))
    with pytest.raises(ImageError) as error:
        read_image(path)
    assert r"\xfcber.jpg: no such file" in str(error.value)
    str(error.value).encode()  # or it could not be printed


class FailingFile(io.FileIO):
    """A file on a disk with a bad sector, or of a server that has gone."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")

    def readinto(self, buffer: object, /) -> int:
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.png", render("Pre", 1).image)
    monkeypatch.setattr(Path, "open", lambda path, mode: FailingFile(path))
    for read in (read_field, digest_of):
        with pytest.raises(ImageError, match=r"a\.png: cannot be read \(Input/output error\); check its disk"):
            read(tmp_path / "a.png")


def test_a_file_that_is_written_while_it_is_read_gives_no_picture_of_two_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, find_format = tmp_path / "a.bmp", reader.format_of
    write_image(path, render("Pre", 1).image)

    def meanwhile(head: bytes) -> str:
        os.utime(path, ns=(0, 0))
        return find_format(head)

    monkeypatch.setattr(reader, "format_of", meanwhile)
    with pytest.raises(ImageError, match="was changed while it was read"):
        read_picture(path)


def test_a_stream_has_no_digest_that_would_use_it_up_and_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="no file on a disk"):
        digest_of(tmp_path / "pipe")
    monkeypatch.setattr(reader, "_MAX_STREAM_BYTES", 1000)
    with pytest.raises(ImageError, match="has more than 1,000 bytes"):
        read_picture(Path("/dev/zero"))


def test_a_picture_is_read_from_a_pipe(tmp_path: Path) -> None:
    inlet, outlet = os.pipe()
    os.write(outlet, encode(FIELD, ".png")[:65536])
    os.close(outlet)
    assert (read_image(Path(f"/proc/self/fd/{inlet}")) == FIELD).all()
    os.close(inlet)


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
