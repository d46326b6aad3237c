"""The memory that commands take for a picture of twelve megapixels, measured of a process of its own."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from smear.images import write_image
from smear.synthetic import render

LIMIT_MB = 400  # of a board with 1 GB; see MemoryHigh of the service for the largest frames
SHAPE = (3000, 4000)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    field = cv2.resize(render("Pre", 7).image, (500, 500), interpolation=cv2.INTER_CUBIC)
    write_image(folder / "field.jpg", np.tile(field, (SHAPE[0] // 500, SHAPE[1] // 500, 1)))
    write_image(folder / "glass.jpg", np.full((*SHAPE, 3), (205, 200, 190), np.uint8))
    ruling = np.full((*SHAPE, 3), 210, np.uint8)
    for column in range(3):
        ruling[:, column::100] = 60
    write_image(folder / "ruling.jpg", ruling)
    return folder


# The kernel counts what a process held before it became another program: the tests' own memory must not be in it.
MEASURE = (
    "import resource, subprocess, sys\n"
    "done = subprocess.run([sys.executable, '-m', 'device', *sys.argv[1:]], capture_output=True, text=True)\n"
    "assert done.returncode == 0, done.stdout + done.stderr\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def peak_mb(words: list[str]) -> float:
    """Run a command below a small process and return the most memory that was resident."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "field.jpg", "--overlays", "overlays", "--masks", "masks"],
        ["calibrate", "white", "--camera", "files:glass.jpg"],
        ["calibrate", "flat", "--camera", "files:glass.jpg"],
        ["calibrate", "scale", "--division-um", "10", "--camera", "files:ruling.jpg"],
        ["calibrate", "focus", "--camera", "files:field.jpg"],
        ["run", "--camera", "files:field.jpg?loop=1", "--fields", "2", "--display", "png:screen.png"],
        ["capture", "--camera", "files:field.jpg", "--out", "captures"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_picture_of_twelve_megapixels_takes_less_than_400_mb(
    pictures: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(pictures)
    assert peak_mb([*words, "--data", str(pictures / "data")]) < LIMIT_MB
