"""One way of a frame: corrected, observed, decided, settled, in this order and timed by the clock handed in."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from smear.bundle.folder import load_bundle
from smear.findings import Finding, Frame, Refusal, RefusalCode
from smear.imaging.field_quality import Reference
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.quality_gate import Limits
from smear.synthetic import render

HELD_BACK = Refusal(RefusalCode.UNSTEADY, "not steady yet: hold the stage still")


@pytest.fixture(scope="module")
def pipeline(tiny_bundle: Path) -> Iterator[Pipeline]:
    opened = Pipeline(load_bundle(tiny_bundle), "float32")
    yield opened
    opened.close()


class Brighter:
    """A calibration that says what it was given, and gives every frame a scale."""

    def __init__(self) -> None:
        self.reference = Reference(best_focus=1e9)

    def correct(self, frame: Frame) -> Frame:
        return replace(frame, pixel_size_um=0.5)


class HoldsBack:
    """A hysteresis that gives no label."""

    def settle(self, frame: Frame, finding: Finding) -> Finding:
        assert frame.pixel_size_um == 0.5  # it sees the corrected frame
        return replace(finding, label=None, refusals=(*finding.refusals, HELD_BACK))


def field() -> Frame:
    return Frame(render("Pre", 51, cells=14).image, "drawn")


def test_a_picture_needs_neither_calibration_nor_hysteresis(pipeline: Pipeline) -> None:
    frame = field()
    processed = FrameProcessor(pipeline).process(frame)
    assert processed.frame is frame
    assert processed.finding.label == processed.finding.top


def test_a_calibration_corrects_the_frame_and_the_gate_compares_with_it(pipeline: Pipeline) -> None:
    processed = FrameProcessor(pipeline, correction=Brighter()).process(field())  # type: ignore[arg-type]
    assert processed.frame.pixel_size_um == 0.5
    assert RefusalCode.OUT_OF_FOCUS in {refusal.code for refusal in processed.finding.refusals}


def test_the_hysteresis_has_the_last_word(pipeline: Pipeline) -> None:
    processor = FrameProcessor(pipeline, correction=Brighter(), hysteresis=HoldsBack())  # type: ignore[arg-type]
    assert processor.process(field()).finding.refusals[-1] == HELD_BACK


def test_another_calibration_holds_from_the_next_frame_on(pipeline: Pipeline) -> None:
    processor = FrameProcessor(pipeline, correction=Brighter())  # type: ignore[arg-type]
    processor.use(None)
    assert processor.process(field()).frame.pixel_size_um is None


def test_limits_are_those_handed_in(pipeline: Pipeline) -> None:
    strict = FrameProcessor(pipeline, Limits(min_cells=500)).process(field())
    assert RefusalCode.NO_CELLS in {refusal.code for refusal in strict.finding.refusals}


def test_stages_are_timed_by_the_clock_handed_in(pipeline: Pipeline) -> None:
    ticks = count()
    timing = FrameProcessor(pipeline, clock=lambda: float(next(ticks))).process(field()).finding.timing_ms
    stages = [name for name in timing if name != "total"]
    assert stages[0] == "correct"
    assert stages[-1] == "settle"
    twice = {"cells": 2}  # found, and outlined in the frame once it is known which of them are leukocytes
    assert timing == {name: 1000.0 * twice.get(name, 1) for name in stages} | {"total": 1000.0 * (len(stages) + 1)}
