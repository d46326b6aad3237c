"""A bundle is trusted whole or refused with the name of the bad file."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smear.bundle.files import sha256_of
from smear.bundle.folder import load_bundle, write_manifest
from smear.bundle.levels import LEVELS
from smear.bundle.manifest import CHECKSUM, MANIFEST, SIGNATURE, read_manifest
from smear.errors import BundleError

DETECTOR = {"file": "d.npz", "limit": 2, "limit_few": 1, "few_cells": 2, "cell_limit": 4, "max_other_cells": 0.5}


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
        ({"features": 80, "shown": "crops"}, 'is shown "cells", not "crops"'),
        ({"detector": DETECTOR}, "a detector needs a classifier with features"),
        ({"stain": (0.4, 0.55), "shown": "crops"}, 'is shown "cells", not "crops"'),
    ],
)
def test_facts_of_a_classifier_that_contradict_each_other_are_refused(
    bundle: Path, change: dict[str, Any], words: str
) -> None:
    rewrite(bundle, {"classifier": json.loads((bundle / MANIFEST).read_bytes())["classifier"] | change})
    with pytest.raises(BundleError, match=words):
        load_bundle(bundle)


def test_a_bundle_of_the_first_schema_has_no_detector_and_loads(bundle: Path) -> None:
    classifier = json.loads((bundle / MANIFEST).read_bytes())["classifier"]
    newer = {"features", "few_cells_temperature", "detector"}
    older = {name: value for name, value in classifier.items() if name not in newer}
    rewrite(bundle, {"classifier": older, "schema_version": 1})
    found = load_bundle(bundle).manifest.classifier
    assert (found.features, found.detector, found.temperature_for(1)) == (0, None, found.temperature)


def test_the_temperature_is_that_of_as_many_cells(bundle: Path) -> None:
    facts = load_bundle(bundle).manifest.classifier.model_copy(update={"few_cells_temperature": (3.0, 2.0)})
    assert [facts.temperature_for(cells) for cells in (0, 1, 2, 3)] == [facts.temperature, 3.0, 2.0, facts.temperature]


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


def numbers(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return where in a manifest there is a number."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in numbers(inner, (*place, key))]
    if isinstance(value, list):
        return [found for key, inner in enumerate(value) for found in numbers(inner, (*place, key))]
    return [place] if isinstance(value, int | float) and not isinstance(value, bool) else []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -1e300])
def test_no_number_in_a_manifest_may_be_anything_but_finite_and_in_its_range(bundle: Path, value: float) -> None:
    raw = json.loads((bundle / MANIFEST).read_text())
    raw["classifier"] |= {"stain": [0.4, 0.5], "shown": "cells"}
    raw["classifier"]["figures"] = {
        "ece": {"value": 0.1, "split": "x", "n": 5, "low": 0.0, "high": 1.0, "background_only": 0.5}
    }
    places = numbers(raw)
    assert {"temperature", "abstain_below", "ood_above"} <= {str(place[-1]) for place in places}
    measured = {"value", "low", "high", "background_only"}  # may be negative
    for place in places:
        if value == -1e300 and place[-1] in measured:
            continue
        changed = json.loads(json.dumps(raw))
        parent = changed
        for key in place[:-1]:
            parent = parent[key]
        parent[place[-1]] = value
        rewrite(bundle, changed)
        with pytest.raises(BundleError, match=r"manifest\.json: ") as refused:
            load_bundle(bundle)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"temperature": 5e-324}, "classifier.temperature"),
        ({"temperature": 1e6}, "classifier.temperature"),
        ({"abstain_below": 1.01}, "classifier.abstain_below"),
        ({"ood_above": 2.0}, "classifier.ood_above"),
        ({"input_size": 10**9}, "classifier.input_size"),
        ({"stain": [20, 0.5]}, "classifier.stain"),
    ],
)
def test_a_threshold_that_would_let_everything_pass_is_refused(
    bundle: Path, change: dict[str, Any], where: str
) -> None:
    rewrite(bundle, {"classifier": json.loads((bundle / MANIFEST).read_bytes())["classifier"] | change})
    with pytest.raises(BundleError, match=where):
        load_bundle(bundle)


def test_a_file_altered_after_it_was_checked_is_not_handed_out(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    assert loaded.read_model("segmenter", "float32") == (bundle / "segmenter.float32.tflite").read_bytes()
    flip(bundle / "segmenter.float32.tflite", 100)
    with pytest.raises(BundleError, match=r"segmenter\.float32\.tflite does not match its checksum"):
        loaded.read_model("segmenter", "float32")
    flip(bundle / "golden.npz", 100)
    with pytest.raises(BundleError, match=r"golden\.npz does not match its checksum"):
        loaded.read("golden.npz")


@pytest.mark.parametrize("name", [MANIFEST, CHECKSUM, "segmenter.float32.tflite", "golden.npz"])
def test_a_bundle_with_a_link_or_a_pipe_in_place_of_a_file_is_refused_at_once(bundle: Path, name: str) -> None:
    (bundle / name).rename(bundle.parent / name)
    (bundle / name).symlink_to(bundle.parent / name)
    with pytest.raises(BundleError, match=f"{name} is a symbolic link"):
        load_bundle(bundle)
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    with pytest.raises(BundleError, match=f"{name} is no regular file"):
        load_bundle(bundle)


def test_a_manifest_larger_than_any_is_not_read_into_memory(bundle: Path) -> None:
    os.truncate(bundle / MANIFEST, 10**9)  # sparse
    with pytest.raises(BundleError, match=r"manifest\.json has more than 2000000 bytes"):
        load_bundle(bundle)
