"""Reviewed fields are read with their slide, and what is missing is said."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from smear.errors import DatasetError
from smear.images import write_image
from train.data.reviewed_fields import read_reviewed


def put(folder: Path, label: str, *names: str) -> None:
    (folder / label).mkdir(parents=True, exist_ok=True)
    for name in names:
        write_image(folder / label / name, np.full((40, 40, 3), ord(label[1]) + 3 * ord(name[-5]) % 100, np.uint8))


def test_fields_of_one_slide_are_known_by_the_name_that_the_export_gives(tmp_path: Path) -> None:
    put(tmp_path / "Original", "Pre", "a1b2c3d4-000001-00000003.png", "a1b2c3d4-000001-00000004.png")
    put(tmp_path / "Original", "Pro", "a1b2c3d4-000002-00000005.png", "other.png")
    slides = [field.slide for field in read_reviewed(tmp_path, 2)]
    assert slides == ["a1b2c3d4-000001", "a1b2c3d4-000001", "a1b2c3d4-000002", "other"]


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "Pre", "a.png", "b.png")
    with pytest.raises(DatasetError, match="reviewed fields of Pre alone"):
        read_reviewed(tmp_path, 2)


def test_too_few_fields_of_a_class_are_counted(tmp_path: Path) -> None:
    put(tmp_path, "Pre", "a.png", "b.png")
    put(tmp_path, "Pro", "a.png")
    with pytest.raises(DatasetError, match="review 1 more of Pro"):
        read_reviewed(tmp_path, 2)


def test_a_folder_that_is_no_class_is_named_and_not_passed_over(tmp_path: Path) -> None:
    for label in ("Benign", "Early", "Pre-B"):
        put(tmp_path, label, "a.png", "b.png")
    with pytest.raises(DatasetError, match="Pre-B: no class has that name"):
        read_reviewed(tmp_path, 2)


def test_one_photograph_with_two_labels_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "Pre", "a.png", "b.png")
    shutil.copytree(tmp_path / "Pre", tmp_path / "Pro")
    with pytest.raises(DatasetError, match=r"a\.png: the same file lies in another class too"):
        read_reviewed(tmp_path, 2)
