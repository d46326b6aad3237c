"""`smearscope qc` from an empty day to a cleared one."""

import json

import pytest
from click.testing import CliRunner

from device.cameras.calibration import Calibration
from device.cameras.calibration.profile_store import FOLDER
from device.cli import cli
from device.store import Circumstances, Store
from tests.device.findings import finding, frame

CALIBRATED = Calibration(id="cal-1", camera="test:", size=(64, 48), glass=(204.0, 204.0, 204.0), best_focus=0.1)
GIVEN = ("--expected", "cells=2,0.1", "--expected", "focus=1,0.1")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    with Store.record(folder) as store:
        for name, simulated in (("drawn", True), ("control", False)):
            slide = store.start_slide(name, simulated)
            for n in range(12):
                store.add_field(slide, frame(n), finding("Pre"), Circumstances(simulated, "cal-1"))
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "one.json").write_text(CALIBRATED.model_dump_json())
    return folder


@pytest.fixture
def asked(tmp_path):
    """Settings that ask for the quality control."""
    path = tmp_path / "config.toml"
    path.write_text("[qc]\nrequired = true\n")
    return path


def qc(data, *arguments: str, config=None, expect: int = 0, operator: str = "anna"):
    where = ["--data", str(data), *(["--config", str(config)] if config else [])]
    result = CliRunner(env={"SMEARSCOPE_OPERATOR": operator}).invoke(cli, ["qc", *where, *arguments])
    assert result.exit_code == expect, result.output
    return result.output


def test_a_day_from_the_start_to_a_cleared_device(data, asked):
    assert "not cleared today: no quality control was done yet" in qc(data, "status", config=asked, expect=3)
    assert "qc record slide SLIDE --lot LOT" in qc(data, "start", config=asked)
    assert "Slide: not done" in qc(data, "record", "location", "--found", "196", "--missed", "4", config=asked)
    qc(data, "record", "slide", "control", "--lot", "L1", *GIVEN, config=asked)
    assert "cleared today, since 20" in qc(data, "record", "calibration", "control", config=asked)
    shown = json.loads(qc(data, "status", "--json", config=asked))
    assert (shown["cleared"], shown["required"], shown["run"]["operator"]) == (True, True, "anna")
    assert len(shown["run"]["measurements"]) == 8
    with Store.read(data) as store:
        assert {each.action for each in store.events(store.slide_called("control").id)} == {"qc"}


def test_a_failure_stays_until_a_repeat_with_a_reason(data, asked):
    failing = ("record", "slide", "control", "--lot", "L1", "--expected", "cells=9,0.1")
    assert "failed 1-3s" in qc(data, *failing, config=asked, expect=3)
    repeat = ("record", "slide", "control", "--lot", "L1", *GIVEN)
    assert "say with --reason what was done" in qc(data, *repeat, config=asked, expect=1)
    assert "passed" in qc(data, *repeat, "--reason", "lamp changed", config=asked)
    chart = qc(data, "chart", "slide.cells")
    assert "lamp changed" not in chart  # of the pass, which needs no line
    assert "1-3s" in chart


def test_the_cells_of_a_slide_are_the_ones_found(data):
    text = qc(data, "record", "location", "--slide", "control", "--missed", "1", expect=1)
    assert "at least 200 cells, found and missed together, not 25" in text
    assert "the settings do not ask for it" in qc(data, "record", "location", "--found", "200", "--missed", "0")


def test_without_a_calibration_nothing_is_compared(data):
    (data / FOLDER / "one.json").unlink()
    text = qc(data, "record", "calibration", "control", expect=1)
    assert "no calibration is in force; run 'smearscope calibrate white'" in text


def test_a_drawn_control_slide_clears_no_real_microscope(data, asked):
    assert "Slide: not done" in qc(data, "record", "slide", "drawn", "--lot", "L1", config=asked)


@pytest.mark.parametrize("expected", ["cells", "cells=1", "cells=1,0", "cells=nan,1", "colour=1,1"])
def test_what_cannot_be_expected_is_refused(data, expected):
    text = qc(data, "record", "slide", "control", "--lot", "L1", "--expected", expected, expect=2)
    assert "--expected takes MEASURE=MEAN,SD" in text


def test_nothing_is_expected_of_what_is_not_calibrated(data):
    text = qc(data, "record", "slide", "control", "--lot", "L1", "--expected", "colour_drift=1,1", expect=1)
    assert "slide.colour_drift: not measured on this slide" in text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "=1+1", "../../etc/passwd", "[bold red]x[/]"])
def test_names_of_lots_and_operators_are_text_everywhere(data, tmp_path, name):
    for _ in range(2):
        qc(data, "record", "slide", "control", "--lot", name, operator=name)
    assert name in qc(data, "chart", "slide.cells", "--lot", name).replace("\n", "")
    made = tmp_path / "chart.html"
    qc(data, "chart", "slide.cells", "--out", str(made))
    assert "<script" not in made.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["chart.html", "data"]


@pytest.mark.parametrize("lot", ["", "a\x1b[2J", "b\nc", "x" * 41])
def test_a_lot_that_no_line_can_show_is_refused(data, lot):
    assert "a lot has 1 to 40 printable" in qc(data, "record", "slide", "control", "--lot", lot, expect=1)


def test_a_chart_of_what_was_not_measured_says_what_was(data, tmp_path):
    assert "slide.cells was not measured yet" in qc(data, "chart", "slide.cells", expect=1)
    qc(data, "record", "slide", "control", "--lot", "L1")
    assert "not measured of lot 'L2', but of L1" in qc(data, "chart", "slide.cells", "--lot", "L2", expect=1)
    assert "ends with .svg or .html" in qc(data, "chart", "slide.cells", "--out", str(tmp_path / "a.png"), expect=2)
