"""The review queue: one field after another that waits for a person, and what the person says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import paragraphs, picture
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_grid, button_row
from device.screen.pages.typed import as_somebody
from smear.classes import FIELD_CLASSES, by_name


@dataclass(frozen=True, slots=True, eq=False)
class ReviewPage(Page):
    """A field that waits, or none."""

    field: Mapping[str, Any] | None  # as `fields waiting` answers, with "picture" and "slide_name"; None: none waits

    @property
    def title(self) -> str:
        """Name the field."""
        if self.field is None:
            return "Review"
        return f"Review: field {self.field['id']} of slide {self.field['slide_name']}"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the field beside the answers."""
        px, body, theme = places.text_px, places.body, canvas.theme
        canvas.fill(body, theme.panel)
        if self.field is None:
            text = "No field waits for a person. Mark on the live page puts one into this queue."
            canvas.text(text, body.inset(px, px), round(1.4 * px), theme.text)
            return button_row(canvas, places.row, px, (BACK,))
        shown, side = body.along((1, 1), places.gap)
        if self.field["picture"] is None:
            canvas.text("The photograph of this field was removed.", shown.inset(px, px), px, theme.quiet)
        else:
            picture(canvas, shown, self.field["picture"])
        facts, answers = side.inset(px // 2, px // 2).rows((1, 2), places.gap)
        paragraphs(canvas, facts, [(self._said(), theme.text), ("What do you see?", theme.quiet)], px)
        items = [Item("label", each.title, each.letter.lower(), value=each.name)
                 for each in FIELD_CLASSES]  # fmt: skip
        items.append(Item("label", "None of these", "n", value="none"))
        controls = button_grid(canvas, answers, px, items, 2)
        later = Item("later", "Later", "page down", help="leave it in the queue and show the next one")
        return controls + button_row(canvas, places.row, px, (BACK, later))

    def _said(self) -> str:
        field = self.field or {}
        if field["label"]:
            return f"The device says that it resembles {by_name(field['label']).title}."
        if field["refusals"]:
            return f"The device refused it: {field['refusals'][0]['advice']}"
        return "The device found no white cell."

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Say what it is, or leave it for later."""
        match pressed, self.field:
            case Control("label", value=label), Mapping() as field:
                request = {"field": field["id"], "label": label}
                return Perform("slides review", request, lambda answer: _loaded(field["id"]))
            case Control("later"), Mapping() as field:
                return _loaded(field["id"])
        return Notice()


def _loaded(after: int = 0, show: Callable[[Page], Outcome] = Stay) -> Outcome:
    return Perform("field waiting with picture", {"after": after}, lambda answer: show(ReviewPage(answer["field"])))


def open_review() -> Outcome:
    """Open the queue."""
    return as_somebody(lambda name, show: _loaded(0, show))
