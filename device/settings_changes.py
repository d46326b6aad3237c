"""Settings that were changed in the browser: a file in the data folder, for keys that the settings file leaves out."""

import os
from collections.abc import Mapping
from pathlib import Path

from device.settings import Settings, load_settings
from device.settings_toml import Values, values_of

FILE = "settings.toml"
ON_DEVICE = frozenset(
    {"model.bundle", "model.require_signature", "model.delegate", "store.folder", "laboratory.hl7_folder"}
    | {f"mqtt.{name}" for name in ("host", "port", "tls", "ca_file", "user", "password_file")}
)
"""Folders, keys, a library and who gets a password: who chooses them may run what lies there, or read any file of the
web's, so the settings file alone does."""


def changes_in(data: Path) -> Values:
    """Return what was changed; what the settings file alone may say is passed over, whoever wrote it.

    Raises:
        SettingsError: the file cannot be read or holds faults.
    """
    found = values_of(load_settings(data / FILE), said=True) if os.access(data / FILE, os.R_OK) else {}
    return {section: {key: each for key, each in keys.items() if f"{section}.{key}" not in ON_DEVICE}
            for section, keys in found.items()}  # fmt: skip


def with_changes(settings: Settings, changes: Values) -> Settings:
    """Return the settings of a file, and where that says nothing the changed ones."""
    if not changes:
        return settings
    said = values_of(settings, said=True)
    return Settings.model_validate({each: changes.get(each, {}) | said.get(each, {}) for each in Settings.model_fields})


def replaced(settings: Settings, given: Mapping[str, object]) -> Settings:
    """Return the settings with the values in `given`, by SECTION.KEY, which the command line has checked."""
    for name, value in given.items():
        section, key = name.split(".")
        changed = getattr(settings, section).model_copy(update={key: value})
        settings = settings.model_copy(update={section: changed})
    return settings
