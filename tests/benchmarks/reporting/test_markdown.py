import re
from pathlib import Path

import pytest

from benchmarks.reporting import markdown, output
from benchmarks.reporting.page import page, plots_of
from benchmarks.schema import BenchmarkError, Result, read_result
from tests.benchmarks.results import environment, make


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = make()
    output.write(result, tmp_path)
    assert read_result(tmp_path) == result
    assert read_result(tmp_path / "result.json") == result


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema_version": "x"}'])
def test_a_damaged_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(BenchmarkError, match=r"result\.json.*measure again"):
        read_result(tmp_path)


def test_a_missing_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="nothing"):
        read_result(tmp_path / "nothing")


def test_a_result_of_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    output.write(make(schema_version=99), tmp_path)
    with pytest.raises(BenchmarkError, match="upgrade smearscope"):
        read_result(tmp_path)


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head() -> None:
    text = markdown.markdown(make())
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({line.count(" | ") for line in table.splitlines()}) == 1, table


def test_a_disturbed_run_says_so_first() -> None:
    text = markdown.markdown(make(environment=environment(warnings=("loaded: by others",))))
    assert text.index("loaded: by others") < text.index("##")


def test_the_report_says_what_was_not_measured_and_why() -> None:
    text = markdown.markdown(make(faults=("peak: no schema",)))
    assert "peak: no schema" in text
    assert "OpenCV cannot read it" in text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(make())
    assert text.count("<svg") == len(plots_of(make())) == 4
    assert not re.search(r'(?:src|href)="(?!#|data:)', re.sub(r"xlink:href=\"#", "", text))
    assert "<script" not in text


def test_a_result_without_figures_still_makes_a_page() -> None:
    bare = Result(created="2026-01-01", mode="quick", environment=environment())
    assert "<h1>" in page(bare)


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """A README and its page of the documentation, each with something old between its markers."""
    page = tmp_path / output.SPEED_PAGE
    page.parent.mkdir(parents=True)
    for path in (page, tmp_path / "README.md"):
        path.write_text(f"before\n{output.BEGIN}\nold\n{output.END}\nafter\n")
    return tmp_path / "README.md"


def test_the_readme_gets_a_short_table_between_the_markers_and_keeps_the_rest(readme: Path, tmp_path: Path) -> None:
    output.write_readme(make(), readme)
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "12.00 (11.00 to 13.00)" in text
    assert "peak MB" not in text
    assert (tmp_path / "docs" / "bench.svg").read_text().count("<svg") == 1


def test_the_long_tables_go_to_a_page_of_the_documentation(readme: Path, tmp_path: Path) -> None:
    output.write_readme(make(), readme)
    text = (tmp_path / output.SPEED_PAGE).read_text()
    assert "old" not in text
    assert "peak MB" in text
    assert "One training step of paper_cnn" in text


def test_without_the_page_of_the_documentation_nothing_is_written(readme: Path, tmp_path: Path) -> None:
    (tmp_path / output.SPEED_PAGE).unlink()
    with pytest.raises(BenchmarkError, match="speed"):
        output.write_readme(make(), readme)
    assert "old" in readme.read_text()


def test_the_documentation_tells_peers_training_start_and_peak() -> None:
    text = markdown.short(make())
    assert "| ai-edge-litert | int8 | 10.00 |" in text
    assert "One training step of paper_cnn, batch 16: Keras 900 ms" in text
    assert "to the help 0.20 s (p90 0.25; of processor time 0.10)" in text
    assert "of that, at int8: the segmenter 40%" in text
    assert "Accuracy of a + b: validation, n = 263" in text


def test_where_the_rest_of_the_peak_goes_is_told_by_operation() -> None:
    text = markdown.markdown(make())
    assert "| segmenter | CONV_2D | 9 | 4.000 | 80% | 100.0 | 1.111 | 50% |" in text
    assert "the whole invoke at int8" in text


def test_a_machine_keeps_one_result_and_a_disturbed_one_does_not_replace_it(tmp_path: Path) -> None:
    disturbed = make(environment=environment(warnings=("loaded: by others",)))
    assert output.keep(disturbed, tmp_path).name == "raspberry-pi-5-cortex-a76-4.json"
    path = output.keep(make(), tmp_path)
    with pytest.raises(BenchmarkError, match="undisturbed"):
        output.keep(disturbed, tmp_path)
    assert read_result(path) == make()


def test_a_run_that_measured_nothing_end_to_end_leaves_the_readme_as_it_is(readme: Path) -> None:
    with pytest.raises(BenchmarkError, match="end to end: out of memory"):
        output.write_readme(make(pairs=(), faults=("end to end: out of memory",)), readme)
    assert "old" in readme.read_text()


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing to fill")
    with pytest.raises(BenchmarkError, match="bench:begin"):
        output.write_readme(make(), readme)
