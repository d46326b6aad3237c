"""Drawn states of every page but the live one, whose states are in `states`: each has golden pictures."""

from dataclasses import replace

from device.screen.layout import ScreenState
from device.screen.navigation.composition import compose
from device.screen.navigation.page import Page
from device.screen.pages.help import help_of
from device.screen.pages.live import LivePage
from device.screen.pages.menu import MenuPage
from device.screen.pages.slide import NewSlidePage, OpenSlidePage, asked_to_end
from tests.device.screen.states import NORMAL

TYPED = {"name": "S-0043", "operator": "Anna Berger", "specimen": "blood"}
NO_SLIDE = replace(NORMAL, slide=None)
PAGES: dict[str, tuple[Page, ScreenState]] = {
    "frozen": (LivePage(outlines=False, held=NORMAL), NORMAL),
    "menu": (MenuPage(), NORMAL),
    "new-slide": (NewSlidePage(TYPED), NO_SLIDE),
    "open-slide": (OpenSlidePage(), NORMAL),
    "end-slide": (asked_to_end(NORMAL), NORMAL),
    "help": (help_of(LivePage(), compose(LivePage(), NORMAL).controls), NORMAL),
}
EMPTY: dict[str, tuple[Page, ScreenState]] = {
    "new-slide": (NewSlidePage({"name": "", "operator": "", "specimen": ""}, capitals=False), NO_SLIDE),
    "new-slide-long": (NewSlidePage(dict.fromkeys(TYPED, "Müller-Großmann 17 / Łódź " * 3), at="operator"), NO_SLIDE),
}
"""More states, whose texts are tested and which have no pictures."""
