"""The count of a slide, and signing it: what is signed stands there before it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import plural
from device.screen.drawing.widgets import bar, paragraphs
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Home, Notice, Open, Outcome, Page, Perform, Pressed
from device.screen.navigation.parts import BACK, Item, button_row
from device.screen.pages.confirm import ConfirmPage
from device.screen.pages.typed import TypedPage


@dataclass(frozen=True, slots=True, eq=False)
class CountPage(Page):
    """The differential count of one person."""

    slide: Mapping[str, Any]  # "id", "name"
    operator: str
    count: Mapping[str, Any]  # as `slides count` answers
    version: int = 1

    @property
    def title(self) -> str:
        """Say whose count of what."""
        return f"Count of slide {self.slide['name']} by {self.operator}"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the classes that were counted, and what is missing."""
        px, body, theme = places.text_px, places.body, canvas.theme
        shown, side = body.along((3, 2), places.gap)
        canvas.fill(shown, theme.panel)
        canvas.fill(side, theme.panel)
        rows = [each for each in self.count["classes"] if each["n"]]
        for each, row in zip(rows, shown.inset(px // 2, px // 2).rows([1] * max(8, len(rows))), strict=False):
            self._draw_class(canvas, row, px, each)
        done, target = self.count["leukocytes"], self.count["target"]
        texts = [(f"{done} of {target} leukocytes are counted.", theme.text)]
        texts += [(text, theme.warning) for text in self._missing()]
        if self.count["complete"]:
            texts.append(("The count is complete.", theme.text))
        texts.append(("In brackets stands the 95 % interval.", theme.quiet))
        signing = "Signing makes the slide read-only, and its photographs are kept."
        texts.append((signing, theme.quiet))
        paragraphs(canvas, side.inset(px // 2, px // 2), texts, px)
        return button_row(canvas, places.row, px, (BACK, Item("sign", "Sign", "s", done > 0)))

    def _draw_class(self, canvas: Canvas, row: Box, px: int, each: Mapping[str, Any]) -> None:
        name, length, figures = row.columns((5, 4, 5), px // 2)
        canvas.text(each["name"], name, px, canvas.theme.text)
        if share := each["share"]:
            bar(canvas, length.inset(0, row.height // 4), share["share"], canvas.theme.quiet)
            interval = f"{each['n']} · {share['share']:.0%} ({share['low'] * 100:.0f}–{share['high'] * 100:.0f})"
            canvas.text(interval, figures, px, canvas.theme.text, align="right", verbatim=True)
        elif each["per_100"] is not None:
            canvas.text(f"{each['per_100']:.0f} per 100 leukocytes", figures, px, canvas.theme.text, align="right")
        else:
            canvas.text(f"{each['n']} not counted", figures, px, canvas.theme.quiet, align="right")

    def _missing(self) -> list[str]:
        found, short = [], self.count["target"] - self.count["leukocytes"]
        if short > 0:
            found.append(plural(short, "{n} leukocyte is missing.", "{n} leukocytes are missing."))
        if n := self.count["unidentified"]:
            found.append(plural(n, "{n} cell is unidentified.", "{n} cells are unidentified."))
        if n := self.count["passed_over"]:
            found.append(plural(n, "{n} cell was passed over.", "{n} cells were passed over."))
        return found

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Ask before it is signed; of a count that is not complete, why."""
        match pressed:
            case Control("sign") if self.count["complete"]:
                return Open(self._asked({}))
            case Control("sign"):
                question = "The count is not complete. Why is it signed all the same?"
                return Open(TypedPage(question, "Reason", lambda reason: Open(self._asked(self._conceded(reason)))))
        return Notice()

    def _conceded(self, reason: str) -> dict[str, Any]:
        short = self.count["leukocytes"] < self.count["target"]
        return {
            "short": reason if short else "",
            "passed_over": reason if self.count["passed_over"] else "",
            "allow_unidentified": bool(self.count["unidentified"]),
        }

    def _asked(self, conceded: Mapping[str, Any]) -> Page:
        name, version = self.slide["name"], self.version
        request = {"slide": str(self.slide["id"]), "operator": self.operator, **conceded}
        return ConfirmPage(
            f"Sign version {version} of slide {name}?",
            f"{self.operator} signs the count as it was shown. The slide is read-only afterwards.",
            "Sign",
            Perform("slides sign", request, lambda answer: Home(notice="The slide is signed.")),
        )


def open_count(slide: Mapping[str, Any], operator: str) -> Outcome:
    """Open the count of `operator` of a slide."""

    def counted(answer: Mapping[str, Any]) -> Outcome:
        return Open(CountPage(slide, operator, answer["counts"][operator], answer["version"]))

    return Perform("slides count", {"slide": str(slide["id"]), "counter": operator, "operator": operator}, counted)
