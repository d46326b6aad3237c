"""Typing on the screen: a keyboard to touch, the field that shows what was typed, and what each key makes of a text."""

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import ELLIPSIS, measure
from device.screen.drawing.widgets import button
from device.screen.navigation.inputs import Key, Text
from device.screen.navigation.page import Control, Pressed

ROWS = ("1234567890", "qwertyuiop", "asdfghjkl-", "zxcvbnm._/")
_LAST = ((("shift", "Shift"), 2), (("key", " "), 5), (("backspace", "Delete"), 3))
CURSOR = "|"
FIELD = 3.4  # height of a field, in heights of the text


def keyboard(canvas: Canvas, box: Box, px: int, capitals: bool) -> tuple[Control, ...]:
    """Draw the keys; each is a control "key" whose value is its character, or "shift" or "backspace"."""
    gap, controls = max(2, px // 4), list[Control]()
    box = Box(box.x, box.y, box.width, min(box.height, (len(ROWS) + 1) * 5 * px))
    *rows, last = box.rows([1] * (len(ROWS) + 1), gap)
    for characters, row in zip(ROWS, rows, strict=True):
        for character, place in zip(characters, row.columns([1] * len(characters), gap), strict=True):
            shown = character.upper() if capitals else character
            button(canvas, place, shown, round(1.3 * px), usable=True)
            controls.append(Control("key", place, value=shown, focusable=False))
    widths = [width for _, width in _LAST]
    for ((name, label), _), place in zip(_LAST, last.columns(widths, gap), strict=True):
        button(canvas, place, label if label.strip() else "Space", px, usable=True)
        controls.append(Control(name, place, value=label, focusable=False))
    return tuple(controls)


def above_keyboard(places: Places) -> tuple[Box, Box]:
    """Return the room for the fields that are typed into, and below it that of the keyboard."""
    body, height = places.body, round(FIELD * places.text_px)
    used = height + places.gap
    return Box(body.x, body.y, body.width, height), Box(body.x, body.y + used, body.width, body.height - used)


def edited(text: str, pressed: Pressed) -> str:
    """Return `text` after a key; another control leaves it as it is."""
    match pressed:
        case Text(characters):
            return text + "".join(each for each in characters if each.isprintable())
        case Control("key", value=character):
            return text + str(character)
        case Control("backspace") | Key("backspace"):
            return text[:-1]
    return text


def text_field(canvas: Canvas, box: Box, px: int, label: str, text: str, hint: str = "", *, active: bool) -> None:
    """Draw a field with its label above; of a long text the end is shown, where the typing goes on."""
    theme = canvas.theme
    canvas.fill(box, theme.panel)
    canvas.frame(box, theme.text if active else theme.quiet, 2 if active else 1)
    above, below = box.inset(px // 2, 2).rows((1, 1.4))
    canvas.text(label, above, px, theme.text if active else theme.quiet)
    shown = text + (CURSOR if active else "")
    while len(shown) > 1 and measure(shown, px) > below.width:
        shown = ELLIPSIS + shown.removeprefix(ELLIPSIS)[1:]
    if shown.strip(CURSOR):
        canvas.text(shown, below, px, theme.text, verbatim=True)
    else:
        canvas.text(hint or shown, below, px, theme.quiet)
