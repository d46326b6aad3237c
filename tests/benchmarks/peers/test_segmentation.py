import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.interleaved import ROOT, Effort
from benchmarks.peers.segmentation import measure_segmentation
from benchmarks.progress import ignore_progress
from benchmarks.schema import Segmentation
from benchmarks.suites.levels import Plan
from smear.bundle.folder import load_bundle
from smear.classes import LABELS
from smear.synthetic import render

ONE_FIELD = Effort(queries=1, seconds=1.0, burst=1, warm_s=0.0)
PEERS = ("scikit-image", "stardist", "cellpose")


def measured(bundle: Path, scratch: Path, peers: Path | None) -> dict[str, Segmentation]:
    frames = scratch / "frames.npy"
    np.save(frames, np.stack([render(label, seed).image for seed, label in enumerate(LABELS)]))
    runtimes = {"ai-edge-litert": Path(sys.executable)}
    plan = Plan(load_bundle(bundle), None, ("float32",), runtimes, (1,), frames, scratch=scratch)
    return {row.engine: row for row in measure_segmentation(plan, peers, ONE_FIELD, ignore_progress)}


def test_ours_is_measured_and_a_missing_peer_is_a_row_that_says_what_to_do(tiny_bundle: Path, tmp_path: Path) -> None:
    ours, *others = measured(tiny_bundle, tmp_path, tmp_path).values()
    assert (ours.engine, ours.fault, ours.cells is None) == ("smearscope", "", False)
    assert ours.latency
    assert tuple(row.engine for row in others) == PEERS
    assert all("make bench PEERS=1" in row.fault for row in others)


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_finds_cells_or_says_that_only_its_time_counts(peer: str, tiny_bundle: Path, tmp_path: Path) -> None:
    made = ROOT / f".venv-{peer}"
    if not (made / "bin" / "python").is_file():
        pytest.skip(f"{made.name} is not there (make bench PEERS=1)")
    (tmp_path / made.name).symlink_to(made)
    row = measured(tiny_bundle, tmp_path, tmp_path)[peer]
    assert not row.fault
    assert row.version
    if row.weights:
        assert (row.weights, row.cells) == ("random weights: time only", None)
    else:
        assert row.cells is not None
        assert 0.5 < row.cells / row.cells_drawn < 2
