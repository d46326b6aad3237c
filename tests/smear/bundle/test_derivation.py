"""A bundle made from another one: what was changed is checksummed anew, and a half-written one replaces nothing."""

from pathlib import Path

import pytest

from smear.bundle.derivation import derive
from smear.bundle.folder import load_bundle
from smear.bundle.manifest import SIGNATURE
from smear.errors import BundleError
from tests import tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny_bundle.make(tmp_path / "bundle")


def test_a_changed_file_gets_its_checksum_and_the_others_are_copied(bundle: Path, tmp_path: Path) -> None:
    opened = load_bundle(bundle)
    made = derive(opened, tmp_path / "out", {"NOTES.md": b"new"}, opened.manifest)
    assert (tmp_path / "out" / "NOTES.md").read_bytes() == b"new"
    assert set(made.manifest.files) == {"golden.npz", "NOTES.md"}
    assert made.model("classifier", "float32").read_bytes() == opened.model("classifier", "float32").read_bytes()


def test_a_changed_model_gets_its_size_and_checksum(bundle: Path, tmp_path: Path) -> None:
    opened = load_bundle(bundle)
    entry = opened.manifest.classifier.levels["float32"]
    made = derive(opened, tmp_path / "out", {entry.file: b"TFL3 other"}, opened.manifest)
    assert made.manifest.classifier.levels["float32"].bytes == 10
    assert made.manifest.classifier.levels["float32"].sha256 != entry.sha256


def test_a_bundle_may_be_replaced_by_its_own_child_and_loses_its_signature(bundle: Path) -> None:
    (bundle / SIGNATURE).write_bytes(b"signed")
    opened = load_bundle(bundle)
    derive(opened, bundle, {"NOTES.md": b"new"}, opened.manifest)
    assert "NOTES.md" in load_bundle(bundle).manifest.files
    assert not (bundle / SIGNATURE).exists()


def test_what_does_not_hold_replaces_nothing(bundle: Path, tmp_path: Path) -> None:
    opened = load_bundle(bundle)
    manifest = opened.manifest.model_copy(update={"files": {**opened.manifest.files, "golden.npz": "0" * 64}})
    with pytest.raises(BundleError, match=r"golden\.npz does not match"):
        derive(opened, bundle, {}, manifest)
    assert load_bundle(bundle).manifest == opened.manifest


def test_links_that_somebody_left_beside_a_bundle_lead_nothing_out_of_its_folder(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name in (".out.part", ".out.old", "out"):
        (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    opened = load_bundle(bundle)
    derive(opened, tmp_path / "out", {"NOTES.md": b"new"}, opened.manifest)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "out").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"bundle", "elsewhere", "out", ".out.part", ".out.old"}
