"""A short measurement of pictures beside inference."""

from pathlib import Path

from benchmarks.schema import Ratio
from benchmarks.suites.following import Following, measure_following
from smear.bundle.folder import load_bundle


def test_pictures_are_counted_while_fields_are_examined_and_a_round_goes_each_way(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    found = measure_following(load_bundle(tiny_bundle), "float32", ["none"], 3, 3, tmp_path, lambda what, done: None)
    assert [each.held for each in found] == [True, False]
    for each in found:
        assert each.pictures_per_s > 1
        assert min(each.inference_ms) > 0
        assert each.ratio is not None
        assert each.ratio.rounds == 3


def test_too_few_pictures_and_slower_inference_are_faults() -> None:
    ratio = Ratio(to="none", value=1.2, low=1.1, high=1.3, rounds=6)
    assert len(Following("window", True, 20.0, 90.0, (80.0, 96.0), ratio).faults()) == 2
