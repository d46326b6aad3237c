import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.cli import OUT_OF_BOUNDS, command
from benchmarks.reporting import files
from benchmarks.suites import store_queries
from device.cli import cli
from tests.benchmarks.results import make


def test_compare_ends_with_a_code_of_its_own_on_a_regression(tmp_path: Path) -> None:
    for name, ms in (("old", 20.0), ("new", 40.0)):
        files.make_folder(tmp_path / name)
        files.write(make(ms), tmp_path / name)
    paths = [str(tmp_path / "old"), str(tmp_path / "new")]
    worse = CliRunner().invoke(command, ["compare", *paths])
    assert worse.exit_code == OUT_OF_BOUNDS
    assert "WORSE" in worse.output
    better = CliRunner().invoke(command, ["compare", *reversed(paths)])
    assert better.exit_code == 0


def test_compare_shows_what_did_not_change_on_demand(tmp_path: Path) -> None:
    files.write(make(), tmp_path)
    same = [str(tmp_path), str(tmp_path)]
    assert "nothing changed" in CliRunner().invoke(command, ["compare", *same]).output
    assert "start to help s" in CliRunner().invoke(command, ["compare", "--all", *same]).output


def test_a_missing_result_is_one_line_through_the_real_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["bench", "compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 1
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "words", [["--levels", "int9"], ["--runtimes", "torch"], ["--threads", "0"], ["--threads", "x"]]
)
def test_a_wrong_choice_is_an_error_before_anything_is_measured(words: list[str]) -> None:
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert words[0] in done.output


def test_records_prints_and_writes_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_queries, "QUERIES", 5)
    monkeypatch.setattr(store_queries, "PROCESSES", 1)
    done = CliRunner().invoke(command, ["records", "--records", "1000", "--out", str(tmp_path / "figures.json")])
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {each["records"] for each in figures} == {1000}
    assert "list, newest" in done.output
    assert done.exit_code in {0, OUT_OF_BOUNDS}  # a busy machine may be over the limit
