"""Examine what a camera shows, the same pixels from a file, and the picture that the camera plays; print all as JSON.

usage: compare.py CAMERA PLAYED       PLAYED: folder of the pictures that the camera plays
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.cameras.registry import open_camera
from device.model_choice import open_processor
from device.settings import load_settings
from smear.findings import Finding, Frame

MOST_FRAMES = 60  # the camera goes through its pictures in turn; a busy machine skips some


def told(finding: Finding) -> dict[str, Any]:
    """Return what must be equal, and what may differ a little."""
    return {
        "label": finding.label,
        "refusals": [str(refusal.code) for refusal in finding.refusals],
        "probabilities": finding.probabilities,
        "cells": [cell.bbox for cell in finding.cells],
        "mask": hashlib.sha256(finding.mask.values.tobytes()).hexdigest(),
    }


def read(name: str) -> list[Frame]:
    """Return every frame of a finite camera."""
    camera = open_camera(name, pixel_size_um=0.25)
    return [camera.read(5.0) for _ in sorted(Path(name.removeprefix("files:")).iterdir())]


def main(name: str, played: str) -> None:
    processor = open_processor(load_settings(), Path(tempfile.mkdtemp()))
    sources = read(f"files:{played}")
    camera = open_camera(name, pixel_size_um=0.25)
    seen: dict[int, Frame] = {}
    for _ in range(MOST_FRAMES):
        frame = camera.read(5.0)
        distances = [np.abs(frame.image.astype(int) - source.image).mean() for source in sources]
        seen.setdefault(int(np.argmin(distances)), frame)
        if len(seen) == len(sources):
            break
    camera.close()
    results = []
    for number, frame in sorted(seen.items()):
        folder = Path(tempfile.mkdtemp())
        cv2.imwrite(str(folder / "field.png"), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        frames = {"camera": frame, "file": read(f"files:{folder}")[0], "played": sources[number]}
        results.append({kind: told(processor.examine(one)) for kind, one in frames.items()})
    sys.stdout.write(json.dumps(results))


main(*sys.argv[1:])
