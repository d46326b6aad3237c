"""What a hand does to the attached screen: it touches, it presses keys, it types."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tap:
    """A touch or click, in pixels of the screen."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key that types nothing, by SDL's name in lower case: "return", "escape", "left", "page up", "f1"."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that were typed; a barcode scanner types its code, and the key "return" after it."""

    characters: str


Input = Tap | Key | Text
