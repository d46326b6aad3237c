"""What was picked for this machine takes the place of "auto", and of nothing else."""

from pathlib import Path

import pytest

from device.model_choice import ModelChoice, use_of
from device.model_pick import PICK, Pick, machine, read_pick, resolved, write_pick
from device.settings import parse_settings

FASTEST = Pick(bundle_sha256="ab" * 32, machine=machine(), level="float16", threads=4, figures=())


@pytest.mark.parametrize(
    ("level", "threads", "picked", "used"),
    [
        ("auto", "auto", FASTEST, ("float16", 4)),
        ("auto", 2, FASTEST, ("float16", 2)),
        ("int8", "auto", FASTEST, ("int8", 1)),
        ("float16", "auto", FASTEST, ("float16", 4)),
        ("float32", 3, FASTEST, ("float32", 3)),
        ("auto", "auto", None, ("int8", 1)),
    ],
)
def test_auto_is_what_was_measured_together(
    level: str, threads: int | str, picked: Pick | None, used: tuple[str, int]
) -> None:
    assert resolved(level, threads, picked) == used


@pytest.mark.parametrize(
    "other", [{"bundle_sha256": "cd" * 32}, {"machine": "another"}], ids=["another bundle", "another machine"]
)
def test_a_pick_holds_for_its_bundle_and_machine(tmp_path: Path, other: dict[str, str]) -> None:
    write_pick(tmp_path, FASTEST)
    assert read_pick(tmp_path, FASTEST.bundle_sha256) == FASTEST
    write_pick(tmp_path, FASTEST.model_copy(update=other))
    assert read_pick(tmp_path, FASTEST.bundle_sha256) is None


@pytest.mark.parametrize("content", ["{", FASTEST.model_dump_json().replace('"threads":4', '"threads":0')])
def test_a_damaged_pick_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / PICK).write_text(content, encoding="ascii")
    assert read_pick(tmp_path, FASTEST.bundle_sha256) is None


def test_a_device_set_to_auto_runs_its_pick_unless_told_otherwise(tmp_path: Path) -> None:
    settings = parse_settings('[model]\nlevel = "auto"\nthreads = "auto"\n')
    assert not isinstance(settings, list)
    write_pick(tmp_path, FASTEST)
    use = use_of(settings, tmp_path, FASTEST.bundle_sha256)
    assert (use.level, use.threads) == ("float16", 4)
    asked = use_of(settings, tmp_path, FASTEST.bundle_sha256, ModelChoice(level="int8", threads=2))
    assert (asked.level, asked.threads) == ("int8", 2)
