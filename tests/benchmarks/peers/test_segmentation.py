import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.interleaved import ROOT, Effort
from benchmarks.peers.segmentation import OTHERS, OURS, measure_segmentation
from benchmarks.progress import ignore_progress
from benchmarks.schema import Segmentation
from benchmarks.suites.levels import Plan
from smear.bundle.folder import load_bundle
from smear.classes import LABELS
from smear.synthetic import render

ONE_FIELD = Effort(queries=1, seconds=1.0, burst=1, warm_s=0.0)


def measured(bundle: Path, scratch: Path, peer: str, python: Path | None) -> tuple[Segmentation, Segmentation]:
    frames, runtimes = scratch / "frames.npy", {"ai-edge-litert": Path(sys.executable)}
    np.save(frames, np.stack([render(label, seed).image for seed, label in enumerate(LABELS)]))
    plan = Plan(load_bundle(bundle), None, ("float32",), runtimes, (1,), frames, scratch=scratch)
    pythons = {OURS: Path(sys.executable), peer: python}
    ours, other = measure_segmentation(plan, pythons, ONE_FIELD, ignore_progress)
    return ours, other


def test_ours_is_measured_and_a_missing_peer_is_a_row_that_says_what_to_do(tiny_bundle: Path, tmp_path: Path) -> None:
    ours, other = measured(tiny_bundle, tmp_path, "stardist", None)
    assert (ours.engine, ours.fault, ours.cells is None) == ("smearscope", "", False)
    assert ours.latency
    assert "stardist is not installed; make bench PEERS=1" in other.fault


@pytest.mark.parametrize("peer", OTHERS)
def test_a_peer_finds_cells_or_says_that_only_its_time_counts(peer: str, tiny_bundle: Path, tmp_path: Path) -> None:
    python = ROOT / f".venv-{peer}" / "bin" / "python"
    if not python.is_file():
        pytest.skip(f".venv-{peer} is not there (make bench PEERS=1)")
    _, row = measured(tiny_bundle, tmp_path, peer, python)
    assert not row.fault
    assert row.version
    if row.weights:
        assert (row.weights, row.cells) == ("random weights: time only", None)
    else:
        assert row.cells is not None
        assert 0.5 < row.cells / row.cells_drawn < 2
