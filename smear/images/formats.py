"""What kind of file this is, told by its first bytes and never by its name."""

from smear.errors import ImageError

HEAD_BYTES = 160  # DICOM names itself after 128
READ = "JPEG, PNG, BMP, TIFF or WebP"

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "BMP": (b"BM",),
}
_OTHERS = {
    "GIF": (b"GIF8",),
    "JPEG 2000": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    "PostScript": (b"%!",),
    "PDF": (b"%PDF",),
    "Photoshop": (b"8BPS",),
}
_FTYP_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}


def format_of(head: bytes) -> str:
    """Return Pillow's name of the format whose file begins with `head`, its first `HEAD_BYTES`.

    Raises:
        ImageError: none of those that are read; the message has no file name yet.
    """
    if not head:
        raise ImageError("an empty file; copy or take the picture again")
    for name, starts in _SIGNATURES.items():
        if head.startswith(starts):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    known = next((name for name, starts in _OTHERS.items() if head.startswith(starts)), None)
    if head[4:8] == b"ftyp" and head[8:12] in _FTYP_BRANDS:
        known = "HEIC or AVIF"
    if head[128:132] == b"DICM":
        known = "DICOM"
    if known:
        raise ImageError(f"a {known} file, which is not read here; export it as {READ}")
    raise ImageError(f"not a picture in a known format; give {READ}")
