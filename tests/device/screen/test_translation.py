"""The language of the screen: catalogues that are whole, and texts that fit in every language."""

import re
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from device.screen.arrangement import SIZE
from device.screen.drawing.translation import DOMAIN, ENGLISH, FOLDER, LANGUAGES, translated
from device.screen.navigation.composition import compose
from device.screen.pages.live import LivePage
from tests.device.screen.page_states import EMPTY, PAGES
from tests.device.screen.readable import unreadable
from tests.device.screen.states import STATES

OTHERS = [each for each in LANGUAGES if each != ENGLISH]
EVERY = {
    **{f"live {name}": (LivePage(), state) for name, state in STATES.items()},
    **PAGES,
    **{f"other {name}": each for name, each in EMPTY.items()},
}
DATA = {
    "Smearscope", "Benign", "Early", "Pre", "Pro", "Early Pre-B", "Pre-B", "Pro-B", "Benign (hematogones)",
    "Anna Berger", "Jan Novák", "blood", "Müller-Großmann", "Łódź", "picamera2", "live: ", "Escape",
    *LANGUAGES.values(),
}  # fmt: skip
"""What is the same in both languages: names, and what people typed."""
ERROR = "! cannot store the field"  # errors from below the screen stay in English
every_language = pytest.mark.parametrize("language", OTHERS)


def catalogue(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file, locale=language)


@every_language
def test_a_catalogue_translates_every_message_of_the_others_with_its_fields(language: str) -> None:
    found = {each.id: each.string for each in catalogue(language) if each.id}
    assert set(found) == {each.id for each in catalogue("de") if each.id}
    assert [message for message, text in found.items() if not text] == []
    different = [m for m, text in found.items() if _fields(m) != _fields(text)]
    assert different == []


@every_language
def test_what_the_screen_reads_is_compiled_from_the_catalogue(language: str) -> None:
    """Else run: pybabel compile -d device/screen/locale -D smearscope."""
    for each in catalogue(language):
        if each.id and not _fields(each.id):
            assert translated(each.id, language) == each.string


@every_language
@pytest.mark.parametrize("size", [SIZE, (480, 320), (480, 800)])
@pytest.mark.parametrize("name", EVERY)
def test_every_text_is_whole_in_every_language(name: str, size: tuple[int, int], language: str) -> None:
    assert unreadable(compose(*EVERY[name], size, language=language).canvas.written) == []


@pytest.mark.parametrize("name", EVERY)
def test_every_sentence_of_the_screen_is_translated(name: str) -> None:
    english, german = (compose(*EVERY[name], SIZE, language=each).canvas.written for each in (ENGLISH, "de"))
    same = {each.text for each in english} & {each.text for each in german}
    assert {text for text in same if _is_sentence(text) and not text.startswith(ERROR)} == set()


def test_a_sentence_with_figures_is_translated_and_what_a_person_typed_is_not() -> None:
    assert translated("Slide Back is open.", "de") == "Präparat Back ist offen."
    assert translated("Quality control: cleared", "fr") == "Contrôle de qualité : validé"
    assert translated("6 white cells, 62 ms · camera picamera2:0", "es") == "6 leucocitos, 62 ms · cámara picamera2:0"
    assert translated("S-0042", "de") == "S-0042"


def _fields(message: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(message) if name)


def _is_sentence(text: str) -> bool:
    """Whether `text` has a word that is not a name, a figure or a unit."""
    left = text
    for each in sorted(DATA, key=len, reverse=True):
        left = left.replace(each, "")
    return re.search(r"[a-z]{4}", left) is not None


def test_every_language_has_a_catalogue() -> None:
    assert sorted(path.name for path in Path(FOLDER).iterdir()) == sorted(OTHERS)
