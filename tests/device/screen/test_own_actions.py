"""The actions of the screen's pages on a real store: what they do, and what the pages are given."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from device.actions.base import MAX_ITEMS
from device.control.record_answers import record_answers
from device.screen.layout import ScreenState
from device.screen.navigation import own_actions
from device.screen.navigation.composition import compose
from device.screen.navigation.own_actions import OwnActions
from device.screen.pages.history import HistoryPage
from device.screen.pages.summary import SummaryPage
from device.settings import Settings
from device.store import Store
from device.store.recorder import Recorder
from device.store.records import SlideDetails
from device.system.removable_drives import Drive
from smear.errors import SmearscopeError
from smear.findings import Frame
from tests.device.faults import picture
from tests.device.findings import finding

Made = tuple[OwnActions, Recorder]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """The actions of a session in which one slide with one field is open."""
    with Store.record(tmp_path) as store:
        recorder, settings = Recorder(store, make_tracker=None), Settings()
        answers: dict[str, Callable[[Any], Any]] = {
            **record_answers(tmp_path, settings),
            "slide start": lambda request: {
                "slide": recorder.start_slide(request["name"], SlideDetails(request["operator"]))
            },
            "slide end": lambda _: {"slide": recorder.end_slide()},
        }
        act = OwnActions(answers, recorder, settings, tmp_path, "Ben")
        act("slide start", {"name": "S-1", "operator": " Anna ", "specimen": "blood"})
        recorder.record(Frame(picture(1), "test:"), finding())
        yield act, recorder


def test_the_next_slide_is_offered_what_was_typed_for_the_one_before(made: Made) -> None:
    assert made[0]("slide details", {}) == {"operator": "Anna", "specimen": "blood"}


def test_a_field_is_kept_and_marked_in_the_name_of_who_is_at_work(made: Made) -> None:
    act, recorder = made
    act("field keep", {"field": 1})
    act("slides review", {"field": 1, "ask": True})
    assert (recorder.store.field(1).keep, recorder.store.field(1).review) == (True, True)
    assert {event.operator for event in recorder.store.events(1)} == {"Anna"}
    assert act("slide summary", {"slide": 1})["waiting"] == 1


def test_every_field_that_waits_is_counted_however_many_do(made: Made) -> None:
    act, recorder = made
    for _ in range(MAX_ITEMS + 1):
        field = recorder.record(Frame(picture(1), "test:"), finding()).field_id
        recorder.store.set_review(field, wanted=True, label=None, operator="Ben")
    assert act("slide summary", {"slide": 1})["waiting"] == MAX_ITEMS + 1


def test_an_ended_slide_is_resumed_with_its_counts(made: Made) -> None:
    act, recorder = made
    ended = act("slide end", {})["slide"]
    act("slide resume", {"slide": ended})
    assert recorder.record(Frame(picture(2), "test:"), finding()).tally.total == 2
    assert recorder.store.slide(ended).ended_s is None


def test_what_the_actions_answer_is_what_the_pages_draw(made: Made) -> None:
    slides = made[0]("slides with pictures", {"limit": 24})["slides"]
    assert [slide["picture"].shape for slide in slides] == [(12, 16, 3)]
    summary = made[0]("slide summary", {"slide": 1})
    for page in (HistoryPage(slides), SummaryPage(summary)):
        compose(page, ScreenState())


def test_a_slide_is_exported_to_a_stick(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stick = tmp_path / "STICK"
    stick.mkdir()
    monkeypatch.setattr(own_actions, "removable_drives", lambda: (Drive(stick, "STICK", 14_200_000_000),))
    found = made[0]("usb drives", {"slide": 1})
    assert 0 < found["megabytes"] < 1
    assert found["drives"] == [{"path": str(stick), "label": "STICK (14.2 GB free)"}]
    assert "zip" in dict(found["formats"])
    (stick / "slide-1.zip").write_bytes(b"slide 1 of another device")
    file = made[0]("usb export", {"slide": 1, "format": "zip", "folder": str(stick)})["file"]
    assert "fields.csv" in zipfile.ZipFile(stick / file).namelist()
    assert (stick / "slide-1.zip").read_bytes() == b"slide 1 of another device"


def test_an_action_that_is_not_there_is_an_error(made: Made) -> None:
    with pytest.raises(SmearscopeError, match="no action 'slides paint'"):
        made[0]("slides paint", {})
