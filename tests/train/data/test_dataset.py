from pathlib import Path

import numpy as np
import pytest

from smear.classes import LABELS
from smear.errors import DatasetError
from smear.images import write_image
from train.data import dataset


def make(folder: Path, per_class: int = 2) -> Path:
    rng = np.random.default_rng(0)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            picture = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
            write_image(folder / label / f"{label}-{number}.png", picture)
    return folder


def test_both_layouts_are_read_with_the_same_fingerprint(tmp_path: Path) -> None:
    plain = dataset.read(make(tmp_path / "plain"), quiet=True)
    nested = dataset.read(make(tmp_path / "nested" / "Original").parent, quiet=True)
    assert plain.counts() == dict.fromkeys(LABELS, 2)
    assert [r.file for r in plain.records] == [r.file for r in nested.records]
    assert plain.fingerprint == nested.fingerprint


def test_another_picture_gives_another_fingerprint(tmp_path: Path) -> None:
    before = dataset.read(make(tmp_path), quiet=True).fingerprint
    write_image(tmp_path / "Pro" / "more.png", np.zeros((40, 40, 3), np.uint8))
    assert dataset.read(tmp_path, quiet=True).fingerprint != before


def test_a_wrong_layout_is_told_in_one_sentence_with_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(DatasetError, match=r"expected the folders Benign, Early, Pre, Pro .* found cats; add"):
        dataset.read(tmp_path, quiet=True)


def test_a_missing_folder_says_how_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train fetch"):
        dataset.read(tmp_path / "nowhere", quiet=True)


def test_a_corrupt_picture_is_named_and_skipped(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Pre" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    found = dataset.read(tmp_path, quiet=True)
    assert len(found.records) == 8
    assert len(found.skipped) == 1
    assert "Pre/broken.jpg" in found.skipped[0]


def test_a_class_without_a_readable_picture_is_an_error(tmp_path: Path) -> None:
    make(tmp_path)
    for path in (tmp_path / "Early").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="no readable picture in Early"):
        dataset.read(tmp_path, quiet=True)


def test_the_masked_fields_are_known_by_name(data_dir: Path) -> None:
    masked = dataset.masked_files(data_dir / "taleqani_masks")
    assert len(masked) == 32
    assert {file.split("/")[0] for file in masked} == set(LABELS)
