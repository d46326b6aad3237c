"""Refusals as they were stored before they had codes: sentences, which become codes here and nowhere else."""

import re

from smear.findings import RefusalCode

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
"""What stood before the first bracket or colon of a refusal that was stored as a sentence: by the store up to schema 2,
by the controls of training in schema 1."""


def code_of(sentence: str) -> RefusalCode:
    """Return the code of a stored sentence, of its words before the figures, or of a code; unknown ones are `OTHER`."""
    words = re.split(r"[(:]", sentence, maxsplit=1)[0].strip()
    return _BY_SENTENCE.get(words, RefusalCode(words) if words in set(RefusalCode) else RefusalCode.OTHER)
