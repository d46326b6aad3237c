"""The classes of cells that a laboratory sets."""

from dataclasses import replace

import pytest

from device.counting.cell_classes import DEFAULT_CLASSES, CellClass, Role
from device.settings import CellSettings, Settings, parse_settings
from device.settings_toml import to_toml, values_of

BLAST, *OTHERS = DEFAULT_CLASSES


def test_classes_are_read_from_the_settings_and_written_as_they_were_read():
    text = """[cells]
classes = [{name = "Blast (L1)", key = "1", teaches = "Pre"},
  {name = "?", key = "u", role = "unidentified"}]"""
    found = parse_settings(text)
    assert isinstance(found, Settings)
    assert found.cells.classes == (
        CellClass("Blast (L1)", "1", Role.LEUKOCYTE, "Pre"),
        CellClass("?", "u", Role.UNIDENTIFIED),
    )
    assert parse_settings(to_toml(values_of(found))) == found


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ([replace(BLAST, key="h"), *OTHERS], "key 'h' is given to several"),
        ([replace(BLAST, name="monocyte"), *OTHERS], "name 'monocyte' is given to several"),
        ([replace(BLAST, name="\x1b[2J"), *OTHERS], "printable"),
        ([replace(BLAST, key="B"), *OTHERS], "small letter or digit"),
        ([replace(BLAST, teaches="AML"), *OTHERS], "cannot teach 'AML'"),
        ([BLAST], "no class has the role 'unidentified'"),
    ],
)
def test_classes_that_cannot_be_used_are_refused_with_the_reason(wrong, text):
    with pytest.raises(ValueError, match=text):
        CellSettings(classes=wrong)


def test_a_wrong_class_in_the_file_is_a_fault_of_its_line():
    faults = parse_settings('[cells]\nclasses = [{name = "blast", key = "b", colour = "red"}]')
    assert isinstance(faults, list)
    assert faults[0].line == 2
    assert "colour" in faults[0].text
