"""A bundle that keeps the service from starting is given up for the previous one; nothing else is."""

from pathlib import Path

import pytest

from device import bundles
from device.session.start_guard import FAILED_STARTS, FILE, StartGuard
from smear.bundle.files import sha256_of
from smear.bundle.folder import write_manifest
from smear.bundle.manifest import read_manifest
from smear.errors import BundleError
from tests.tiny_bundle import make


def no_proof(bundle: object) -> None:
    """Prove nothing: the steps are what is tested."""


def refuse(bundle: object) -> None:
    raise BundleError("it does not run here")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with two installed bundles."""
    for name in ("first", "second"):
        source = make(tmp_path / name)
        write_manifest(source, read_manifest(source).model_copy(update={"name": name}))
        assert sha256_of(source / "manifest.json")
        bundles.install(source, tmp_path / "models", prove=no_proof)
    return tmp_path / "models"


def current(models: Path) -> str:
    found = bundles.target(models, bundles.CURRENT)
    assert found is not None
    return found.name.split("-")[0]


def crash(models: Path, boot: str = "boot", prove: bundles.Prove = no_proof) -> str | None:
    """Start, and end without a field."""
    return StartGuard(models, boot).begin(prove)


def test_after_three_failed_starts_the_previous_bundle_is_current_and_it_is_said(models: Path) -> None:
    assert [crash(models) for _ in range(FAILED_STARTS)] == [None] * FAILED_STARTS
    assert current(models) == "second"
    said = crash(models)
    assert said is not None
    assert "has kept the service from starting 3 times: went back to first" in said
    assert current(models) == "first"


def test_it_never_goes_back_to_a_bundle_that_was_given_up(models: Path) -> None:
    for _ in range(4 * FAILED_STARTS):
        crash(models)
    assert current(models) == "first"


def test_a_field_or_an_orderly_end_starts_the_count_anew(models: Path) -> None:
    for _ in range(3):
        for _ in range(FAILED_STARTS - 1):
            crash(models)
        guard = StartGuard(models, "boot")
        guard.begin(no_proof)
        seen: list[int] = []
        guard.until_first(seen.append)(1)
        assert seen == [1]
    assert current(models) == "second"


def test_power_cuts_are_no_failed_starts(models: Path) -> None:
    for boot in range(3 * FAILED_STARTS):
        crash(models, f"boot {boot}")
    assert current(models) == "second"


def test_a_previous_bundle_that_does_not_run_is_not_taken(models: Path) -> None:
    said = [crash(models, prove=refuse) for _ in range(FAILED_STARTS + 2)]
    assert "the previous one cannot be used: it does not run here" in str(said[FAILED_STARTS])
    assert said[-1] is None
    assert current(models) == "second"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"boot": "boot", "bundle": 1, "failed": 1e999, "left": 3}'])
def test_a_damaged_note_is_none(models: Path, content: bytes) -> None:
    (models / FILE).write_bytes(content)
    assert crash(models) is None


def test_nothing_is_noted_where_no_bundle_is_installed(tmp_path: Path) -> None:
    assert StartGuard(tmp_path, "boot").begin(no_proof) is None
    assert StartGuard(None, "boot").begin(no_proof) is None
    assert list(tmp_path.iterdir()) == []
