"""What lies below a folder: pictures in order, the rest counted, and nothing hidden."""

import os
from pathlib import Path

import numpy as np
import pytest

from smear.errors import ImageError
from smear.images import encode_output, list_images, look_through
from smear.images.folders import FOLDER_LINKS, NO_FILES, OWN_OUTPUT


def touched(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_pictures_are_listed_below_the_folder_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "c.png").mkdir()  # a folder may be called so
    touched(tmp_path, "b/2.JPG", "a.png", "notes.txt", "b/1.tiff")
    assert [str(p.relative_to(tmp_path)) for p in list_images(tmp_path)] == ["a.png", "b/1.tiff", "b/2.JPG"]


def test_what_systems_hide_is_no_picture_and_not_counted(tmp_path: Path) -> None:
    touched(tmp_path, "a.jpg", "._a.jpg", ".Trash-1000/files/b.jpg", "x/.ipynb_checkpoints/c.jpg", ".DS_Store")
    found = look_through(tmp_path)
    assert [path.name for path in found.pictures] == ["a.jpg"]
    assert found.passed_over == {}


def test_a_folder_whose_own_name_is_hidden_is_looked_through(tmp_path: Path) -> None:
    touched(tmp_path, ".scans/a.jpg")
    assert len(list_images(tmp_path / ".scans")) == 1


def test_what_is_passed_over_is_counted_by_kind(tmp_path: Path) -> None:
    touched(tmp_path, "a.heic", "b.HEIC", "README", "c.jpg")
    (tmp_path / "mask.png").write_bytes(encode_output(np.zeros((40, 40), np.uint8)))
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "round").symlink_to(tmp_path)
    kinds = {".heic": 2, "without a suffix": 1, OWN_OUTPUT: 1, NO_FILES: 1, FOLDER_LINKS: 1}
    assert look_through(tmp_path).passed_over == kinds


def test_a_link_to_a_picture_that_is_not_there_is_a_picture_whose_reading_fails(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "b.jpg").symlink_to("b.jpg")  # as one into a folder that may not be entered: no stat
    assert [path.name for path in list_images(tmp_path)] == ["a.jpg", "b.jpg"]


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    touched(tmp_path, "a.jpg", "sub/b.jpg")
    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, whom nothing is refused
    found = look_through(tmp_path)
    assert [path.name for path in found.pictures] == ["a.jpg"]
    (sentence,) = found.unreadable
    assert (
        sentence
        == f"{tmp_path}/sub: this folder cannot be opened (Permission denied); give yourself permission to read it"
    )
    with pytest.raises(ImageError, match="cannot be opened"):
        list_images(tmp_path)
