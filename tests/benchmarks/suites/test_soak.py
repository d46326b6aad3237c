"""What a soak concludes from its samples, and a short one of the real device."""

from pathlib import Path

from benchmarks.suites.soak import Sample, Soak, run_soak


def samples(rss: list[float], descriptors: int = 8) -> tuple[Sample, ...]:
    return tuple(Sample(1000 + 100 * i, 60.0 * i, mb, descriptors, 9) for i, mb in enumerate(rss))


def test_a_steady_run_has_no_fault():
    assert Soak(samples([150.0, 160.0, 150.0] * 20), 6000, 170.0, 0).faults() == []


def test_growth_a_high_peak_and_a_bad_end_are_each_a_fault():
    faults = Soak(samples([150.0 + i for i in range(60)]), 6000, 210.0, 1).faults()
    assert len(faults) == 3
    assert "code 1" in faults[0]
    assert "memory grew by" in faults[1]
    assert "210 MB were resident" in faults[2]


def test_descriptors_that_stay_open_are_a_fault():
    leaking = tuple(Sample(1000 + i, i, 150.0, 8 + i, 9) for i in range(40))
    assert "more descriptors are open" in Soak(leaking, 40, 160.0, 0).faults()[0]


def test_the_first_thousand_fields_do_not_count():
    warming = tuple(Sample(100 * i, i, 100.0 + 5 * min(i, 10), 8, 9) for i in range(60))
    assert Soak(warming, 6000, 150.0, 0).growth_mb == 0.0


def test_a_short_soak_of_the_real_device_asks_it_how_far_it_is(tmp_path: Path, tiny_bundle: Path):
    seen: list[str] = []
    words = ("--camera", "simulated:", "--bundle", str(tiny_bundle), "--level", "float32")
    found = run_soak(60, words, tmp_path, lambda what, done: seen.append(what))
    assert found.exit_code == 0
    assert "of 60 fields" in seen[-1]
    assert found.as_json()["looks"][-1]["fields"] == found.samples[-1].fields
    assert 0 < found.samples[-1].fields <= 60
    assert found.peak_mb > 50
