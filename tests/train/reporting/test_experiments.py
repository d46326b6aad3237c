"""Tables of runs are read, and every run of an approach counts."""

import json
from pathlib import Path

import numpy as np
import pytest

from smear.errors import TrainingError
from train.reporting.experiments import read_rows, spreads
from train.reporting.training_cost import stages

ROWS = [
    {"approach": "crops", "split": "session", "fold": fold, "seed": 0, "epochs": 16, "n": 800 + fold,
     "accuracy": value, "macro_f1": value - 0.02} for fold, value in enumerate((0.9, 0.8, 0.7))
]  # fmt: skip


def test_an_approach_is_described_by_mean_and_spread_of_all_its_runs(tmp_path: Path) -> None:
    (tmp_path / "runs.json").write_text(json.dumps({"rows": ROWS}))
    (found,) = spreads(read_rows(tmp_path / "runs.json"))
    assert (found.approach, found.split, found.runs, found.epochs, found.n) == (
        "crops",
        "session",
        3,
        "16",
        "800 to 802",
    )
    assert found.accuracy == pytest.approx((0.8, 0.1, 0.7, 0.9))
    assert found.macro_f1[0] == pytest.approx(0.78)


def test_json_csv_and_a_folder_of_both_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS[:1]))
    head = list(ROWS[0])
    (tmp_path / "b.csv").write_text("\n".join([",".join(head), ",".join(str(ROWS[1][name]) for name in head)]))
    (found,) = spreads(read_rows(tmp_path))
    assert found.runs == 2


def test_a_table_that_lacks_a_column_says_which(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="macro_f1"):
        spreads([{"approach": "a", "split": "paper", "accuracy": 1}])
    (tmp_path / "a.json").write_text("3")
    with pytest.raises(TrainingError, match="no table of runs"):
        read_rows(tmp_path / "a.json")


def test_the_curves_of_every_stage_of_a_run_are_found(tmp_path: Path) -> None:
    for name, text in (("rough", "epoch,loss,val_loss\n0,2.0,NA\n1,1.0,NA\n"), ("classifier", "epoch,loss\n0,3.0\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "epochs.csv").write_text(text)
    classifier, rough = stages(tmp_path)
    assert (classifier.name, classifier.epochs, classifier.minutes) == ("classifier", 1, None)
    assert list(rough.curves) == ["loss"]
    assert np.array_equal(rough.curves["loss"], [2.0, 1.0])
