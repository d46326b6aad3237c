"""The quality control of the day: what is asked for, what is done, and a button for each test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from device.quality_control.control_slide import MIN_FIELDS
from device.quality_control.location import MIN_CELLS
from device.quality_control.measurements import QcTest
from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box, Colour
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import plural
from device.screen.drawing.widgets import paragraphs
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Home, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row
from device.screen.pages.confirm import ConfirmPage
from device.screen.pages.typed import TypedPage, as_somebody

_TESTS = {
    QcTest.LOCATION: (
        "Location", "l",
        "Count the white cells in the slide's photographs that the device did not outline. "
        f"There must be at least {MIN_CELLS} cells.",
    ),
    QcTest.SLIDE: (
        "Control slide", "c",
        f"Record the control slide, at least {MIN_FIELDS} fields. It is compared with what its lot should measure.",
    ),
    QcTest.CALIBRATION: (
        "Calibration", "b",
        f"Record at least {MIN_FIELDS} fields. Their focus, light and white are compared with the calibration.",
    ),
}  # fmt: skip
"""Of each test the button, its key, and what to do."""
STARTED = "The quality control has begun. Do each test that is listed here."
_AGAIN = ConfirmPage(
    "Begin a new quality control?",
    "What was measured before no longer clears the device: every test is done again. Do so after a new stain, lamp, "
    "camera or bundle.",
    "Begin",
    Perform("qc start", {}, lambda answer: _loaded(Home, STARTED)),
)


@dataclass(frozen=True, slots=True, eq=False)
class QualityControlPage(Page):
    """How far the quality control is."""

    title = "Quality control of the day"

    known: Mapping[str, Any]  # as "qc of the day" answers
    at: int = 0  # number of the slide that is tested, the newest first

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the state, then each test with its button."""
        px, theme, tests = places.text_px, canvas.theme, self.known["tests"]
        top, *rows = places.body.rows((4.5, *[5] * len(tests)), places.gap)
        canvas.fill(top, theme.panel)
        paragraphs(canvas, top.inset(px // 2, px // 4), self._state(theme.text, theme.warning, theme.quiet), px)
        controls = [
            control for row, test in zip(rows, tests, strict=True) for control in self._draw_test(canvas, row, px, test)
        ]
        items = (
            BACK,
            Item("start", "Begin anew" if self.known["begun"] else "Begin", "n"),
            Item("other", "Other slide", "o", len(self.known["slides"]) > 1),
        )
        return (*controls, *button_row(canvas, places.row, px, items))

    def _state(self, ink: Colour, warning: Colour, quiet: Colour) -> list[tuple[str, Colour]]:
        known, tests = self.known, self.known["tests"]
        passed, count = sum(test["passed"] for test in tests), len(tests)
        if known["cleared"]:
            rows = [("The device is cleared: every test has passed.", ink)]
        elif known["begun"]:
            begun, operator = known["begun"], known["operator"]
            rows = [(f"Not cleared yet: {passed} of {count} tests have passed.", warning),
                    (f"{operator} began at {begun}.", quiet)]  # fmt: skip
        else:
            rows = [("Not cleared: there is no quality control that holds today. Press Begin.", warning)]
        if not known["required"]:
            rows.append(("The settings do not ask for it: fields are not marked without it.", quiet))
        if not known["slides"]:
            return [*rows, ("No slide is recorded: record one, then come back.", warning)]
        name, fields = self.slide["name"], self.slide["fields"]
        tested = plural(
            fields,
            "Press a test to do it on slide {{name}}, which has {n} field.",
            "Press a test to do it on slide {{name}}, which has {n} fields.",
        )
        return [*rows, (tested.format(name=name), ink)]

    @property
    def slide(self) -> Mapping[str, Any]:
        """The slide that is tested; there is one."""
        found: Mapping[str, Any] = self.known["slides"][self.at]
        return found

    def _draw_test(self, canvas: Canvas, row: Box, px: int, test: Mapping[str, Any]) -> tuple[Control, ...]:
        theme, (label, key, to_do) = canvas.theme, _TESTS[test["name"]]
        place, beside = row.columns((1, 3), px // 2)
        canvas.fill(beside, theme.panel)
        if test["failed"]:
            failed = ", ".join(test["failed"])
            rows = [
                ("Failed.", theme.warning),
                (f"Outside the limits: {failed}. Put it right, and test again.", theme.text),
            ]
        elif test["passed"]:
            n = test["count"]
            rows = [("Passed.", theme.text), (plural(n, "{n} measure is as it should be.",
                                                     "{n} measures are as they should be."), theme.quiet)]  # fmt: skip
        else:
            rows = [("Not done yet.", theme.warning), (to_do, theme.text)]
        paragraphs(canvas, beside.inset(px // 2, px // 4), rows, px)
        return button_row(canvas, place, px, (Item("test", label, key, bool(self.known["slides"]), test),))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Begin, choose the slide, or do a test."""
        match pressed:
            case Control("start") if self.known["begun"]:
                return Open(_AGAIN)
            case Control("start"):
                return _AGAIN.outcome
            case Control("other"):
                return Stay(replace(self, at=(self.at + 1) % len(self.known["slides"])))
            case Control("test", value=test) if test["excuse"]:
                question = "What was done after this test had failed?"
                return Open(TypedPage(question, "What was done", lambda reason: self._asked(test["name"], reason)))
            case Control("test", value=test):
                return self._asked(test["name"])
        return Notice()

    def _asked(self, test: str, reason: str = "") -> Outcome:
        """Ask for what a test needs beside the slide."""
        name = self.slide["name"]
        if test == QcTest.LOCATION:
            question = f"How many cells of slide {name} were missed?"
            return Open(TypedPage(question, "Number of white cells", lambda text: self._counted(text, reason)))
        if test == QcTest.SLIDE:
            question = f"Of which lot is slide {name}?"
            return Open(TypedPage(question, "Lot", lambda lot: self._recorded(test, reason, {"lot": lot})))
        return self._recorded(test, reason, {})

    def _counted(self, text: str, reason: str) -> Outcome:
        if not text.isdecimal():
            return Notice(f"{text!r} is no number of cells; type one such as 4.")
        return self._recorded(QcTest.LOCATION, reason, {"missed": int(text)})

    def _recorded(self, test: str, reason: str, about: Mapping[str, Any]) -> Outcome:
        def said(answer: Mapping[str, Any]) -> Outcome:
            return _loaded(Home, "The test has passed." if answer["passed"] else "The test has failed.")

        return Perform(f"qc record {test}", {"slide": str(self.slide["id"]), "reason": reason, **about}, said)


def _loaded(show: Callable[[Page, str], Outcome], notice: str = "") -> Outcome:
    return Perform("qc of the day", {}, lambda answer: show(QualityControlPage(answer), notice))


def open_quality_control() -> Outcome:
    """Open the page for who is at work."""
    return as_somebody(lambda name, show: _loaded(lambda page, notice: show(page)))
