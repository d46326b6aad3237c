from pathlib import Path

import pytest

from benchmarks.reporting import files
from benchmarks.schema import BenchmarkError, read_result
from tests.benchmarks.results import environment, make


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = make()
    files.write(result, tmp_path)
    assert read_result(tmp_path) == result
    assert read_result(tmp_path / "result.json") == result


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """A README and its page of the documentation, each with something old between its markers."""
    page = tmp_path / files.SPEED_PAGE
    page.parent.mkdir(parents=True)
    for path in (page, tmp_path / "README.md"):
        path.write_text(f"before\n{files.BEGIN}\nold\n{files.END}\nafter\n")
    return tmp_path / "README.md"


def test_the_readme_gets_a_short_table_between_the_markers_and_keeps_the_rest(readme: Path, tmp_path: Path) -> None:
    files.write_readme(make(), readme)
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "12.00 (11.00 to 13.00)" in text
    assert "peak MB" not in text
    assert (tmp_path / "docs" / "bench.svg").read_text().count("<svg") == 1


def test_the_long_tables_go_to_a_page_of_the_documentation(readme: Path, tmp_path: Path) -> None:
    files.write_readme(make(), readme)
    text = (tmp_path / files.SPEED_PAGE).read_text()
    assert "old" not in text
    assert "peak MB" in text
    assert "One training step of paper_cnn" in text


def test_without_the_page_of_the_documentation_nothing_is_written(readme: Path, tmp_path: Path) -> None:
    (tmp_path / files.SPEED_PAGE).unlink()
    with pytest.raises(BenchmarkError, match="speed"):
        files.write_readme(make(), readme)
    assert "old" in readme.read_text()


def test_a_machine_keeps_one_result_and_a_disturbed_one_does_not_replace_it(tmp_path: Path) -> None:
    disturbed = make(environment=environment(warnings=("loaded: by others",)))
    assert files.keep(disturbed, tmp_path).name == "raspberry-pi-5-cortex-a76-4.json"
    path = files.keep(make(), tmp_path)
    with pytest.raises(BenchmarkError, match="undisturbed"):
        files.keep(disturbed, tmp_path)
    assert read_result(path) == make()


def test_a_run_that_measured_nothing_end_to_end_leaves_the_readme_as_it_is(readme: Path) -> None:
    with pytest.raises(BenchmarkError, match="end to end: out of memory"):
        files.write_readme(make(pairs=(), faults=("end to end: out of memory",)), readme)
    assert "old" in readme.read_text()


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing to fill")
    with pytest.raises(BenchmarkError, match="bench:begin"):
        files.write_readme(make(), readme)
