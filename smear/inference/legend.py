"""The legend of an overlay: what its colours mean, or that the field was refused, and what it is not for."""

import cv2
import numpy as np

from smear.classes import FIELD_CLASSES
from smear.site import NOT_CHECKED

REFUSED = "REFUSED: no label"
_NOTICE = "research use only"
_LINE_PX = 9  # on a field of `_FIELD_PX`: the smallest at which the font can be read
_FIELD_PX = 224  # of the data set
_FONT_HEIGHT_PX = 22  # of `cv2.FONT_HERSHEY_SIMPLEX` at scale 1
_BOX, _TEXT = (24, 20, 28), (255, 255, 255)
_OPACITY = 0.75

Line = tuple[str, tuple[int, int, int] | None]
"""A text, and the colour that it explains."""


def legend_lines(refused: bool, unchecked: bool = False) -> list[Line]:
    """Return what the legend says: of a refused field no class, whose colours it does not carry.

    `unchecked` marks the classes as not checked at the site where the field was examined.
    """
    if refused:
        return [(REFUSED, None), (_NOTICE, None)]
    classes: list[Line] = [(each.title.partition(" (")[0], each.colour) for each in FIELD_CLASSES]
    return [*classes, *([(NOT_CHECKED, None)] if unchecked else []), (_NOTICE, None)]


def draw_legend(drawn: np.ndarray, lines: list[Line], cells: np.ndarray) -> None:
    """Draw `lines` into RGB uint8 (H, W, 3) `drawn`, in the corner that hides the least of `cells`.

    `cells` is (H, W), 0 where no cell is.
    """
    height, width = drawn.shape[:2]
    line = max(_LINE_PX, round(_LINE_PX * min(height, width) / _FIELD_PX))
    scale, thick = 0.75 * line / _FONT_HEIGHT_PX, max(1, line // 14)
    font = cv2.FONT_HERSHEY_SIMPLEX
    longest = max(cv2.getTextSize(text, font, scale, thick)[0][0] for text, _ in lines)
    box_height, box_width = min(height, line * len(lines) + line // 2), min(width, longest + 2 * line)
    corners = [(top, left) for top in (height - box_height, 0) for left in (0, width - box_width)]
    top, left = min(
        corners, key=lambda at: np.count_nonzero(cells[at[0] : at[0] + box_height, at[1] : at[1] + box_width])
    )
    box = drawn[top : top + box_height, left : left + box_width]
    box[:] = cv2.LUT(box, _darker())
    for number, (text, colour) in enumerate(lines):
        bottom = line * (number + 1)
        if colour is not None:
            cv2.rectangle(box, (line // 3, bottom - line * 2 // 3), (line, bottom), colour, cv2.FILLED)
        start = line // 3 if colour is None else line + line // 2
        cv2.putText(box, text, (start, bottom), font, scale, _TEXT, thick, cv2.LINE_AA)


def _darker() -> np.ndarray:
    """Return uint8 (1, 256, 3): what each value becomes under the legend."""
    values = np.arange(256)[:, np.newaxis] * (1 - _OPACITY) + np.array(_BOX) * _OPACITY
    return values.astype(np.uint8)[np.newaxis]
