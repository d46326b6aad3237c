"""Settings as a file to edit and use."""

import json
from collections.abc import Mapping
from typing import Any

from device.settings import Settings
from device.settings_faults import schema_extra

Values = dict[str, dict[str, Any]]
"""Settings by section and key, as JSON types."""


def values_of(settings: Settings, said: bool = False) -> Values:
    """Return the settings; `said`: those alone that were given, by a file or otherwise."""
    return settings.model_dump(mode="json", exclude_unset=said)


def to_toml(values: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the settings as a TOML file that reads back to the same, each key with its description."""
    parts = []
    for section, keys in values.items():
        parts.append(f"[{section}]")
        fields = type(getattr(Settings(), section)).model_fields
        for key, value in keys.items():
            shown = f"# {key} =" if value is None else f"{key} = {_toml(value)}"
            parts.append(f"{shown}  # {schema_extra(fields[key]).get('description', fields[key].description)}")
        parts.append("")
    return "\n".join(parts)


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[\n" + "".join(f"  {_toml(each)},\n" for each in value) + "]"
    if isinstance(value, dict):
        keys = {json.dumps(name): each for name, each in value.items() if each is not None}
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in keys.items()) + " }"
    return json.dumps("" if value is None else value, ensure_ascii=False)  # TOML has no null
