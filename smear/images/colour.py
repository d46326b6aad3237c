"""From what a file holds to RGB of 8 bits, where that is well defined; the rest is refused with its reason."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from smear.errors import ImageError

Conversion = Callable[[Image.Image], Image.Image]
"""Turns one band of rows into RGB."""

_BAND_ROWS = 256  # converted at once: a picture of 50 megapixels is never in memory twice
_NAMES = {
    "1": "black and white", "L": "grey", "LA": "grey with an alpha channel", "La": "grey with an alpha channel",
    "LAB": "CIELAB", "HSV": "HSV",
}  # fmt: skip
_OPAQUE = 255
_PROFILE_STEPS = np.linspace(0, 255, 9).astype(np.uint8)
_SRGB_WITHIN = 2  # levels: profiles that all mean sRGB differ in the last digit of their curves


@dataclass(frozen=True, slots=True)
class ToRgb:
    """How one picture becomes RGB."""

    steps: tuple[Conversion, ...]
    notes: tuple[str, ...]  # a line for each step that changes what the file holds

    def array(self, picture: Image.Image) -> np.ndarray:
        """Return the whole of `picture` as RGB uint8 (H, W, 3).

        Raises:
            ImageError: a pixel is transparent, or a palette holds greys alone.
        """
        width, height = picture.size
        rgb = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, _BAND_ROWS):
            band = picture.crop((0, top, width, min(height, top + _BAND_ROWS)))
            for step in self.steps:
                band = step(band)
            rgb[top : top + _BAND_ROWS] = np.asarray(band)
        return rgb


def to_rgb(picture: Image.Image, bits: int) -> ToRgb:
    """Return how `picture`, whose channels have `bits` bits in its file, becomes RGB.

    Raises:
        ImageError: it is grey, of more than 16 bits, or in colours that no embedded profile explains.
    """
    steps: list[Conversion] = []
    notes: list[str] = []
    mode, has_palette_alpha = picture.mode, "transparency" in picture.info
    if mode.startswith(("I", "F")):
        raise ImageError("more than 8 bits a channel and grey, not colour RGB; save it as 8-bit RGB")
    if bits > 16:
        raise ImageError(f"{bits} bits a channel; more than 8 bits a channel are read up to 16; save it as 8-bit RGB")
    if bits > 8:
        notes.append(f"{bits} bits a channel, of which the upper 8 are used")
    if mode in {"P", "PA"}:
        _require_colours(picture)
        notes.append("palette turned into RGB")
        if mode == "PA" or has_palette_alpha:
            steps.append(lambda band: band.convert("RGBA"))
            mode = "RGBA"
        else:
            steps.append(lambda band: band.convert("RGB"))
            mode = "RGB"
    if mode in {"RGBA", "RGBa"}:
        steps.append(_without_alpha)
        notes.append("opaque alpha channel left out")
    elif mode == "RGB" and has_palette_alpha and picture.format == "PNG":
        raise ImageError("one of its colours is transparent; save it as RGB without transparency")
    elif mode in {"RGBX", "YCbCr"}:
        steps.append(lambda band: band.convert("RGB"))
    elif mode not in {"RGB", "CMYK"}:
        raise ImageError(f"{_NAMES.get(mode, mode)}, not colour RGB; save it as 8-bit RGB")
    return _with_profile(picture, mode == "CMYK", steps, notes)


def _with_profile(picture: Image.Image, is_cmyk: bool, steps: list[Conversion], notes: list[str]) -> ToRgb:
    profile = picture.info.get("icc_profile")
    convert = _from_profile(profile, "CMYK" if is_cmyk else "RGB") if isinstance(profile, bytes) and profile else None
    if is_cmyk and convert is None:
        raise ImageError("CMYK without a colour profile, not colour RGB; save it as 8-bit RGB")
    if convert is not None and (is_cmyk or _changes_colours(convert)):
        steps.append(convert)
        notes.append(f"{'CMYK' if is_cmyk else 'colours'} turned into sRGB by the embedded profile")
    return ToRgb(tuple(steps), tuple(notes))


def _from_profile(profile: bytes, mode: str) -> Conversion | None:
    """Return the way from `profile` to sRGB; None where it is no valid one for `mode`, as viewers take it."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None

    def convert(band: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(band, transform)
        assert converted is not None
        return converted

    return convert


def _changes_colours(convert: Conversion) -> bool:
    """Tell whether `convert` is more than the rounding between two descriptions of sRGB."""
    levels = np.stack(np.meshgrid(_PROFILE_STEPS, _PROFILE_STEPS, _PROFILE_STEPS), axis=-1).reshape(27, 27, 3)
    converted = np.asarray(convert(Image.fromarray(levels)))
    return bool(np.abs(converted.astype(int) - levels).max() > _SRGB_WITHIN)


def _require_colours(picture: Image.Image) -> None:
    palette = picture.getpalette("RGB") or []
    colours = np.array(palette[: len(palette) // 3 * 3]).reshape(-1, 3)
    if not colours.size or (colours == colours[:, :1]).all():
        raise ImageError("a palette of greys, not colour RGB; save it as 8-bit RGB")


def _without_alpha(band: Image.Image) -> Image.Image:
    straight = band.convert("RGBA") if band.mode == "RGBa" else band
    lowest, _ = straight.getchannel("A").getextrema()
    if lowest != _OPAQUE:
        raise ImageError("RGB with an alpha channel that is transparent in places; save it as RGB without transparency")
    return straight.convert("RGB")
