"""What a page is: what it draws, the controls on it, and what comes of pressing one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.inputs import Key, Text


@dataclass(frozen=True, slots=True)
class Control:
    """Something on a page that can be pressed by touch and by keys."""

    name: str
    box: Box
    help: str = ""  # what it does, for the help; "": it is not listed
    key: str = ""  # a character, or a key's name as in `Key`; "": none of its own
    usable: bool = True
    value: Any = None  # handed to `press`
    focusable: bool = True  # False: Tab passes it over, as it has a key
    field: bool = False  # True: takes what is typed, and is pressed as soon as it is chosen
    active: bool = False  # the field that takes what is typed now: Tab goes on from it


@dataclass(frozen=True, slots=True)
class Notice:
    """Say something for a few seconds, and stay as it is; "" says nothing."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Stay:
    """Show `page` in place of this one."""

    page: "Page"
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """Show `page`; "Back" returns to this one."""

    page: "Page"
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Back:
    """Show the page from which this one was opened."""

    notice: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """Show the live page, and `page` over it if there is one."""

    page: "Page | None" = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Perform:
    """Perform an action by its name, and go on with what `then` makes of its answer; an error is a notice."""

    action: str
    request: Mapping[str, Any] = field(default_factory=dict)
    then: "Callable[[Any], Outcome]" = lambda answer: Notice()
    meanwhile: str = ""  # a notice: the action takes long, the pages go on without it, and `then` gives a notice


Pressed = Control | Key | Text
"""A control, or a key or characters that no control takes."""
Outcome = Notice | Stay | Open | Back | Home | Perform


class Page(ABC):
    """One page; those that extend it are frozen dataclasses."""

    takes_text: ClassVar[bool] = False  # True: typed characters go to `press`
    locks: ClassVar[bool] = False  # True: neither Escape nor help nor a scanned code leaves it
    secret: ClassVar[bool] = False  # True: the audit trail is not told what a person elsewhere does on it
    shows_live: ClassVar[bool] = False  # True: it is drawn anew with every result; else twice a second

    @property
    @abstractmethod
    def title(self) -> str:
        """What stands at the top; "" on the live page."""

    @abstractmethod
    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the page between header and footer, and return what can be pressed, in the order of Tab."""

    @abstractmethod
    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Return what comes of it."""

    def redraw(self, canvas: Canvas, places: Places, live: ScreenState) -> bool:
        """Draw what the camera's next picture changes over a page that was drawn; False: that is not told apart."""
        return False

    def fed(self, live: ScreenState) -> "Page":
        """Return the page after a new result."""
        return self
