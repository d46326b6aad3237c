from pathlib import Path

import pytest

from benchmarks.interleaved import Effort
from benchmarks.suites import growth
from benchmarks.suites.end_to_end import TimedProcessor
from smear.bundle.folder import load_bundle

BRIEF = Effort(queries=4, seconds=0.1, burst=2, warm_s=0.0, repeats=2)


def test_each_curve_has_its_points_with_the_same_stages(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "CELL_COUNTS", {"quick": (1, 5)})
    monkeypatch.setattr(growth, "MEGAPIXELS", {"quick": (0.1, 0.3)})
    monkeypatch.setattr(growth, "RECORDS", {"quick": (5, 20)})
    processor = TimedProcessor(load_bundle(tiny_bundle), "float32", BRIEF)

    curves = growth.growth(processor, "quick", tmp_path, lambda what, done: None)

    processor.close()
    assert [[point.at for point in curve.points] for curve in curves] == [[1, 5], [0.1, 0.3], [5, 20]]
    for curve in curves:
        first, second = curve.points
        assert first.values.keys() == second.values.keys()
        assert all(ms > 0 for ms in (*first.values.values(), *second.values.values()) if ms != 0.0)
