"""What pages are made of: the keyboard, lists that go on, and sentences under one another."""

import pytest

from device.screen.arrangement import arrange
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.themes import DARK
from device.screen.drawing.widgets import paragraphs
from device.screen.navigation.inputs import Key, Text
from device.screen.navigation.keyboard import edited, keyboard
from device.screen.navigation.page import Control, Pressed
from device.screen.navigation.parts import Item, list_rows
from tests.device.screen.readable import unreadable

BOX = Box(10, 10, 400, 300)


@pytest.mark.parametrize(
    ("pressed", "text"),
    [
        (Text("ü7"), "S-ü7"),
        (Text("\x1b7"), "S-7"),
        (Control("key", BOX, value="X"), "S-X"),
        (Control("backspace", BOX), "S"),
        (Key("backspace"), "S"),
        (Key("f5"), "S-"),
    ],
)
def test_a_text_is_edited_by_typing_by_touch_and_by_keys(pressed: Pressed, text: str) -> None:
    assert edited("S-", pressed) == text


def test_the_keyboard_types_every_letter_and_digit_in_both_cases() -> None:
    for capitals, letters in ((False, "abcdefghijklmnopqrstuvwxyz"), (True, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")):
        typed = {each.value for each in keyboard(Canvas((420, 320), DARK), BOX, 10, capitals) if each.name == "key"}
        assert {*letters, *"0123456789-. "} <= typed


def test_a_list_is_gone_through_to_its_end_and_back_without_leaving_a_row_out() -> None:
    canvas, places, seen, first = Canvas((420, 320), DARK), arrange((420, 320)), list[int](), 0
    items = [Item("row", f"row {number}", value=number) for number in range(23)]
    while True:
        controls = list_rows(canvas, places, BOX, items, first)
        seen += [each.value for each in controls if each.name == "row"]
        earlier, later = (each for each in controls if each.name == "rows")
        assert earlier.usable == (first > 0)
        if not later.usable:
            break
        first = later.value
    assert seen == list(range(23))
    assert [each.name for each in list_rows(canvas, places, BOX, items[:3], 0)] == ["row"] * 3


@pytest.mark.parametrize("count", [0, 3, 60])
def test_sentences_stand_under_one_another_or_are_counted(count: int) -> None:
    canvas = Canvas((420, 320), DARK)
    paragraphs(canvas, BOX, [("a sentence of some length, wrapped where it must be", DARK.text)] * count, 14)
    assert len(canvas.written) == min(count, 3) - 2 * (count == 60)
    assert bool(unreadable(canvas.written)) == (count == 60)
