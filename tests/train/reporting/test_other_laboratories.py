"""The section of the model card on other laboratories: it leads, and a second run replaces it."""

import pytest

from train.data.laboratories import CONDITIONS
from train.fitting.detection.ablation import Ablation
from train.fitting.detection.leave_one_laboratory_out import Count, HeldOut, OwnFigures
from train.reporting.other_laboratories import Results, card_with_section

CARD = """# Model card: x

- Classifier.
- It refuses a field whose out-of-distribution score is above 0.0894.

## The trained models

| a |

## Known limits
"""


@pytest.fixture
def results() -> Results:
    rows = [HeldOut("pbc", c, Count(100, 9, 3), Count(100, 1, 0), Count(100, 0, 0)) for c in CONDITIONS]
    ablation = Ablation("both", 0.02, dict.fromkeys(CONDITIONS, Count(100, 1, 0)), 0.01)
    own = OwnFigures(100, 0.98, 97, 96, 0.015, 5, 3, 3, 0.9, 95, 94)
    return Results("int8", rows, rows, own, [ablation], ("pbc",), (1.0, 1.1), 0.26, "smearscope train ...")


def test_it_stands_before_all_other_sections(results: Results) -> None:
    card = card_with_section(CARD, results)
    headings = [line for line in card.splitlines() if line.startswith("## ")]
    assert headings == ["## Other laboratories", "## The trained models", "## Known limits"]
    assert "| pbc | right scale | 100 | 9 / 3 | 1 / 0 | 0 / 0 | 0.0370 | 0.0370 |" in card
    assert "0 of 100 called leukaemia (0.0370 at most)" in card


def test_the_former_threshold_is_no_longer_claimed(results: Results) -> None:
    card = card_with_section(CARD, results)
    assert "score is above" not in card
    assert "its out-of-distribution detector is described under 'Other laboratories'." in card


def test_a_second_run_replaces_the_section(results: Results) -> None:
    once = card_with_section(CARD, results)
    assert card_with_section(once, results) == once
