import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.interleaved import Effort, Measured, Spec, latency_of, measure, ratio_of
from benchmarks.schema import BenchmarkError

BRIEF = Effort(queries=6, seconds=5.0, burst=2, warm_s=0.0, repeats=1)


def spec(tiny_bundle: Path, key: str, python: Path = Path(sys.executable), **ask: object) -> Spec:
    asked = {
        "path": str(tiny_bundle / "classifier.float32.tflite"),
        "module": "ai_edge_litert.interpreter",
        "threads": 1,
    }
    return Spec(key, "tflite", asked | ask, python)


def test_variants_take_turns_and_each_gets_its_queries(tiny_bundle: Path) -> None:
    found = measure([spec(tiny_bundle, "a"), spec(tiny_bundle, "b")], BRIEF)
    for each in found.values():
        assert not each.fault
        assert [len(times) for times in each.rounds] == [2, 2, 2]
        assert set(each.opened) == {"init_ms", "first_ms", "rss_mb", "peak_mb"}
        assert each.opened["peak_mb"] > each.opened["rss_mb"]
        assert (each.times > 0).all()


def test_a_variant_that_cannot_be_opened_says_why_and_the_others_go_on(tiny_bundle: Path) -> None:
    found = measure([spec(tiny_bundle, "bad", path="/nowhere.tflite"), spec(tiny_bundle, "good")], BRIEF)
    assert "nowhere" in found["bad"].fault
    assert not found["good"].fault
    assert len(found["good"].times) == 6


def test_an_interpreter_that_is_not_there_is_named(tiny_bundle: Path) -> None:
    with pytest.raises(BenchmarkError, match="/no/python"):
        measure([spec(tiny_bundle, "a", Path("/no/python"))], BRIEF)


def test_a_worker_that_dies_is_a_fault_of_its_variant(tiny_bundle: Path) -> None:
    found = measure([spec(tiny_bundle, "a", Path("/bin/false"))], BRIEF)
    assert "ended with code 1" in found["a"].fault


def test_progress_grows_and_tells_how_long_the_rest_takes(tiny_bundle: Path) -> None:
    reported: list[tuple[str, float]] = []
    measure([spec(tiny_bundle, "a"), spec(tiny_bundle, "b")], BRIEF, lambda what, done: reported.append((what, done)))
    shares = [done for what, done in reported if not what.startswith(("opening", "warming"))]
    assert shares == sorted(shares)
    assert shares[-1] > 0.5
    assert "s left" in reported[-1][0]


def test_percentiles_and_throughput_are_of_all_queries() -> None:
    latency = latency_of(np.arange(1, 101, dtype=float))
    assert latency.n == 100
    assert latency.p50_ms == 50.5
    assert latency.p99_ms == pytest.approx(99.01)
    assert latency.max_ms == 100
    assert latency.per_s == pytest.approx(1000 / 50.5)


def test_a_ratio_is_of_paired_rounds_so_a_slow_spell_of_the_machine_cancels() -> None:
    spell = np.array([1, 1, 1, 9, 9, 1, 1, 5], float)
    base = Measured(rounds=[[10 * s] for s in spell])
    ours = Measured(rounds=[[30 * s] for s in spell])
    ratio = ratio_of(ours, base, "base")
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high, ratio.rounds) == (3.0, 3.0, 3.0, 8)


def test_rounds_after_the_other_has_finished_do_not_count() -> None:
    ratio = ratio_of(Measured(rounds=[[2.0]] * 4 + [[200.0]] * 20), Measured(rounds=[[1.0]] * 4), "base")
    assert ratio is not None
    assert ratio.value == 2.0
    assert ratio.rounds == 4


def test_too_few_rounds_give_no_ratio() -> None:
    assert ratio_of(Measured(rounds=[[1.0]] * 2), Measured(rounds=[[1.0]] * 9), "base") is None
