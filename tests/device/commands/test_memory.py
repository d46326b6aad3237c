"""The memory that commands take for pictures of 12 and 48 megapixels, measured of a process of its own."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from smear.images import write_image
from smear.synthetic import render

LIMIT_MB = 400  # of a board with 1 GB
SHAPE = (3000, 4000)
LARGE_LIMIT_MB, LARGE_SHAPE = 700, (6000, 8000)  # see MemoryHigh of the service
LARGE_PIXEL_UM = 0.1


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("pictures"), SHAPE)


@pytest.fixture(scope="module")
def large_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("large"), LARGE_SHAPE)


def made(folder: Path, shape: tuple[int, int]) -> Path:
    field = cv2.resize(render("Pre", 7).image, (500, 500), interpolation=cv2.INTER_CUBIC)
    write_image(folder / "field.jpg", np.tile(field, (shape[0] // 500, shape[1] // 500, 1)))
    write_image(folder / "glass.jpg", np.full((*shape, 3), (205, 200, 190), np.uint8))
    ruling = np.full((*shape, 3), 210, np.uint8)
    for column in range(3):
        ruling[:, column::100] = 60
    write_image(folder / "ruling.jpg", ruling)
    (folder / "config.toml").write_text(f"[camera]\npixel_size_um = {LARGE_PIXEL_UM}\n")
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


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "field.jpg", "--overlays", "overlays", "--masks", "masks", "--pixel-size-um", str(LARGE_PIXEL_UM)],
        ["run", "--camera", "files:field.jpg?loop=1", "--fields", "2", "--display", "png:screen.png"],
        ["capture", "--camera", "files:field.jpg", "--out", "captures"],
    ],
    ids=lambda words: words[0],
)
def test_one_of_48_megapixels_takes_less_than_700_mb(
    large_pictures: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(large_pictures)
    assert peak_mb([*words, "--data", "data", "--config", "config.toml"]) < LARGE_LIMIT_MB
