"""A USB microscope that shows known pictures: plays JPEGs into a v4l2loopback device.

usage: microscope.py DEVICE FOLDER
"""

import fcntl
import struct
import sys
import time
from itertools import cycle
from pathlib import Path

SIZE = (640, 480)
PERIOD_S = 0.4  # more would only cost the emulated processor
VIDIOC_S_FMT = 0xC0D05605
OUTPUT, NO_FIELD, JPEG_COLOURS = 2, 1, 7  # V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_FIELD_NONE, V4L2_COLORSPACE_JPEG


def main(device: str, folder: str) -> None:
    pictures = [file.read_bytes() for file in sorted(Path(folder).glob("*.jpg"))]
    width, height = SIZE
    wanted = bytearray(208)  # struct v4l2_format
    struct.pack_into("I", wanted, 0, OUTPUT)
    (motion_jpeg,) = struct.unpack("I", b"MJPG")
    struct.pack_into("7I", wanted, 8, width, height, motion_jpeg, NO_FIELD, 0, 2 * width * height, JPEG_COLOURS)
    with Path(device).open("wb", buffering=0) as camera:
        fcntl.ioctl(camera, VIDIOC_S_FMT, wanted)
        for picture in cycle(pictures):
            camera.write(picture)
            time.sleep(PERIOD_S)


main(*sys.argv[1:])
