from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from smear.classes import LABELS
from smear.errors import DatasetError
from smear.images import write_image
from train.cli import command
from train.data import dataset, fetch


def make(root: Path) -> Path:
    for label in LABELS:
        (root / "Original" / label).mkdir(parents=True)
        write_image(root / "Original" / label / "a.png", np.full((40, 40, 3), LABELS.index(label), np.uint8))
    return root


def test_a_given_folder_is_counted_against_the_full_set(tmp_path: Path) -> None:
    make(tmp_path)
    outcome = CliRunner().invoke(command, ["fetch", str(tmp_path)])
    assert outcome.exit_code == 0, outcome.output
    assert "found 4 of 3256 fields: not the full set" in outcome.output
    assert dataset.read(tmp_path, quiet=True).fingerprint in outcome.output


def test_unreadable_pictures_are_named_and_counted(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Original" / "Pre" / "bad.jpg").write_bytes(b"")
    outcome = CliRunner().invoke(command, ["fetch", str(tmp_path)])
    assert "bad.jpg" in outcome.output
    assert "skipped 1 pictures" in outcome.output


def test_an_archive_that_wraps_its_folder_is_found(tmp_path: Path) -> None:
    make(tmp_path / "wrapped")
    assert fetch.locate(tmp_path) == tmp_path / "wrapped"


def test_a_folder_without_the_classes_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(DatasetError, match=r"expected the folders"):
        fetch.locate(tmp_path)
    with pytest.raises(DatasetError, match=r"no such folder"):
        fetch.locate(tmp_path / "nowhere")


def test_the_full_set_is_known_by_its_counts(tmp_path: Path) -> None:
    records = tuple(
        dataset.Record(f"{label}/{n}.jpg", label, Path(), f"{label}{n}")
        for label, count in dataset.FULL_SET.items()
        for n in range(count)
    )
    assert fetch.completeness(dataset.Dataset(tmp_path, records)) == "found 3256 of 3256 fields: the full set"
