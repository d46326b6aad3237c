from pathlib import Path

import pytest

from benchmarks.schema import BenchmarkError, read_result
from tests.benchmarks.results import make


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema_version": "x"}'])
def test_a_damaged_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(BenchmarkError, match=r"result\.json.*measure again"):
        read_result(tmp_path)


def test_a_missing_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="nothing"):
        read_result(tmp_path / "nothing")


def test_a_result_of_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(make(schema_version=99).model_dump_json())
    with pytest.raises(BenchmarkError, match="upgrade smearscope"):
        read_result(tmp_path)


def test_an_unknown_field_of_the_same_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(make().model_dump_json().replace('"mode"', '"pace"'))
    with pytest.raises(BenchmarkError, match="mode"):
        read_result(tmp_path)
