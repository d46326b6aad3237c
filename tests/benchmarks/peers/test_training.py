import sys
from pathlib import Path

import pytest

from benchmarks.interleaved import ROOT, Effort, Spec, measure
from benchmarks.peers.training import MODULE, measure_training

ONE_STEP = Effort(queries=1, seconds=1.0, burst=1, warm_s=0.0)
PARAMETERS = 2_967_008  # of the paper's network at 224 pixels
TORCH = ROOT / ".venv-torch" / "bin" / "python"


def step(engine: str, python: str) -> dict[str, object]:
    request = {"engine": engine, "batch": 2, "threads": 1, "module": MODULE, "root": str(ROOT)}
    measured = measure([Spec(engine, "engine", request, Path(python))], ONE_STEP)[engine]
    assert not measured.fault
    assert measured.queries >= 1
    return measured.opened


def test_an_engine_that_is_not_installed_is_a_row_that_says_how_to_install_it() -> None:
    rows = measure_training({"Keras": None, "PyTorch": None}, "quick", lambda what, done: None)
    assert [row.engine for row in rows] == ["Keras", "PyTorch"]
    assert "smearscope[train]" in rows[0].fault
    assert "make bench TORCH=1" in rows[1].fault


def test_keras_trains_the_papers_network() -> None:
    pytest.importorskip("keras", reason="Keras comes with smearscope[train]")
    assert step("Keras", sys.executable)["parameters"] == PARAMETERS


@pytest.mark.skipif(not TORCH.is_file(), reason=".venv-torch is not there (make bench TORCH=1)")
def test_pytorch_trains_a_network_of_the_same_size() -> None:
    assert step("PyTorch", str(TORCH))["parameters"] == PARAMETERS
