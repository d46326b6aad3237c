"""Which level and bundle of the models are used; bundles are installed, and taken back, by the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from device.model_pick import AUTO
from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, HELP, Item, button_row, list_rows
from device.screen.pages.typed import as_somebody
from smear.bundle.levels import level_spec

TRIED = "The bundle is tried out first, which takes a minute or two. The device goes on meanwhile."
DAMAGED = "damaged"
LOADED = "It is used as soon as it is loaded."


@dataclass(frozen=True, slots=True, eq=False)
class ModelsPage(Page):
    """The levels of the bundle in use, and after them the bundles that are installed."""

    known: Mapping[str, Any]  # as "models" answers
    first: int = 0

    @property
    def title(self) -> str:
        """Say what is used."""
        return f"In use: level {self.known['level']}, bundle {self.known['bundle']}"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw a row for each; those in use have a thick edge."""
        known = self.known
        levels = [self._row("level", each, f"Level {each}", _about(each)) for each in known["levels"]]
        bundles = [
            self._row("bundle", each["name"], f"Bundle {each['name']}", _made(each)) for each in known["bundles"]
        ] or [Item("bundle", f"Bundle {known['bundle']}", "", False, known["bundle"], below="no other is installed")]
        controls = list_rows(canvas, places, places.body, [*levels, *bundles], self.first, height=4.4)
        for control in controls:
            if control.value in (known["level"], known["bundle"]):
                canvas.frame(control.box, canvas.theme.text, max(3, places.text_px // 4))
        return (*controls, *button_row(canvas, places.row, places.text_px, (BACK, HELP)))

    def _row(self, what: str, name: str, shown: str, about: str) -> Item:
        fixed = self.known["fixed"][what]
        return Item(what, shown, "", not fixed and about != DAMAGED, name, below=fixed or about)

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Choose a level or a bundle."""
        match pressed:
            case Control("rows", value=first):
                return Stay(replace(self, first=first))
            case Control("level", value=level):
                return Perform("settings change", {"values": {"model.level": level}}, _changed)
            case Control("bundle", value=name):
                return Perform("model activate", {"name": name}, lambda answer: Notice(LOADED), TRIED)
        return Notice()


def _made(bundle: Mapping[str, Any]) -> str:
    return DAMAGED if bundle["fault"] else f"made {bundle['created'][:10]}"


def _about(level: str) -> str:
    return "the fastest by 'smearscope bench pick'" if level == AUTO else level_spec(level).help


def _changed(answer: Mapping[str, Any]) -> Outcome:
    if answer["faults"]:
        return Notice("; ".join(answer["faults"].values()))
    return Perform("models", {}, lambda answer: Stay(ModelsPage(answer), LOADED))


def open_models() -> Outcome:
    """Open the page for who is at work: the audit trail says who chose."""
    return as_somebody(lambda name, show: Perform("models", {}, lambda answer: show(ModelsPage(answer))))
