from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.interleaved import Effort
from benchmarks.suites.end_to_end import TimedProcessor, median_stages
from smear.bundle.folder import load_bundle
from smear.findings import Frame
from smear.imaging.pixel_size import RedCellScale, estimate_pixel_size
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.synthetic import render

BRIEF = Effort(queries=4, seconds=1.0, burst=2, warm_s=0.0, repeats=2)
FRAME = Frame(render("Pre", 1).image, "drawn")


@pytest.fixture
def processor(tiny_bundle: Path) -> Iterator[TimedProcessor]:
    processor = TimedProcessor(load_bundle(tiny_bundle), "float32", BRIEF)
    yield processor
    processor.close()


def test_the_stages_are_those_of_the_frame_processor_without_their_total(
    processor: TimedProcessor, tiny_bundle: Path
) -> None:
    plain = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"))
    named = [stage for stage in plain.process(FRAME).finding.timing_ms if stage != "total"]
    plain.close()
    stages = processor.stages("field", FRAME)
    assert list(stages.stage_ms) == named
    assert {"resample", "segment", "cells", "classify", "gate"} <= set(named)
    assert stages.total_ms == pytest.approx(sum(stages.stage_ms.values()), rel=0.5)


def test_a_live_view_at_rest_costs_no_scale_check(processor: TimedProcessor, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, checked = Frame(render("Pre", 1, pixel_size_um=0.5, cells=3).image, "drawn", 0.5), list[object]()

    def check(*given: Any) -> RedCellScale | None:
        found = estimate_pixel_size(*given)
        checked.append(found)
        return found

    monkeypatch.setattr("smear.imaging.pixel_size.estimate_pixel_size", check)
    assert processor.stages("field", frame, live=True).n > 1
    assert len(checked) == 1


def test_bare_invokes_are_timed_apart_from_their_stages(processor: TimedProcessor) -> None:
    stages = processor.stages("field", FRAME)
    assert stages.segmenter_invokes == 1
    assert stages.classifier_invokes == stages.cells > 0
    assert 0 < stages.invokes_ms < stages.total_ms
    assert stages.overhead > 0
    assert stages.n == BRIEF.repeats


def test_a_timed_processor_gives_the_findings_of_a_plain_one(processor: TimedProcessor, tiny_bundle: Path) -> None:
    plain = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"))
    assert processor.processor.process(FRAME).finding.probabilities == plain.process(FRAME).finding.probabilities
    plain.close()


def test_the_median_of_each_stage_is_taken_in_their_order() -> None:
    timings = [
        {"b": 1.0, "a": 5.0, "total": 6.0},
        {"b": 3.0, "a": 5.0, "total": 8.0},
        {"b": 2.0, "a": 9.0, "total": 11.0},
    ]
    assert list(median_stages(timings).items()) == [("b", 2.0), ("a", 5.0)]
