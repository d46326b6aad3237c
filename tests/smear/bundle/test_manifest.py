"""A bundle is trusted whole or refused with the name of the bad file."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smear.bundle.levels import LEVELS
from smear.bundle.manifest import (
    CHECKSUM,
    MANIFEST,
    SIGNATURE,
    load_bundle,
    read_manifest,
    sha256_of,
    write_manifest,
)
from smear.errors import BundleError


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def flip(path: Path, at: int, by: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= by
    path.write_bytes(content)


def rewrite(bundle: Path, change: dict[str, Any]) -> None:
    """Change the manifest and make its checksum true again."""
    raw = json.loads((bundle / MANIFEST).read_text()) | change
    (bundle / MANIFEST).write_text(json.dumps(raw))
    (bundle / CHECKSUM).write_text(f"{sha256_of(bundle / MANIFEST)}  {MANIFEST}\n")


def test_a_whole_bundle_loads_with_its_own_checksum(tiny_bundle: Path) -> None:
    loaded = load_bundle(tiny_bundle)
    assert loaded.sha256 == sha256_of(tiny_bundle / MANIFEST)
    assert loaded.model("segmenter", "float32").is_file()
    assert loaded.model("classifier", "float32").is_file()


def test_a_level_it_lacks_is_named_with_those_it_has(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="no segmenter at level 'int8'; choose one of float32"):
        load_bundle(tiny_bundle).model("segmenter", "int8")


def test_a_level_left_out_says_why(bundle: Path) -> None:
    rewrite(bundle, {"left_out": {"int8": "accuracy too low"}})
    with pytest.raises(BundleError, match=r"'int8' \(accuracy too low\)"):
        load_bundle(bundle).model("classifier", "int8")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_flipped_bit_anywhere_is_found_and_its_file_named(bundle: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(bundle.iterdir())))
    at, by = data.draw(st.integers(0, file.stat().st_size - 1)), 1 << data.draw(st.integers(0, 7))
    flip(file, at, by)
    try:
        with pytest.raises(BundleError) as error:
            load_bundle(bundle)
        assert file.name in str(error.value)
        assert "\n" not in str(error.value)
    finally:
        flip(file, at, by)


@pytest.mark.parametrize("name", ["segmenter.float32.tflite", "classifier.float32.tflite", "golden.npz", CHECKSUM])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing; re-run 'smearscope convert'"):
        load_bundle(bundle)


def test_an_extra_file_does_not_belong_but_a_signature_may_lie_there(bundle: Path) -> None:
    (bundle / SIGNATURE).write_bytes(b"of somebody")
    load_bundle(bundle)
    (bundle / "more.tflite").write_bytes(b"")
    with pytest.raises(BundleError, match=r"more\.tflite does not belong to it"):
        load_bundle(bundle)


def test_every_fault_is_told_at_once(bundle: Path) -> None:
    flip(bundle / "golden.npz", 50)
    (bundle / "classifier.float32.tflite").unlink()
    with pytest.raises(BundleError, match=r"(?=.*golden\.npz does not match)(?=.*classifier\.float32\.tflite is miss)"):
        load_bundle(bundle)


def test_a_missing_folder_says_how_to_get_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no manifest\.json; give the folder of a bundle, or make one"):
        load_bundle(tmp_path / "nothing")


def test_a_file_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 99}, "schema 99 is newer than this smearscope reads"),
        ({"labels": ["Benign", "Pre", "Early", "Pro"]}, "in this order"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"segmenter": 3}, "segmenter: "),
    ],
)
def test_a_manifest_of_another_kind_is_refused(bundle: Path, change: dict[str, Any], words: str) -> None:
    rewrite(bundle, change)
    with pytest.raises(BundleError, match=words):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stain": (0.0, 0.5)}, "stain"),
        ({"stain": (-1, 0.5)}, "stain"),
        ({"stain": (0.4, 0.55), "shown": "crops"}, 'is shown "cells", not "crops"'),
    ],
)
def test_a_stain_that_no_cell_can_have_is_refused(bundle: Path, change: dict[str, Any], words: str) -> None:
    rewrite(bundle, {"classifier": json.loads((bundle / MANIFEST).read_bytes())["classifier"] | change})
    with pytest.raises(BundleError, match=words):
        load_bundle(bundle)


@pytest.mark.parametrize("content", ["", "[]", "null", '"text"', "{", "\udcff", "[" * 100_000])
def test_a_manifest_that_is_no_manifest_is_a_bundle_error(bundle: Path, content: str) -> None:
    (bundle / MANIFEST).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["../outside.tflite", "folder/inside.tflite", "/etc/passwd"])
def test_a_bundle_cannot_point_outside_itself(bundle: Path, name: str) -> None:
    (bundle.parent / "outside.tflite").write_bytes(b"")
    rewrite(bundle, {"files": {name: "0" * 64}})
    with pytest.raises(BundleError, match="is missing"):
        load_bundle(bundle)


def test_what_is_written_is_read_back(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    write_manifest(bundle, manifest)
    assert read_manifest(bundle) == manifest
    assert set(manifest.segmenter.levels) <= set(LEVELS)
    load_bundle(bundle)
