"""Two workers on loopback, or two devices of one machine, end where one alone does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from smear.errors import TrainingError
from tests.train.two_workers import EPOCHS, learn, plain
from train.fitting.strategies import in_use, replicas

ROOT = Path(__file__).parents[3]


def start(strategy: str, out: Path, task: int = 0, addresses: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    out.mkdir()
    where = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": task}}
    environment = os.environ | ({"TF_CONFIG": json.dumps(where)} if addresses else {}) | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.train.two_workers", strategy, str(out)],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def weights_of(worker: subprocess.Popen[str], out: Path) -> tuple[list[np.ndarray], int]:
    """Return the weights it ended with, and how many of them are those of the model without chance."""
    said, _ = worker.communicate(timeout=400)  # s; a fraction of it on an idle machine
    assert worker.returncode == 0, said
    with np.load(out / "end.npz") as stored:
        assert list(stored["epochs"]) == list(range(EPOCHS))
        return [stored[name] for name in stored.files if name.startswith("arr_")], int(stored["plain"])


def free_addresses(count: int) -> tuple[str, ...]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in held)
    for one in held:
        one.close()
    return addresses


def test_two_workers_or_two_devices_end_where_one_alone_does(tmp_path: Path) -> None:
    addresses = free_addresses(2)
    outs = [tmp_path / "worker-0", tmp_path / "worker-1", tmp_path / "devices"]
    started = [start("auto", outs[0], 0, addresses), start("auto", outs[1], 1, addresses), start("mirrored", outs[2])]
    try:
        alone, epochs = learn(plain(), tmp_path / "alone")
        (first, count), (second, _), (devices, _) = [weights_of(*one) for one in zip(started, outs, strict=True)]
    finally:
        for worker in started:  # one that failed leaves the other waiting
            worker.kill()
    assert epochs == list(range(EPOCHS))
    for one, other in zip(first, second, strict=True):
        assert np.allclose(one, other, atol=1e-5)
    for one, other, mirrored in zip(alone, first[:count], devices[:count], strict=True):
        assert np.allclose(one, other, atol=1e-4)
        assert np.allclose(one, mirrored, atol=1e-4)
    for out in outs:
        assert len((out / "plain" / "epochs.csv").read_text().splitlines()) == EPOCHS + 1


def test_a_killed_run_goes_on_and_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    with replicas("mirrored"):
        unbroken, _ = learn(plain(), tmp_path / "unbroken")
        with pytest.raises(RuntimeError, match="killed"):
            learn(plain(), tmp_path / "broken", dies_in=2)
        resumed, epochs = learn(plain(), tmp_path / "broken", resume=True)
    assert epochs == [2]
    for one, other in zip(unbroken, resumed, strict=True):
        assert np.allclose(one, other, atol=1e-5)
    assert len((tmp_path / "broken" / "epochs.csv").read_text().splitlines()) == EPOCHS + 1


def test_one_machine_with_at_most_one_gpu_trains_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with replicas("none"):
        assert in_use() is None


def test_a_strategy_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(TrainingError, match="needs a TF_CONFIG that names two workers"), replicas("multiworker"):
        pass
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(TrainingError, match="TF_CONFIG cannot be read"), replicas("auto"):
        pass
    with pytest.raises(TrainingError, match="no strategy is called 'all'"), replicas("all"):
        pass
