"""Showing the settings, and changing those that the settings file leaves out."""

import json
from typing import Annotated, Any

from pydantic import Field

from device.actions.base import Action, Context, Request, Role
from device.settings import Settings, load_settings, parse_settings
from device.settings_changes import FILE, ON_DEVICE, changes_in, with_changes
from device.settings_checks import check_on_machine
from device.settings_toml import Values, to_toml, values_of
from device.store.database.connection import FILE_MODE
from device.store.review import audit_trail
from smear.output_files import OutputFolder, printable

FILE_SAYS = "the settings file says it; change it there"
TAKEN_UP = "model.level"  # while the device runs
MEANWHILE = "somebody else changed it meanwhile"


class Change(Request):
    """New values by SECTION.KEY; null or an empty text: the default."""

    values: Annotated[dict[str, Any], Field(max_length=100)]
    before: dict[str, Any] = Field(
        default_factory=dict, max_length=100,
        description="'changed' of settings as they were seen: one that somebody has changed since has a fault",
    )  # fmt: skip


def _show(context: Context, request: Request) -> dict[str, Any]:
    file, changes, default = load_settings(context.config), changes_in(context.store.folder), values_of(Settings())
    now, in_force, described = values_of(with_changes(file, changes)), values_of(context.settings), _described()
    said, rows = values_of(file, said=True), []
    for name, about in described.items():
        section, key = name.split(".")
        rows.append({
            "name": name, "changed": changes.get(section, {}).get(key),
            "value": (in_force if context.started_by(name) else now)[section][key],
            "default": default[section][key], "description": about["description"], "fixed": _fixed(context, name, said),
            "choices": [True, False] if about.get("type") == "boolean" else about.get("enum", []),
            "waits": not (name == TAKEN_UP or context.started_by(name)) and now[section][key] != in_force[section][key],
        })  # fmt: skip
    return {"settings": rows}


def _described() -> dict[str, Any]:
    schema = Settings.model_json_schema()
    sections = {name: about["$ref"].rpartition("/")[2] for name, about in schema["properties"].items()}
    return {f"{name}.{key}": about for name, section in sections.items()
            for key, about in schema["$defs"][section]["properties"].items()}  # fmt: skip


def _fixed(context: Context, name: str, said: Values) -> str:
    """Return why `name` cannot be changed here, "" where it can; `said` is what the settings file says."""
    section, _, key = name.partition(".")
    if started := context.started_by(name):
        return started
    if key in said.get(section, {}):
        return FILE_SAYS
    return "the settings file alone can say it" if name in ON_DEVICE else ""


def _change(context: Context, request: Change) -> dict[str, Any]:
    with OutputFolder(context.store.folder) as folder, folder.alone():
        return _change_alone(context, folder, request)


def _change_alone(context: Context, folder: OutputFolder, request: Change) -> dict[str, Any]:
    file, changes, known, faults = load_settings(context.config), changes_in(context.store.folder), _described(), {}
    said, before = values_of(file, said=True), {section: dict(keys) for section, keys in changes.items()}
    for name, value in request.values.items():
        section, _, key = name.partition(".")
        now = changes.get(section, {}).get(key)
        fault = _fixed(context, name, said) if name in known else "there is no such setting"
        if fault := fault or _meanwhile(request.before.get(name, now), now):
            faults[printable(name)] = fault
        elif value is None or value == "":
            changes.get(section, {}).pop(key, None)
        else:
            changes.setdefault(section, {})[key] = value
    found = parse_settings(text := to_toml(changes))
    own = {f"{section}.{key}" for section, keys in changes.items() for key in keys}
    wrong = check_on_machine(with_changes(file, changes), text) if isinstance(found, Settings) else found
    for each in wrong:  # each names its setting first; of others the device had them before
        name = next((name for name in known if each.text.startswith(name)), "")
        if name in own or isinstance(found, list):
            faults[name] = each.text
    if faults or not isinstance(found, Settings):
        return {"changed": [], "faults": faults}
    return {"changed": _keep(context, folder, before, values_of(found, said=True)), "faults": {}}


def _meanwhile(before: object, now: object) -> str:
    """Return that a setting is no longer as it was seen; "" where it is."""
    if before == now:
        return ""
    shown = "the default" if now is None else json.dumps(now, ensure_ascii=False, allow_nan=False)
    return f"{MEANWHILE}: it is {shown} now. Save again to have yours"


def _keep(context: Context, folder: OutputFolder, before: Values, after: Values) -> list[str]:
    """Write what is changed now, and what differs into the audit trail; return the names of that."""
    folder.write(FILE, to_toml(after).encode(), mode=FILE_MODE)
    old, new = (
        {f"{section}.{key}": f"{section}.{key} = {json.dumps(value, allow_nan=False)}" for section, keys in each.items()
         for key, value in keys.items()} for each in (before, after)
    )  # fmt: skip
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    for name in changed:
        context.store.note_of_device(context.operator, audit_trail.Action.SETTING, old.get(name), new.get(name))
    return changed


ACTIONS: tuple[Action[Any], ...] = (
    Action("settings show", "Show every setting, and which wait for a restart", Role.VIEWER, Request, _show,
           of_session=True),
    Action("settings change", "Change settings; a faulty change changes nothing, and its faults are listed by name",
           Role.ADMIN, Change, _change, changes=True),
)  # fmt: skip
