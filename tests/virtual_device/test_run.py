"""A slide examined on the device: the default bundle on what the real picamera2 delivers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.virtual_device import container, debian, frames

FIELDS = 6
SMEARSCOPE = "/opt/smearscope/current/bin/smearscope"
PYTHON = "/opt/smearscope/current/bin/python"
PROBABILITY_STEP = 0.25
"""How far JPEG, halved chroma and rounding may move a probability: the pixels differ by up to 3 of 255 on edges, and a
field between two classes moved by 0.2, since the pair's logits lie far apart."""


@pytest.fixture(scope="module")
def compared(device: Path) -> Any:
    """What `guest/probes/compare.py` found, one entry a picture."""
    command = [PYTHON, "/mnt/compare.py", "picamera2:0", "/opt/frames/smear"]
    done = container.run_in(device, command, binds={debian.GUEST / "probes": "/mnt"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_picture_that_the_camera_plays_is_seen(compared: Any) -> None:
    assert len(compared) == len(frames.smears())


def test_a_frame_of_the_camera_and_the_same_pixels_in_a_file_give_the_same_result(compared: Any) -> None:
    for result in compared:
        assert result["camera"] == result["file"]


def test_the_camera_changes_no_finding_of_the_picture_it_plays(compared: Any) -> None:
    for result in compared:
        camera, played = result["camera"], result["played"]
        # the best class, not the label: a field at the edge of a limit may be refused one time and not the other
        assert _best(camera) == _best(played)
        assert abs(len(camera["cells"]) - len(played["cells"])) <= 1
        for name, probability in played["probabilities"].items():
            assert abs(camera["probabilities"][name] - probability) <= PROBABILITY_STEP


def _best(finding: Any) -> str:
    return max(finding["probabilities"], key=finding["probabilities"].__getitem__)


def test_a_slide_is_run_recorded_and_summed_up(device: Path) -> None:
    run = f"{SMEARSCOPE} run --camera picamera2:0 --display none --fields {FIELDS} --slide virtual --data /tmp/data"
    show = f"{SMEARSCOPE} slides --data /tmp/data show 1 --json"
    done = container.run_in(device, ["sh", "-euc", f"{run} >&2; {show}"])
    assert done.returncode == 0, done.stderr
    slide = json.loads(done.stdout)
    assert slide["name"] == "virtual"
    assert slide["fields"]
    for field in slide["fields"]:
        assert field["source"] == "picamera2:0"
        assert (field["width"], field["height"]) == frames.SIZE
        assert field["bundle_sha256"]
        assert field["boot_id"]
