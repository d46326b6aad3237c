"""Text on the screen: every script of Europe has its glyphs, and nothing is cut that can be whole."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.screen.drawing import text as texts
from device.screen.drawing.text import FONT, clean, draw_line, fit, fit_sentences, font_of, measure, shorten, wrap

BLOCKS = {
    "Latin-1": (0xA1, 0x100),
    "Latin Extended": (0x100, 0x250),
    "Greek": (0x370, 0x400),
    "Cyrillic": (0x400, 0x500),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_our_own_font_has_every_letter_of(block: str) -> None:
    letters = [chr(code) for code in range(*BLOCKS[block]) if unicodedata.category(chr(code)) not in {"Cn", "Cf"}]
    assert [each for each in letters if font_of(each) != FONT] == []


def test_a_glyph_that_our_font_lacks_comes_from_the_systems(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    system = tmp_path_factory.mktemp("fonts")
    noto = system / "opentype/noto/NotoSansCJK-Regular.ttc"
    noto.parent.mkdir(parents=True)
    noto.touch()
    monkeypatch.setattr(texts, "SYSTEM_FONTS", system)
    monkeypatch.setattr(texts, "_has", lambda path, character: (path == noto) == (character == "血"))
    font_of.cache_clear()
    try:
        assert [font_of(each) for each in "a血"] == [FONT, noto]
    finally:
        font_of.cache_clear()


def test_what_no_font_has_is_a_box_and_no_error() -> None:
    assert font_of("\U0010fffe") is None
    assert measure("\U0010fffe", 14) > 0


@given(text=st.text(max_size=80), px=st.integers(9, 30), width=st.integers(40, 400))
@settings(max_examples=60, deadline=None)
def test_any_text_is_wrapped_without_losing_a_letter(text: str, px: int, width: int) -> None:
    lines = wrap(clean(text), px, width)
    assert all(measure(line, px) <= width or len(line) == 1 for line in lines)
    assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")


def test_a_text_is_made_smaller_before_anything_is_left_out() -> None:
    sentence = "out of focus: turn the fine focus until the nuclei are sharp"
    assert fit(sentence, 20, 400, 60)[0] == 20  # type: ignore[index]
    smaller = fit(sentence, 20, 200, 60)
    assert smaller is not None
    assert " ".join(smaller[1]) == sentence
    assert smaller[0] < 20
    assert fit(sentence, 20, 50, 30) is None


def test_sentences_that_find_no_room_are_counted() -> None:
    sentences = ("the lamp is off", "the disk is nearly full", "the clock was never set")
    found = fit_sentences(sentences, 14, 160, 12)
    assert found is not None
    assert (" ".join(found[1]), found[2]) == ("the lamp is off (+2 more)", False)


def test_a_text_too_long_ends_in_an_ellipsis() -> None:
    assert shorten("a very long slide name", 14, 80).endswith("…")
    assert shorten("short", 14, 80) == "short"


def test_text_at_the_edge_is_cut_off_not_an_error() -> None:
    screen = np.zeros((20, 20, 3), np.uint8)
    draw_line(screen, "wide words", (10, 12), 14, (255, 255, 255), (0, 0, 0))
    assert screen[12:, 10:].any()
