"""Calibrating and the quality control of the day on the screen, on the actions of a running session."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device import bundles
from device.actions.settings import FILE_SAYS
from device.cameras.calibration import ProfileStore
from device.commands.run import level_now
from device.control.handlers import ControlHandlers
from device.control.record_answers import record_answers
from device.model_choice import ModelChoice
from device.quality_control.measurements import QcTest
from device.screen.choices import FILE, Choices
from device.screen.drawing.themes import LIGHT
from device.screen.navigation.inputs import Key
from device.screen.navigation.own_actions import OwnActions
from device.screen.pages.upkeep.calibration import CalibrationPage
from device.screen.pages.upkeep.models import ModelsPage, open_models
from device.screen.pages.upkeep.quality_control import QualityControlPage
from device.screen.pages.upkeep.steps import GOOD
from device.screen.patient_display import display_of
from device.settings import DisplaySettings, QcSettings, Settings, load_settings
from device.store import Store
from device.store.recorder import Recorder
from device.system import backlight
from smear.bundle.folder import write_manifest
from smear.bundle.manifest import read_manifest
from tests import tiny_bundle
from tests.device.cameras.calibration.test_ruling import ruling
from tests.device.faults import Bench
from tests.device.screen.states import NORMAL
from tests.device.screen.test_cell_pages import settled
from tests.device.screen.test_navigator import Session

TINTED = np.full((480, 640, 3), (200, 180, 160), np.uint8)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A running session, whose camera shows what it is given."""
    with Bench(tmp_path) as running:
        running.fields()
        yield running


def screen_of(bench: Bench, settings: Settings) -> Session:
    """Return a screen with a hand before it, and the actions of `bench`."""
    handlers = ControlHandlers(bench.feed, bench.examiner, bench.recorder, bench.faults, bench.folder, bench.clock)
    answers = record_answers(bench.folder, settings) | handlers.answers()
    session = Session(lambda action, request: act(action, request))
    act = OwnActions(answers, bench.recorder, settings, bench.folder, display=session.navigator._display)
    return session


def see(bench: Bench, session: Session, image: np.ndarray) -> None:
    """Put `image` before the camera, and on the screen."""
    bench.camera.fault = lambda: bench.camera.frame(image)
    bench.fields(3)
    session.navigator.show(replace(NORMAL, frame=bench.camera.frame(image)))


def test_white_and_scale_are_calibrated_in_the_wizard(bench: Bench) -> None:
    session = screen_of(bench, Settings())
    session.type("mb")
    settled(session)
    session.navigator.show(NORMAL)
    page = session.page
    assert isinstance(page, CalibrationPage)
    assert page.now[0].startswith("the field is not empty")
    session.touch("measure")  # what is wrong is said, and nothing is stored
    settled(session)
    assert "the field is not empty" in session.navigator._notice
    see(bench, session, TINTED)
    session.clock.advance(60)
    assert session.page.now == (GOOD, True)  # type: ignore[attr-defined]
    session.type("m")
    settled(session)
    session.type("nn")
    see(bench, session, ruling(20, 0))
    assert session.page.now == (GOOD, True)  # type: ignore[attr-defined]
    session.touch("division")  # 20 µm
    session.touch("measure")
    settled(session)
    known = ProfileStore(bench.folder).in_use()
    assert known.white is not None
    assert known.white == pytest.approx((1, 1.11, 1.25), abs=0.01)
    assert known.pixel_size_um == pytest.approx(1.0, rel=0.01)
    session.type("t0.5")  # somebody knows it better
    session.do(Key("return"))
    settled(session)
    assert ProfileStore(bench.folder).in_use().pixel_size_um == 0.5
    assert "one pixel is 0.5 µm" in " ".join(each.text for each in session.navigator._composed.canvas.written)  # type: ignore[union-attr]


def test_the_quality_control_of_the_day_is_begun_and_each_test_says_how_it_went(bench: Bench) -> None:
    settings = Settings(qc=QcSettings(required=True, tests=(QcTest.LOCATION,)))
    bench.fields(120)  # of two cells each
    session = screen_of(bench, settings)
    session.type("mq")
    settled(session)
    session.type("Eva")  # who is at work?
    session.do(Key("return"))
    settled(session)
    session.type("n")
    settled(session)
    for missed, passed in (("99", False), ("2", True)):
        session.touch("test")
        if passed:
            session.type("the lamp was dim")
            session.do(Key("return"))
        session.type(missed)
        session.do(Key("return"))
        settled(session)
        page = session.page
        assert isinstance(page, QualityControlPage)
        assert page.known["cleared"] == passed
        assert page.known["tests"][0]["passed"] == passed
    run = bench.recorder.store.qc_runs(1)[0]
    assert (run.operator, [each.passed for each in run.measurements]) == ("Eva", [False, True])
    assert run.measurements[-1].reason == "the lamp was dim"


@pytest.mark.parametrize("in_the_file", [{}, {"theme": "dark"}])
def test_what_is_chosen_for_the_screen_holds_at_once_and_after_a_restart_unless_the_settings_file_says_it(
    bench: Bench, in_the_file: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = bench.folder / "backlight" / "panel"
    panel.mkdir(parents=True)
    (panel / "max_brightness").write_text("31")
    (panel / "brightness").write_text("31")
    monkeypatch.setattr(backlight.brightness, "__defaults__", (panel.parent,))
    monkeypatch.setattr(backlight.set_brightness, "__defaults__", (panel.parent,))
    settings = Settings(display=DisplaySettings(**in_the_file))  # type: ignore[arg-type]
    session = screen_of(bench, settings)
    session.type("mg")
    settled(session)
    for key in "2w":
        session.type(key)
        settled(session)
    assert (session.navigator._display.theme == LIGHT) == (not in_the_file)
    assert int((panel / "brightness").read_text()) == 12
    (panel / "brightness").write_text("31")  # as after a loss of power
    again = display_of(settings.display, "none", bench.folder, bench.faults, bench.clock, patient=True)
    assert (again.theme == LIGHT) == (not in_the_file)
    assert int((panel / "brightness").read_text()) == 12


def test_a_damaged_file_of_choices_costs_no_more_than_them(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"theme": "pink"')
    assert Choices.read(tmp_path) == Choices()


def test_the_objective_is_switched_and_its_own_calibration_is_used(bench: Bench) -> None:
    session = screen_of(bench, Settings())
    session.type("mo")
    settled(session)
    session.touch("other")
    session.type("100x oil")
    session.do(Key("return"))
    settled(session)
    assert ProfileStore(bench.folder).objective() == "100x oil"
    assert session.navigator._notice == "Objective 100x oil is in use. It has no calibration yet: Menu, Calibrate."
    session.type("mo")
    settled(session)
    session.touch("use", "100x oil")
    settled(session)
    assert "100x oil is in use" in session.navigator._notice


@pytest.mark.parametrize(
    ("in_the_file", "given", "reason"),
    [
        ("", {}, ""),
        ('[model]\nlevel = "int8"\n', {}, FILE_SAYS),
        ("", {"model.level": "int8"}, "the device was started with --level, which comes first"),
    ],
)
def test_level_and_bundle_are_chosen_on_the_screen_unless_the_settings_file_or_the_start_says_them(
    tmp_path: Path, in_the_file: str, given: dict[str, object], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, data = tiny_bundle.make(tmp_path / "one"), tiny_bundle.make(tmp_path / "two"), tmp_path / "data"
    write_manifest(second, read_manifest(second).model_copy(update={"name": "new"}))
    for each in (second, first):
        bundles.install(each, data / bundles.MODELS, prove=lambda bundle: None)
    monkeypatch.setattr("device.actions.device.prove", lambda bundle, use, every_level: None)
    (config := tmp_path / "config.toml").write_text(in_the_file)
    with Store.record(data) as store:
        answers = record_answers(data, load_settings(config), config, given)
        act = OwnActions(answers, Recorder(store, make_tracker=None), Settings(), data, "Eva")
        session = Session(act)
        session.navigator._follow(open_models())
        settled(session)
        page = session.page
        assert isinstance(page, ModelsPage)
        assert page.known["fixed"] == {"level": reason, "bundle": ""}
        session.touch("level", tiny_bundle.LEVEL)
        settled(session)
        assert level_now(config, data, Settings(), ModelChoice()) == ("int8" if reason else tiny_bundle.LEVEL)
        other = next(each["name"] for each in page.known["bundles"] if not each["current"])
        session.touch("bundle", other)
        session.settle()
        assert bundles.current_bundle(data / bundles.MODELS).name == other
        events = store.newest_of_device(9)
    assert ("Eva", "model", other) in {(each.operator, each.action, each.new) for each in events}
    assert level_now(config, data, Settings(), ModelChoice(level="float16")) == "float16"
    config.write_text("[model")  # somebody edits it
    assert level_now(config, data, Settings(), ModelChoice()) == "int8"
