"""The levels of quantization, and what the rest of the product reads off them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from smear.bundle.levels import LEVEL_SPECS, LEVELS, SLOW, Level, level_spec
from smear.errors import BundleError


def test_every_level_says_what_it_is() -> None:
    assert all(spec.help and not spec.help.endswith(".") for spec in LEVEL_SPECS)
    assert len(set(LEVELS)) == len(LEVELS)


def test_only_the_edge_tpu_needs_a_delegate_and_int8_stands_in_for_it() -> None:
    assert [spec.name for spec in LEVEL_SPECS if spec.needs_delegate] == ["edgetpu"]
    assert level_spec("edgetpu").cpu_level == "int8"
    assert all(spec.cpu_level is None for spec in LEVEL_SPECS if not spec.needs_delegate)


def test_int16x8_alone_is_slow() -> None:
    assert {"int16x8"} == SLOW


def test_an_unknown_level_lists_the_known_ones() -> None:
    with pytest.raises(BundleError, match="'int4' is no level; write one of: float32, float16, dynamic, int8"):
        level_spec("int4")
    with pytest.raises(ValidationError, match="float32, float16, dynamic"):
        TypeAdapter(Level).validate_python("int4")


def test_the_schema_lists_the_levels() -> None:
    assert TypeAdapter(Level).json_schema()["enum"] == list(LEVELS)
