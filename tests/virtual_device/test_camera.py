"""The real picamera2 on libcamera's virtual cameras, through the project's own camera class."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.virtual_device import container, debian, frames

PYTHON = "/opt/smearscope/current/bin/python"
TOLERANCE = (
    6  # of 255: JPEG at quality 95, 8-bit YUV and halved chroma together; a wrong matrix or range is off by 15 and more
)


def look(device: Path, camera: str, count: int) -> Any:
    """Return what `guest/probes/look.py` saw."""
    done = container.run_in(
        device, [PYTHON, "/mnt/look.py", camera, str(count)], binds={debian.GUEST / "probes": "/mnt"}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_frames_arrive_in_order_and_at_the_pace_of_the_camera(device: Path) -> None:
    seen = look(device, "picamera2:0", 20)
    assert [frame["shape"] for frame in seen["frames"]] == [[frames.SIZE[1], frames.SIZE[0], 3]] * 20
    assert [frame["sequence"] for frame in seen["frames"]] == list(range(20))
    taken_s = [frame["taken_s"] for frame in seen["frames"]]
    assert taken_s == sorted(set(taken_s))
    assert seen["seconds"] < 10  # the camera gives 30 a second; a busy test machine a third of that


def test_red_green_blue_and_grey_survive_the_way_from_the_camera(device: Path) -> None:
    bands = look(device, "picamera2:1", 3)["frames"][-1]["bands"]
    expected = np.array(list(frames.COLOURS.values()))
    assert np.abs(np.array(bands) - expected).max() <= TOLERANCE, f"{list(frames.COLOURS)}: {bands}"


def test_a_camera_that_is_not_there_is_told_with_what_to_check(device: Path) -> None:
    done = container.run_in(
        device, [PYTHON, "/mnt/look.py", "picamera2:7", "1"], binds={debian.GUEST / "probes": "/mnt"}
    )
    assert done.returncode != 0
    assert "camera picamera2:7: libcamera finds 2 cameras; check the ribbon cable" in done.stderr
