"""Shutting the device down, so that the power can be switched off."""

from collections.abc import Mapping
from typing import Any

from device.screen.navigation.page import Notice, Open, Outcome, Perform
from device.screen.pages.confirm import ConfirmPage

ASKED = ConfirmPage(
    "Shut down?",
    "The open slide is ended, and everything is stored. Wait until the screen is dark before you switch the power off.",
    "Shut down",
    Perform("power off", {}, lambda answer: Notice("The device shuts down.")),
)


def open_shutdown() -> Outcome:
    """Ask; where this program may not shut the machine down, say so."""

    def opened(answer: Mapping[str, Any]) -> Outcome:
        if answer["can"] == "yes":
            return Open(ASKED)
        return Notice("This program may not shut the machine down; do it from a terminal: sudo poweroff")

    return Perform("power check", {}, opened)
