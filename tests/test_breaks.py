"""The table of `make breaks` follows the sources: each text is there once, and each test exists."""

import pytest

from tests.virtual_device.breaks import BREAKS, PROJECT, Break


@pytest.mark.parametrize("one", BREAKS.values(), ids=list(BREAKS))
def test_every_break_finds_its_text_and_its_test(one: Break) -> None:
    assert (PROJECT / one.file).read_text(encoding="utf-8").count(one.sound) == 1
    file, _, name = one.test.partition("::")
    assert f"def {name}(" in (PROJECT / file).read_text(encoding="utf-8")
