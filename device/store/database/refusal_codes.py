"""Refusals of records: as JSON, and how the sentences of schema 1 and 2 become codes."""

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from smear.findings import Refusal, RefusalCode
from smear.inference.overlay import refusal_json

_BY_SENTENCE = {
    "too dark": RefusalCode.TOO_DARK,
    "over- or underexposed": RefusalCode.BAD_EXPOSURE,
    "no clear glass": RefusalCode.TINTED_BACKGROUND,
    "no white cell found": RefusalCode.NO_CELLS,
    "no white cell found clear of the scale bar's corner": RefusalCode.NO_CELLS,
    "out of focus": RefusalCode.OUT_OF_FOCUS,
    "cells lie too thick": RefusalCode.TOO_CROWDED,
    "unlike anything learnt": RefusalCode.OUT_OF_DISTRIBUTION,
    "not sure enough": RefusalCode.UNCERTAIN,
    "the light has changed since the calibration": RefusalCode.LIGHT_CHANGED,
    "not steady yet": RefusalCode.UNSTEADY,
    "this record is damaged": RefusalCode.DAMAGED_RECORD,
}
"""What stood before the first bracket or colon of a refusal, which the store kept as a sentence up to schema 2."""


def refusals_text(refusals: Sequence[Refusal]) -> str:
    """Return what the column `refusals` holds for these."""
    return json.dumps([refusal_json(refusal) for refusal in refusals], ensure_ascii=False, allow_nan=False)


def refusals_of(values: Sequence[Any]) -> tuple[Refusal, ...]:
    """Return the refusals that the unpacked column `refusals` holds; a code that is not known becomes `OTHER`."""
    found = []
    for value in values:
        given = value if isinstance(value, dict) else {"advice": value}
        code = str(given.get("code", RefusalCode.OTHER))
        found.append(Refusal(_code_of(code), str(given.get("advice", code))))
    return tuple(found)


def _code_of(sentence: str) -> RefusalCode:
    """Return the code of a stored sentence, of its words before the figures, or of a code; unknown ones are `OTHER`."""
    words = re.split(r"[(:]", sentence, maxsplit=1)[0].strip()
    return _BY_SENTENCE.get(words, RefusalCode(words) if words in set(RefusalCode) else RefusalCode.OTHER)


def code_refusals(connection: sqlite3.Connection) -> None:
    """Migrate schema 2 to 3: sentences in `fields.refusals` and in `slide_counts` become codes."""
    connection.execute("ALTER TABLE slide_counts RENAME TO slide_counts_2")
    connection.execute(
        "CREATE TABLE slide_counts ("
        " slide_id INTEGER NOT NULL REFERENCES slides (id) ON DELETE CASCADE,"
        " kind TEXT NOT NULL,"  # 'label', 'refusal' (by code) or 'count'
        " name TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (slide_id, kind, name)) WITHOUT ROWID"
    )
    counts = connection.execute("SELECT slide_id, kind, name, n FROM slide_counts_2").fetchall()
    connection.executemany(
        "INSERT INTO slide_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(slide, kind, str(_code_of(name)) if kind == "refusal" else name, n) for slide, kind, name, n in counts],
    )
    connection.execute("DROP TABLE slide_counts_2")
    rows = connection.execute("SELECT id, refusals FROM fields WHERE refusals <> '[]'")
    connection.executemany(
        "UPDATE fields SET refusals = ? WHERE id = ?",
        ((text, field) for field, old in rows.fetchall() if (text := _with_codes(old)) is not None),
    )


def _with_codes(text: object) -> str | None:
    """Return the column with codes; None where the disk has damaged it, which reading then tells."""
    try:
        sentences = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if not isinstance(sentences, list):
        return None
    return refusals_text([Refusal(_code_of(str(sentence)), str(sentence)) for sentence in sentences])
