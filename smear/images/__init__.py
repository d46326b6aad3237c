"""Picture files: read as RGB within bounds, found in folders, and written whole or not at all."""

from smear.images.folders import PictureFolder, list_images, look_through, walk_pictures
from smear.images.reader import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    MIN_SIDE_PX,
    Picture,
    digest_of,
    is_picture_file,
    read_field,
    read_image,
    read_jpeg,
    read_picture,
)
from smear.images.writer import encode, encode_output, is_own_output, write_image
from smear.output_files import write_atomic

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "Picture",
    "PictureFolder",
    "digest_of",
    "encode",
    "encode_output",
    "is_own_output",
    "is_picture_file",
    "list_images",
    "look_through",
    "read_field",
    "read_image",
    "read_jpeg",
    "read_picture",
    "walk_pictures",
    "write_atomic",
    "write_image",
]
