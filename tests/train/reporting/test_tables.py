"""Tables that stand beside the paper's: names are matched, and nothing is shown that was not measured."""

import pytest

from smear.classes import LABELS
from smear.inference.evaluator import Answer
from train.evaluation.control_results import SCHEMA, EvaluatedBundle, FieldCounts, Outcome
from train.evaluation.scores import evaluate
from train.evaluation.shares import Share
from train.evaluation.threshold_masks import MaskScore
from train.reporting import paper, tables
from train.reporting.experiments import Spread


@pytest.fixture
def outcome() -> Outcome:
    """One field of each class, all of them right."""
    sure = {label: tuple(0.97 if name == label else 0.01 for name in LABELS) for label in LABELS}
    clean = tuple(Answer(f"{x}/1", x, x, x, x, sure[x], (), 3, 0.1) for x in LABELS)
    share = Share("colour forest, background: accuracy", 0.98, 0.9, 1.0, 4)
    counts = {part: dict.fromkeys(LABELS, 1) for part in ("train", "validation", "test")}
    bundle = EvaluatedBundle("tiny", "0" * 64, "1" * 64, "int8", "unet_light", "smearnet", "crops", 1.0, 0.5, None)
    masks = tuple(MaskScore("Otsu", f"{x}/1.jpg", x, 0.9, 0.8, 0.95, 0.85) for x in LABELS[:3])
    fields = FieldCounts("grouped", 0, 0, "f", counts, 4, 0)
    return Outcome(
        SCHEMA, bundle, fields, "smearscope", "2026-01-01T00:00:00+00:00", 1.0, "here",
        clean, clean, (share,), (), (), (), (), (), (), (), (), masks,
    )  # fmt: skip


def test_a_network_of_ours_stands_beside_the_paper_s_figure(outcome: Outcome) -> None:
    networks = [
        {"network": "paper_cnn", "accuracy": 0.981, "macro_f1": 0.98, "split": "paper", "n": 521, "epochs": 14},
        {"network": "NASNetMobile", "accuracy": 0.7, "macro_f1": 0.69, "split": "paper", "n": 521, "minutes": 9},
        {"network": "DenseNet201", "accuracy": 0.8, "macro_f1": 0.79, "split": "paper", "n": 521},
    ]
    table = tables.table_4(outcome, evaluate(outcome.answers, 1.0), networks)
    rows = {row[0]: row for row in table.rows}
    assert rows["paper_cnn"][1:4] == ("0.98", "0.9810", "0.9800")
    assert rows["paper_cnn"][-1] == "14 epochs"
    assert rows["NASNetMobile"][1] == "0.81"
    assert rows["DenseNet201"][1] == "-"
    assert rows["ResNet50"][2] == "-"  # of the paper alone
    assert "custom CNN" not in rows
    assert {len(row) for row in table.rows} == {len(table.head)}


def test_a_name_of_ours_that_the_paper_lacks_has_no_figure_of_its() -> None:
    assert paper.network("vit") is None
    assert paper.network("mobilenet_v2") == "MobileNetV2"
    assert paper.network("paper_cnn, literal dropout") == "custom CNN"


def test_the_colour_forest_stands_right_below_the_accuracy(outcome: Outcome) -> None:
    table = tables.headline(outcome, evaluate(outcome.answers, 1.0))
    assert table.rows[0][0] == "accuracy"
    assert table.rows[-1][0] == "colour forest, background: accuracy"


def test_the_protocol_has_two_rows_where_it_was_run(outcome: Outcome) -> None:
    protocol = {"model": "unet", "epochs": 4, "hsv_dice": 0.8, "hsv_accuracy": 0.9, "hsv_n": 521, "drawn_dice": 0.7,
                "drawn_accuracy": 0.95, "drawn_n": 32}  # fmt: skip
    crossed = {"dice": {"value": 0.96, "low": 0.95, "high": 0.97, "n": 32}}
    without = tables.table_3(outcome, {}, {})
    table = tables.table_3(outcome, crossed, protocol)
    assert len(table.rows) == len(without.rows) + 3
    assert table.rows[2][1] == "0.7000"
    assert table.rows[-1][1] == "0.9600 (0.9500 to 0.9700)"


def test_a_class_without_a_mask_has_no_mean(outcome: Outcome) -> None:
    (row,) = tables.masks_by_class(outcome.masks).rows
    assert row == ("Otsu", "0.9000", "0.9000", "0.9000", "-")


def test_an_approach_is_shown_with_its_spread() -> None:
    one = Spread("crops", "session", 3, (0.8, 0.1, 0.7, 0.9), (0.82, 0.1, 0.7, 0.9), "16", "800", "")
    (row,) = tables.approaches([one]).rows
    assert row[3] == "0.8000 ± 0.1000 (0.7000 to 0.9000)"


def test_what_misses_its_mark_says_so() -> None:
    table = tables.shares("x", [Share("a", 0.9, 0.8, 1.0, 10, 0.95), Share("b", 0.0, 0.0, 1.0, 0)])
    assert table.rows[0][-2:] == (">= 0.95", "MISSED")
    assert table.rows[1][1] == "-"
