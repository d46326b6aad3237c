"""The language of the screen."""

from device.screen.drawing.translation import ENGLISH, translated


def test_english_is_left_as_it_is():
    assert translated("Slide 7 is open.", ENGLISH) == "Slide 7 is open."
