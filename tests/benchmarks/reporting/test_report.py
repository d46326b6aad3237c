import re

from benchmarks.reporting.report import details, report, summary
from smear import RESEARCH_USE_ONLY
from tests.benchmarks.results import environment, make
from train.reporting.page import Heading, Table, Text, blocks_to_markdown


def markdown(**changed: object) -> str:
    return blocks_to_markdown(report(make(**changed)))  # type: ignore[arg-type]


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head() -> None:
    tables = [block for block in report(make()) if isinstance(block, Table)]
    assert len(tables) >= 8
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.head)}, table.head


def test_a_report_states_its_purpose_and_a_disturbance_before_any_figure() -> None:
    text = markdown(environment=environment(warnings=("loaded: by others",)))
    assert text.index("**These figures are doubtful: loaded: by others.**") < text.index("##")
    assert text.index(RESEARCH_USE_ONLY) < text.index("##")


def test_the_report_says_what_was_not_measured_and_why() -> None:
    text = markdown(faults=("peak: no schema",))
    assert "Not measured: peak: no schema." in text
    assert "OpenCV cannot read it" in text


def test_a_part_that_was_not_measured_has_no_section() -> None:
    blocks = report(make(training=(), segmentation=(), live=(), growth=(), peak=None))
    titles = {block.text for block in blocks if isinstance(block, Heading)}
    assert titles.isdisjoint(
        {"One training step", "Segmentation", "From capture to screen", "Growth", "Peak of the machine"}
    )


def test_operations_are_listed_with_their_share_of_the_peak() -> None:
    text = markdown()
    assert "| segmenter | CONV_2D | 9 | 4.000 | 80% | 100.0 | 1.111 | 50% |" in text
    assert "the whole invoke at int8" in text


def test_the_summary_has_the_columns_that_need_no_explanation() -> None:
    (table,) = [block for block in summary(make()) if isinstance(block, Table)]
    assert "accuracy" in table.head
    assert "peak MB" not in table.head
    assert "12.00 (11.00 to 13.00)" in table.rows[1]


def test_the_details_have_other_engines_the_training_step_the_start_and_the_peak() -> None:
    text = blocks_to_markdown(details(make()))
    assert "| ai-edge-litert | int8 | 10.00 |" in text
    assert "One training step of paper_cnn, batch 16: Keras 900 ms" in text
    assert "| - | random weights: time only |" in text
    assert "| 44 of 44 | - |" in text
    assert "| stardist | - | - | stardist is not installed |" in text
    assert "to the help 0.20 s (p90 0.25; of processor time 0.10)" in text
    assert "of that, at int8: the segmenter 40%" in text
    assert "Accuracy of a + b: validation, n = 263" in text


def test_text_is_plain_and_only_warnings_are_emphasised() -> None:
    paragraphs = [block for block in report(make()) if isinstance(block, Text)]
    assert [block.text for block in paragraphs if block.strong] == [RESEARCH_USE_ONLY]
    assert not any(re.search(r"[*<>]", block.text) for block in paragraphs)
