"""Classifying, counting, signing and reviewing on the screen, with a real store behind it."""

from pathlib import Path

import pytest

from device.control.record_answers import record_answers
from device.screen.navigation.inputs import Key
from device.screen.navigation.own_actions import OwnActions
from device.screen.pages.cells.cell import CellPage
from device.screen.pages.cells.gallery import GalleryPage, open_gallery
from device.screen.pages.cells.review import ReviewPage, open_review
from device.screen.pages.cells.sign import CountPage
from device.screen.pages.typed import TypedPage
from device.settings import CellSettings, Settings
from device.store import Store
from device.store.recorder import Recorder
from tests.device.findings import UNCERTAIN, finding, frame
from tests.device.screen.test_navigator import Session

FIELDS = 8  # of two cells each


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A screen before a store with one slide that has ended; nobody has said who is at work."""
    settings = Settings(cells=CellSettings(target=10))
    with Store.record(tmp_path) as store:
        recorder = Recorder(store, make_tracker=None)
        slide = recorder.start_slide("S-7")
        for number in range(FIELDS):
            recorder.record(frame(number), finding())
        waiting = recorder.record(frame(FIELDS), finding(refusals=(UNCERTAIN,))).field_id
        recorder.end_slide()
        store.set_review(waiting, wanted=True, label=None, operator="test")
    actions = OwnActions(record_answers(tmp_path, settings), recorder, settings, tmp_path)
    made = Session(actions)
    made.slide, made.data = slide, tmp_path  # type: ignore[attr-defined]
    return made


def settled(session: Session) -> None:
    """Wait for what is being done, and for what follows from it."""
    while session.navigator._doing is not None or session.hand.waiting:
        session.settle()


def test_a_slide_is_classified_by_keys_and_by_touch_counted_and_signed(session: Session) -> None:
    session.navigator._follow(open_gallery(session.slide))
    settled(session)
    assert isinstance(session.page, TypedPage)  # who classifies?
    session.type("Eva")
    session.do(Key("return"))
    settled(session)
    for key in "llblll":
        session.type(key)
        settled(session)
    session.type("-")  # the last one was a mistake
    settled(session)
    session.do(Key("page down"))  # this one is passed over
    for name in ["lymphocyte"] * 3 + ["blast"] * 2:
        session.touch("class", name)
        settled(session)
    assert isinstance(session.page, GalleryPage)
    assert session.page.title == "Cells of slide S-7: Eva has 10 of 10 leukocytes."
    session.do(Key("f2"))
    settled(session)
    assert isinstance(session.page, CellPage)
    session.do(Key("escape"))
    session.do(Key("f3"))
    settled(session)
    assert isinstance(session.page, CountPage)
    assert not session.page.count["complete"]  # a cell was passed over
    session.type("s")
    session.type("only ten are asked for")
    session.do(Key("return"))
    session.type("y")
    settled(session)
    with Store.read(session.data) as store:
        signed = store.signatures(session.slide)[0]
        assert signed.operator == "Eva"
        counts = store.counted(store.slide(session.slide), CellSettings().classes, 10).counts["Eva"].to_json()
    assert {each["name"]: each["n"] for each in counts["classes"] if each["n"]} == {"blast": 3, "lymphocyte": 7}


def test_a_field_that_waits_is_reviewed(session: Session) -> None:
    session.navigator._follow(open_review())
    settled(session)
    session.type("Eva")
    session.do(Key("return"))
    settled(session)
    page = session.page
    assert isinstance(page, ReviewPage)
    assert page.field is not None
    assert page.field["picture"] is not None
    session.do(Key("page down"))  # later: it stays in the queue
    settled(session)
    session.navigator._follow(open_review())
    settled(session)
    session.type("e")
    settled(session)
    assert isinstance(session.page, ReviewPage)
    assert session.page.field is None
    with Store.read(session.data) as store:
        assert store.field(page.field["id"]).reviewed_label == "Early"
        assert not store.to_review()
