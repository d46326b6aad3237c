from pathlib import Path

from benchmarks.interleaved import Effort
from benchmarks.suites.end_to_end import TimedProcessor
from benchmarks.suites.live import live_rows
from smear.bundle.folder import load_bundle
from smear.findings import Frame
from smear.synthetic import render

BRIEF = Effort(queries=4, seconds=1.0, burst=2, warm_s=0.0, repeats=2)


def test_every_stage_from_capture_to_screen_is_named_for_both_cameras(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    processor = TimedProcessor(load_bundle(tiny_bundle), "float32", BRIEF)
    frame = Frame(render("Pre", 1).image, "drawn")
    named = [stage for stage in processor.processor.process(frame).finding.timing_ms if stage != "total"]

    rows = live_rows(processor, frame, tmp_path, lambda what, done: None)

    processor.close()
    assert [row.camera for row in rows] == ["files", "simulated"]
    for row in rows:
        assert list(row.stage_ms) == ["capture", *named, "record", "screen"]
        assert row.to_screen.p50_ms > row.to_result.p50_ms > 0
        assert row.megapixels > 0
