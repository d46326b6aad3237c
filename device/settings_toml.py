"""Settings as a file to edit and use."""

import dataclasses
import json
from pathlib import Path

from device.counting.cell_classes import CellClass
from device.settings import Settings
from device.settings_faults import schema_extra


def to_toml(settings: Settings) -> str:
    """Return the settings as a TOML file that reads back to the same, each key with its description."""
    parts = []
    for section, model in Settings.model_fields.items():
        parts.append(f"[{section}]")
        values = getattr(settings, section)
        for key, info in type(values).model_fields.items():
            value = getattr(values, key)
            shown = f"# {key} =" if value is None else f"{key} = {_toml(value)}"
            parts.append(f"{shown}  # {schema_extra(info).get('description', info.description)}")
        parts.append("")
        assert model.annotation is type(values)
    return "\n".join(parts)


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[\n" + "".join(f"  {_toml(each)},\n" for each in value) + "]"
    if isinstance(value, CellClass):
        keys = {name: each for name, each in dataclasses.asdict(value).items() if each is not None}
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in keys.items()) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
