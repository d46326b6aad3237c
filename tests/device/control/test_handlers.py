"""What a running session answers: its state, slides by name, a photograph, and one line for what it cannot do."""

import json

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.control.handlers import ControlHandlers
from device.quality_control.state import QcWatch
from device.settings import QcSettings
from smear.errors import SmearscopeError
from tests.device.faults import Bench


@pytest.fixture
def handlers(tmp_path):  # type: ignore[no-untyped-def]
    with Bench(tmp_path) as bench:
        bench.fields()
        yield ControlHandlers(bench.feed, bench.examiner, bench.recorder, bench.faults, bench.folder, bench.clock)


def test_the_state_is_plain_json_with_the_newest_result(handlers):
    status = json.loads(json.dumps(handlers.status(), allow_nan=False))
    assert (status["label"], status["slide"], status["camera_lost"]) == ("Pre", "faults", False)
    assert status["fields"] >= 1
    assert status["faults"] == {}
    assert status["qc"] is None  # the settings do not ask for it


def test_the_state_and_a_capture_say_that_the_device_is_not_cleared(tmp_path, monkeypatch):
    with Bench(tmp_path) as bench:
        bench.recorder._quality_control = QcWatch(QcSettings(required=True))
        bench.fields()
        handlers = ControlHandlers(bench.feed, bench.examiner, bench.recorder, bench.faults, bench.folder, bench.clock)
        reasons = ["no quality control was done yet"]
        assert handlers.status()["qc"] == {"cleared": False, "reasons": reasons, "since_s": None}
        assert f"quality control: not cleared today ({reasons[0]})" in handlers.capture({})["warnings"]
        monkeypatch.setattr("device.commands.status.ask", lambda *_, **__: handlers.status())
        said = CliRunner().invoke(cli, ["status", "--data", str(tmp_path)]).output
        assert f"QC           not cleared today: {reasons[0]}" in said


def test_a_slide_is_started_and_ended(handlers):
    started = handlers.start_slide({"name": " B-17 "})
    assert started["name"] == "B-17"
    assert handlers.end_slide() == {"slide": started["slide"]}
    with pytest.raises(SmearscopeError, match="no slide is open"):
        handlers.end_slide()


@pytest.mark.parametrize("name", [None, "", "   ", 7, ["x"], "x" * 81, "a\x1b[2J"])
def test_what_is_no_name_of_a_slide_is_refused(handlers, name):
    with pytest.raises(SmearscopeError):
        handlers.start_slide({"name": name})


def test_a_slide_is_started_with_what_is_said_of_it(handlers):
    started = handlers.start_slide({"name": "B", "operator": "ann", "stain": " Leishman ", "specimen": None})
    slide = handlers._recorder.store.slide(started["slide"])
    assert (slide.operator, slide.stain, slide.specimen, slide.note) == ("ann", "Leishman", "", "")


@pytest.mark.parametrize(("column", "text"), [("note", 7), ("stain", "a\x1b[2J"), ("operator", "x" * 41)])
def test_what_cannot_be_said_of_a_slide_leaves_the_open_one_as_it_is(handlers, column, text):
    with pytest.raises(SmearscopeError):
        handlers.start_slide({"name": "B", column: text})
    assert handlers._recorder.store.open_slide().name == "faults"


@pytest.mark.parametrize("quality", [0, 101, 95.5, "95", True, None])
def test_a_photograph_has_a_quality_that_jpeg_knows(handlers, quality):
    with pytest.raises(SmearscopeError, match="1 to 100"):
        handlers.capture({"jpeg_quality": quality})


def test_a_capture_is_photograph_overlay_and_result(handlers):
    taken = handlers.capture({})
    assert taken["photograph"][:2] == b"\xff\xd8"
    assert taken["overlay"][:8] == b"\x89PNG\r\n\x1a\n"
    assert taken["result"]["label"] == "Pre"


def test_only_four_things_are_calibrated(handlers):
    for kind in (None, "colour", [], {"white": 1}):
        with pytest.raises(SmearscopeError):
            handlers.calibrate({"kind": kind})
