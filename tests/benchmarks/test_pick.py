"""A level is picked by what was measured on a quiet machine, never by its name."""

import re
from pathlib import Path

import pytest

from benchmarks import pick
from benchmarks.environment import read_board
from benchmarks.interleaved import Effort, Measured
from benchmarks.progress import ignore_progress
from benchmarks.schema import BenchmarkError
from device.settings import Settings

INT8, INT8_2, FLOAT = ("int8", 1), ("int8", 2), ("float32", 1)


def took(ms: float) -> Measured:
    return Measured(rounds=[[ms * part] * 4 for part in (0.99, 1.0, 1.01, 1.0, 1.02)])


@pytest.mark.parametrize(
    ("times", "fastest"),
    [((10, 7, 14), INT8_2), ((10, 9.9, 6), FLOAT), ((10, 10.1, 10), INT8)],
    ids=["two threads", "float32", "no sure difference"],
)
def test_the_surely_fastest_is_picked_and_else_the_first(times: tuple[float, ...], fastest: tuple[str, int]) -> None:
    pairs = [INT8, INT8_2, FLOAT]
    found = pick.choose("ab" * 32, pairs, {pair: took(ms) for pair, ms in zip(pairs, times, strict=True)})
    assert (found.level, found.threads) == fastest
    assert [figure.ms for figure in found.figures] == pytest.approx(times, rel=0.02)


def test_what_was_not_measured_picks_nothing() -> None:
    with pytest.raises(BenchmarkError, match="float32 with 1 threads was not measured"):
        pick.choose("ab" * 32, [INT8, FLOAT], {INT8: took(10), FLOAT: Measured(fault="it ended")})


@pytest.mark.parametrize(("busy", "load"), [(1.5, 0.0), (0.0, 3.0)])
def test_a_busy_machine_is_refused_before_anything_is_measured(
    busy: float, load: float, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = read_board().model_copy(update={"others_busy": busy, "load_1min": load})
    monkeypatch.setattr(pick, "read_board", lambda: board)
    with pytest.raises(BenchmarkError, match=r"nothing was picked: loaded"):
        pick.measure_pick(tiny_bundle, Settings(), ignore_progress)


def test_on_a_quiet_machine_every_proven_level_is_measured(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pick, "disturbances", lambda *_: ())
    monkeypatch.setattr(pick, "EFFORT", Effort(queries=4, seconds=1.0, burst=1, warm_s=0.0))
    found = pick.measure_pick(tiny_bundle, Settings(), ignore_progress)
    assert re.fullmatch(r"\d+ x .+", found.machine)
    assert {figure.threads for figure in found.figures} >= {1}
    assert found.level in {figure.level for figure in found.figures}
