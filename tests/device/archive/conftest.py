"""A job of the tiny bundle, and folders of small pictures that all differ."""

from collections.abc import Callable
from pathlib import Path

import pytest

from device.archive.examiner import Job
from device.model_choice import ModelChoice
from device.settings import Settings
from smear.images import write_image
from smear.synthetic import render


@pytest.fixture
def job(tiny_bundle: Path) -> Job:
    return Job(Settings(), None, ModelChoice(tiny_bundle, "float32"), digests=True)


@pytest.fixture(scope="session")
def drawn() -> list:
    """Fields of 64 pixels, whose content differs."""
    whole = render("Pre", 7, (600, 600)).image
    return [whole[y : y + 64, x : x + 64] for y in range(0, 536, 60) for x in range(0, 536, 60)]


@pytest.fixture
def archive(tmp_path: Path, drawn: list) -> Callable[[int], Path]:
    """Make a folder of so many pictures."""

    def make(count: int) -> Path:
        folder = tmp_path / "archive"
        folder.mkdir()
        for number, image in enumerate(drawn[:count]):
            write_image(folder / f"{number:03}.png", image)
        return folder

    return make
