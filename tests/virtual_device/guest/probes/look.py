"""Print as JSON what frames of a camera opened by the project's own class show. usage: look.py NAME FRAMES [FOLDER]"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from device.cameras.registry import open_camera


def main(name: str, frames: int, folder: str = "") -> None:
    camera = open_camera(name)
    begin_s = time.monotonic()
    seen = []
    for number in range(frames):
        frame = camera.read(5.0)
        bands = np.array_split(frame.image, 4, axis=1)
        # The inner part of each band: chroma is halved, so that colours run into each other at the edges.
        middle = [band[100:-100, 40:-40].reshape(-1, 3).mean(axis=0).round().astype(int).tolist() for band in bands]
        seen.append(
            {"sequence": frame.sequence, "taken_s": frame.monotonic_s, "shape": frame.image.shape, "bands": middle}
        )
        if folder:
            cv2.imwrite(str(Path(folder) / f"{number}.png"), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    seconds = time.monotonic() - begin_s
    camera.close()
    sys.stdout.write(json.dumps({"seconds": seconds, "frames": seen}))


main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
