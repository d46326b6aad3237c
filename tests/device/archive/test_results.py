"""The file of results: one row a picture in every format, and what is done is not done again."""

import contextlib
import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from device.archive.result_file import COLUMNS
from device.cli import INTERRUPTED, cli
from smear.images import write_image

Analyze = Callable[..., Result]
Archive = Callable[[int], Path]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def common(tiny_bundle: Path, tmp_path: Path) -> list[str]:
    return ["analyze", "--bundle", str(tiny_bundle), "--level", "float32", "--data", str(tmp_path / "store")]


@pytest.fixture
def analyze(common: list[str]) -> Analyze:
    return lambda *arguments: CliRunner().invoke(cli, [*common, *map(str, arguments)])


def rows_of(out: Path) -> list[dict]:
    if out.suffix == ".csv":
        return [row | {"cells": json.loads(row["cells"])} for row in csv.DictReader(out.open(newline=""))]
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text().splitlines()]
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    rows: list[dict] = parquet.read_table(out).to_pylist()
    return rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_has_the_same_columns_and_a_row_for_each_picture(
    analyze: Analyze, archive: Archive, tmp_path: Path, suffix: str
) -> None:
    folder, out = archive(5), tmp_path / f"results{suffix}"
    (folder / "003.png").write_bytes(b"no picture")
    result = analyze(folder, "--out", out)
    assert result.exit_code == 1
    assert result.stdout == ""
    rows = rows_of(out)
    assert [list(row) for row in rows] == [list(COLUMNS)] * 5
    assert [Path(row["image"]).name for row in rows] == [f"{n:03}.png" for n in range(5)]
    assert [bool(row["error"]) for row in rows] == [False, False, False, True, False]
    assert all(len(row["sha256"]) == 64 for row in rows if not row["error"])
    assert [len(row["cells"]) for row in rows] == [int(row["cell_count"]) for row in rows]


def test_a_run_that_goes_on_examines_new_content_alone_and_keeps_one_row_a_picture(
    analyze: Analyze, archive: Archive, tmp_path: Path, drawn: list
) -> None:
    folder, out = archive(6), tmp_path / "results.jsonl"
    assert analyze(folder, "--out", out).exit_code == 0
    before = {row["sha256"]: row for row in rows_of(out)}
    (folder / "000.png").rename(folder / "moved.png")
    (folder / "001.png").unlink()
    write_image(folder / "002.png", drawn[20])
    write_image(folder / "new.png", drawn[21])
    result = analyze(folder, "--out", out, "--resume")
    assert result.stderr == "smearscope: 4 pictures of 6: examined by an earlier run\n"
    rows = rows_of(out)
    assert [Path(row["image"]).name for row in rows] == [
        "002.png", "003.png", "004.png", "005.png", "moved.png", "new.png"
    ]  # fmt: skip
    assert all(row | {"image": ""} == before[row["sha256"]] | {"image": ""} for row in rows if row["sha256"] in before)


def test_a_picture_of_known_content_and_another_name_gets_its_mask(
    analyze: Analyze, archive: Archive, tmp_path: Path
) -> None:
    folder, out, masks = archive(2), tmp_path / "results.jsonl", tmp_path / "masks"
    assert analyze(folder, "--out", out, "--masks", masks).exit_code == 0
    (folder / "copy.png").write_bytes((folder / "000.png").read_bytes())
    assert "2 pictures of 3" in analyze(folder, "--out", out, "--masks", masks, "--resume").stderr
    assert {path.stem for path in masks.iterdir()} == {"000", "001", "copy"}


def test_other_settings_and_pictures_that_failed_are_examined_again(
    analyze: Analyze, archive: Archive, tmp_path: Path
) -> None:
    folder, out = archive(3), tmp_path / "results.csv"
    good = (folder / "001.png").read_bytes()
    (folder / "001.png").write_bytes(good[:200])
    assert analyze(folder, "--out", out).exit_code == 1
    (folder / "001.png").write_bytes(good)
    again = analyze(folder, "--out", out, "--resume")
    assert "2 pictures of 3: examined by an earlier run" in again.stderr
    assert "earlier run" not in analyze(folder, "--out", out, "--resume", "--pixel-size-um", "0.4").stderr
    assert [row["error"] for row in rows_of(out)] == ["", "", ""]


@pytest.mark.parametrize("made", ["file", "link", "results without a manifest"])
def test_no_file_is_replaced_but_results_of_an_earlier_run(
    analyze: Analyze, archive: Archive, tmp_path: Path, made: str
) -> None:
    folder, out, other = archive(1), tmp_path / "results.csv", tmp_path / "other"
    other.write_text("mine")
    if made == "link":
        out.symlink_to(other)
    else:
        out.write_text("mine")
    result = analyze(folder, "--out", out, *(["--resume"] if made.startswith("results") else []))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "choose another name" in result.stderr
    assert out.read_text() == other.read_text() == "mine"
    assert list(tmp_path.glob("*.manifest")) == []


def test_a_call_without_sense_is_a_usage_error(analyze: Analyze, archive: Archive, tmp_path: Path) -> None:
    folder = archive(1)
    for wrong in (["--resume"], ["--out", tmp_path / "a.xlsx"], ["--out", tmp_path / "a.csv", "--json"]):
        assert analyze(folder, *wrong).exit_code == 2
    assert analyze(folder, "--workers", "many").exit_code == 2


def test_names_that_print_alike_have_a_row_each(analyze: Analyze, archive: Archive, tmp_path: Path) -> None:
    folder, out = archive(2), tmp_path / "results.jsonl"
    (folder / "000.png").rename(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    (folder / "001.png").rename(folder / "\\xff.png")
    assert analyze(folder, "--out", out).exit_code == 0
    assert [row["image"] for row in rows_of(out)] == [f"{folder}/\\xff.png"] * 2


def test_a_run_that_is_ended_before_its_first_picture_leaves_nothing_in_the_way(
    analyze: Analyze, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = archive(1), tmp_path / "results.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr("device.commands.analyze.in_order", lambda *_: signal.raise_signal(signal.SIGINT))
        assert analyze(folder, "--out", out).exit_code == INTERRUPTED
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    (tmp_path / "results.jsonl.manifest").touch()  # all that a full disk leaves of it
    assert analyze(folder, "--out", out, "--resume").exit_code == 0
    assert len(rows_of(out)) == 1


@pytest.mark.parametrize(("fault", "advice"), [("busy", "another run writes it; wait"), ("damaged", "it is damaged")])
def test_a_manifest_that_cannot_be_gone_on_with_says_what_to_do(
    analyze: Analyze, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, advice: str
) -> None:
    folder, out, manifest = archive(1), tmp_path / "results.jsonl", tmp_path / "results.jsonl.manifest"
    assert analyze(folder, "--out", out).exit_code == 0
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *values, **options: connect(*values, **options, timeout=0))
    with contextlib.closing(connect(manifest, isolation_level=None)) as other:
        if fault == "busy":
            other.execute("BEGIN EXCLUSIVE")
        else:
            manifest.write_bytes(manifest.read_bytes()[:5000])
        before = out.read_bytes()
        result = analyze(folder, "--out", out, "--resume")
    assert result.exit_code == 1
    assert advice in result.stderr
    assert out.read_bytes() == before


def opened_by(process: subprocess.Popen[bytes], pipe: Path) -> int:
    """Wait until `process` has come to `pipe`, and return a descriptor that keeps it waiting there."""
    while process.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    raise AssertionError(f"the run ended by itself: {process.returncode}")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_ended_goes_on_where_it_was(
    common: list[str], analyze: Analyze, archive: Archive, tmp_path: Path, end: signal.Signals
) -> None:
    folder, out = archive(60), tmp_path / "results.jsonl"
    gate = folder / "050.png"
    gate.unlink()
    os.mkfifo(gate)  # reading it waits, so that the run cannot end by itself
    pictures = sorted(folder.iterdir())  # named one by one, as a folder's pipes are passed over
    command = [sys.executable, "-m", "device", *common, *map(str, pictures), "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        writer = opened_by(process, gate)
        os.killpg(process.pid, end)
        assert process.wait(60) == (-end if end == signal.SIGKILL else INTERRUPTED)
    os.close(writer)
    assert out.exists() == (end != signal.SIGKILL)
    if out.exists():
        assert len(rows_of(out)) == 50
    gate.unlink()
    result = analyze(folder, "--out", out, "--resume")
    assert result.exit_code == 0, result.stderr
    assert "of 59: examined by an earlier run" in result.stderr
    assert len({row["image"] for row in rows_of(out)}) == len(rows_of(out)) == 59
