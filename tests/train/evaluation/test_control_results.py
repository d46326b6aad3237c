"""Results of the controls are stored and read back."""

import json
from pathlib import Path

import pytest

from smear.errors import TrainingError
from smear.findings import Refusal, RefusalCode
from smear.inference.evaluator import Answer
from train.evaluation import control_results
from train.evaluation.control_results import SCHEMA, EvaluatedBundle, FieldCounts, Outcome, OutOfDistribution
from train.evaluation.shares import Share

ADVICE = "out of focus (30% of the calibrated best): turn the fine focus"


@pytest.fixture
def outcome() -> Outcome:
    refused = Answer("Pre/1", "Pre", "g", None, None, (), (Refusal(RefusalCode.OUT_OF_FOCUS, ADVICE),), 0, None)
    bundle = EvaluatedBundle("tiny", "0" * 64, "1" * 64, "int8", "unet_light", "smearnet", "cells", 1.0, 0.5, None)
    share = Share("scale bar swapped: best class the same", 1.0, 0.9, 1.0, 4)
    other = OutOfDistribution("histology", 3, (0.9,), {"no_cells": 2, "other": 1})
    return Outcome(
        SCHEMA, bundle, FieldCounts("grouped", 0, 0, "f", {}, 4, 0), "smearscope", "2026-01-01T00:00:00+00:00", 1.0,
        "here", (refused,), (), (), (), (), (), (share,), (other,), (), (), (), (),
    )  # fmt: skip


def test_what_is_saved_is_read_back(outcome: Outcome, tmp_path: Path) -> None:
    control_results.save(outcome, tmp_path / "controls.json")
    assert control_results.load(tmp_path / "controls.json") == outcome


def test_another_schema_is_refused(outcome: Outcome, tmp_path: Path) -> None:
    control_results.save(outcome, tmp_path / "controls.json")
    content = json.loads((tmp_path / "controls.json").read_text())
    (tmp_path / "controls.json").write_text(json.dumps(content | {"schema": SCHEMA + 1}))
    with pytest.raises(TrainingError, match=f"schema {SCHEMA + 1}, not {SCHEMA}"):
        control_results.load(tmp_path / "controls.json")
