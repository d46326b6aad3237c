"""The language of the screen: sentences are translated where they are drawn, by gettext catalogues.

Many sentences come from below with their figures in them: a refusal, an error of the store. So a message of a catalogue
may have fields, "Slide {slide} is open.", which stand for whatever is there and are put into its translation.
"""

import gettext
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

DOMAIN, FOLDER = "smearscope", Path(__file__).parents[1] / "locale"
ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "de": "Deutsch", "es": "Español", "fr": "Français", "id": "Bahasa Indonesia"}
JOINT = " · "  # between sentences in one line
_FIELD = re.compile(r"\{(\w+)\}")
_TEXT, _LIST = "t_", "l_"  # begin the name of a field that holds a text, or several after commas, to be translated too
_KEPT = 4096  # sentences: those of a minute of changing figures


@lru_cache(_KEPT)
def translated(sentence: str, language: str) -> str:
    """Return an English `sentence` in one of `LANGUAGES`; one that its catalogue lacks, such as a name, as it is."""
    if language == ENGLISH or not sentence.strip():
        return sentence
    catalogue = _catalogue(language)
    if found := catalogue.whole.get(sentence):
        return found
    for literal, pattern, translation in catalogue.patterns:
        if literal in sentence and (match := pattern.fullmatch(sentence)):
            fields = match.groupdict()
            for name in fields:
                if name.startswith(_TEXT):
                    fields[name] = translated(fields[name], language)
                elif name.startswith(_LIST):
                    fields[name] = ", ".join(translated(each, language) for each in fields[name].split(", "))
            return translation.format(**fields)
    if JOINT in sentence:
        return JOINT.join(translated(part, language) for part in sentence.split(JOINT))
    return sentence


class _Catalogue:
    """The messages of one language: those that stand as they are, and those with fields, the most specific first."""

    def __init__(self, language: str) -> None:
        messages = dict(_messages(language))
        self.whole = {message: text for message, text in messages.items() if not _FIELD.search(message)}
        rows = [(_literals(message), message, text) for message, text in messages.items() if _FIELD.search(message)]
        rows.sort(key=lambda row: -sum(map(len, row[0])))
        self.patterns = [(max(parts, key=len), _pattern(message), text) for parts, message, text in rows]


_catalogue = lru_cache(len(LANGUAGES))(_Catalogue)


def _messages(language: str) -> Iterator[tuple[str, str]]:
    file = gettext.find(DOMAIN, FOLDER, [language])
    if file is None:
        return
    with Path(file).open("rb") as opened:
        found: Any = vars(gettext.GNUTranslations(opened))["_catalog"]  # there is no public way to list messages
    yield from ((message, text) for message, text in found.items() if message and text)


def _literals(message: str) -> list[str]:
    return _FIELD.sub("\0", message).split("\0")


def _pattern(message: str) -> re.Pattern[str]:
    parts = _FIELD.split(message)  # text, field, text, field, ..., text
    return re.compile("".join(f"(?P<{part}>.+?)" if n % 2 else re.escape(part) for n, part in enumerate(parts)))
