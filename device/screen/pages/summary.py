"""The summary of a slide: what its fields show, what was refused, whether it can be trusted, and what to do next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from device.counting.share import Share
from device.reporting.tables import local_time
from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box, Colour
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import plural
from device.screen.drawing.translation import JOINT
from device.screen.drawing.widgets import bar, letter
from device.screen.layout import ScreenState, with_interval
from device.screen.navigation.page import Control, Home, Notice, Open, Outcome, Page, Perform, Pressed
from device.screen.navigation.parts import BACK, Item, button_row, panel
from device.screen.pages.export import open_export
from device.screen.pages.new_slide import new_slide
from device.store.slide_summary import MIN_FIELDS
from smear.classes import FIELD_CLASSES, by_name

Row = tuple[str, Colour]
_REASONS = 4  # of refusals, the most frequent first; how many others there are is said


@dataclass(frozen=True, slots=True)
class SummaryPage(Page):
    """One slide, as `slides show` answers, with the number of its fields that wait for review as "waiting"."""

    slide: Mapping[str, Any]
    ended_now: bool = False  # a person has just ended it, and may take that back

    @property
    def title(self) -> str:
        """Name the slide."""
        said = ", ".join(filter(None, (self.slide["operator"], self.slide["specimen"])))
        return f"Summary of slide {self.slide['name']}" + (f" ({said})" if said else "")

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the panels, in two columns where there is room beside each other."""
        px, gap, body = places.text_px, places.gap, places.body
        if body.width > body.height:
            left, right = body.columns((1, 1), gap)
            boxes = [*left.rows((3.4, 7.4, 8), gap), *right.rows((7.2, 5.6, 6), gap)]
        else:
            boxes = body.rows((3, 7.4, 7, 8, 5, 6), gap)
        lead, shares, checks, fields, count, steps = boxes
        self._draw_lead(canvas, lead, px)
        self._draw_shares(canvas, shares, px)
        panel(canvas, checks, px, "Can it be trusted?", list(self._checks(canvas)))
        panel(canvas, fields, px, "Fields", list(self._fields(canvas)))
        panel(canvas, count, px, "Cells counted by people", list(self._counts(canvas)))
        panel(canvas, steps, px, "What to do next", [(each, canvas.theme.text) for each in self._steps()])
        signed = self.slide["state"] == "signed"
        first = Item("undo", "Undo: go on", "u", not signed) if self.ended_now else BACK
        more = (Item("live", "Live picture", "l"), Item("export", "Export", "x"), Item("new", "Next slide", "n"))
        return button_row(canvas, places.row, px, (first, *more))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Go on with the slide, export it, or leave it."""
        match pressed:
            case Control("live"):
                return Home()
            case Control("export"):
                return open_export(self.slide)
            case Control("new"):
                return new_slide()
            case Control("undo"):
                gone_on = f"Slide {self.slide['name']} is open again."
                return Perform("slide resume", {"slide": self.slide["id"]}, lambda answer: Home(notice=gone_on))
        return Notice()

    def _draw_lead(self, canvas: Canvas, box: Box, px: int) -> None:
        slide, theme = self.slide, canvas.theme
        canvas.fill(box, theme.panel)
        sentence = (
            f"The fields resemble {by_name(slide['leading']).title} most."
            if slide["leading"]
            else f"No class is named: fewer than {MIN_FIELDS} fields carry a label."
            if slide["fields_accepted"] < MIN_FIELDS
            else "No class is named: the intervals of the classes overlap."
        )
        if slide["leading"]:
            canvas.fill(Box(box.x, box.y, px // 3, box.height), by_name(slide["leading"]).colour)
        canvas.text(sentence, box.inset(px * 2 // 3, px // 3), round(1.4 * px), theme.text)

    def _draw_shares(self, canvas: Canvas, box: Box, px: int) -> None:
        theme = canvas.theme
        canvas.fill(box, theme.panel)
        head, *rows = box.inset(px // 2, px // 4).rows((1.2, 1.5, 1.5, 1.5, 1.5))
        canvas.text("share of the labelled fields, 95 % interval", head, px, theme.quiet)
        for each, row in zip(FIELD_CLASSES, rows, strict=True):
            share = Share(**self.slide["classes"][each.name])
            mark, name, length, figure = row.columns((1.4, 5.6, 6.5, 7), px // 3)
            letter(canvas, mark.inset(0, row.height // 8), each.letter, px, each.colour)
            canvas.text(each.title.partition(" (")[0], name, px, theme.text)
            bar(canvas, length.inset(0, row.height // 4), share.share, each.colour)
            canvas.text(with_interval(share) if share.total else "–", figure, px, theme.text, align="right")

    def _fields(self, canvas: Canvas) -> Iterator[Row]:
        slide, theme = self.slide, canvas.theme
        labelled, refused, empty = (slide[f"fields_{each}"] for each in ("accepted", "refused", "empty"))
        forms = (
            "{n} field carries a label; white cells: {{cells}}.",
            "{n} fields carry a label; white cells: {{cells}}.",
        )
        yield plural(labelled, *forms).format(cells=slide["cells"]), theme.text
        if empty:
            yield plural(empty, "{n} field has no white cell.", "{n} fields have no white cell."), theme.text
        if refused:
            said = plural(refused, "{n} field is refused: {{reasons}}.", "{n} fields are refused: {{reasons}}.")
            ranked = sorted(slide["refusals"].items(), key=lambda item: -item[1])
            reasons = [f"{code.replace('_', ' ')} {n}" for code, n in ranked[:_REASONS]]
            others = plural(len(ranked[_REASONS:]), "{n} other reason", "{n} other reasons")
            yield said.format(reasons=", ".join(reasons + [others] * bool(ranked[_REASONS:]))), theme.text

    def _checks(self, canvas: Canvas) -> Iterator[Row]:
        slide, theme = self.slide, canvas.theme
        if slide["simulated"]:
            yield "Simulated microscope: drawn cells, no patient's.", theme.warning
        if slide["fields_qc_not_cleared"]:
            said = ("Quality control was not cleared for {n} field.", "Quality control was not cleared for {n} fields.")
            yield plural(slide["fields_qc_not_cleared"], *said), theme.warning
        else:
            yield "No field lacks a quality control that is asked for.", theme.text
        if unchecked := slide["fields_accepted"] - slide["fields_site_checked"]:
            yield (
                plural(unchecked, "{n} label is not checked at this site.", "{n} labels are not checked at this site."),
                theme.warning,
            )
        elif slide["fields_accepted"]:
            yield "The labels are checked at this site.", theme.text
        if len(slide["bundles"]) > 1:
            yield f"{len(slide['bundles'])} model bundles were used in turn.", theme.warning

    def _counts(self, canvas: Canvas) -> Iterator[Row]:
        for operator, count in list(self.slide["counts"].items())[:2]:
            yield f"{operator}: {count['leukocytes']} of {count['target']} leukocytes", canvas.theme.text
            found = [each for each in count["classes"] if each["n"] and each["share"]]
            largest = sorted(found, key=lambda each: -int(each["n"]))[:4]
            said = [f"{each['name']} {each['share']['share'] * 100:.0f} %" for each in largest]
            yield JOINT.join(said), canvas.theme.quiet
        if not self.slide["counts"]:
            yield "Nobody has classified a cell yet.", canvas.theme.quiet

    def _steps(self) -> Iterator[str]:
        slide = self.slide
        if slide["fields_accepted"] < MIN_FIELDS and self.ended_now:
            yield "Undo, and record more fields for a result."
        if slide["waiting"]:
            said = ("{n} field waits for a person (menu, Review).", "{n} fields wait for a person (menu, Review).")
            yield plural(slide["waiting"], *said)
        if slide["state"] == "signed":
            by, when = slide["signatures"][-1]["operator"], local_time(slide["signatures"][-1]["wall_time_s"])[:16]
            yield f"{by} signed version {slide['version']} on {when}."
            yield "Export it, or go on with the next slide."
        elif slide["state"] == "counted":
            yield "The count is complete: sign it (menu, Cells)."
        elif slide["cells"]:
            yield "Classify and count the cells (menu, Cells)."
        else:
            yield "Go on with the next slide."


def open_summary(slide: int, *, ended_now: bool = False) -> Outcome:
    """Open the summary of the slide of this number; over the live page where it was just ended."""

    def opened(answer: Mapping[str, Any]) -> Outcome:
        page = SummaryPage(answer, ended_now)
        return Home(page) if ended_now else Open(page)

    return Perform("slide summary", {"slide": slide}, opened)
