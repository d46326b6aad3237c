"""Touching the device's screen from elsewhere, as a hand there would."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from device.actions.base import Action, Request, Role

Key = Literal["tab", "shift tab", "up", "down", "left", "right", "return", "escape", "f1", "backspace", "page up",
              "page down"]  # fmt: skip
"""Keys that type nothing, as `device.screen.navigation.inputs.Key` names them."""
Share = Annotated[float, Field(ge=0, lt=1, description="of the screen's width or height, from the upper left")]


class Tap(Request):
    """Where to touch the screen."""

    x: Share
    y: Share


class Press(Request):
    """Which key to press."""

    key: Key


class Type(Request):
    """What to type; three characters and more at once are taken for a scanned code where nothing is typed into."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=80)]


ACTIONS: tuple[Action[Any], ...] = (
    Action("screen tap", "Touch the device's screen", Role.OPERATOR, Tap, None, changes=True),
    Action("screen key", "Press a key at the device's screen", Role.OPERATOR, Press, None, changes=True),
    Action("screen type", "Type at the device's screen", Role.OPERATOR, Type, None, changes=True),
)
