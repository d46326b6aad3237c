"""What is wrong in a settings file, in words: each fault with its line and with what is allowed instead."""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from device.cameras.uri import without_credentials


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in the file."""

    line: int | None
    text: str


def faults_of(error: ValidationError, text: str, model: type[BaseModel]) -> list[Fault]:
    """Return what pydantic found wrong in TOML `text`, which `model` describes, by line."""
    lines = _lines(text)
    faults = [Fault(_line_of(lines, fault["loc"]), _describe(fault, model)) for fault in error.errors()]
    return sorted(faults, key=lambda fault: (fault.line or 0, fault.text))


def line_of(text: str, where: Sequence[str]) -> int | None:
    """Return the line in TOML `text` of the key at `where`, or of its section; None where neither is there."""
    return _line_of(_lines(text), tuple(where))


def schema_extra(info: FieldInfo) -> dict[str, Any]:
    """Return what a field adds to its JSON schema, such as the names in a registry."""
    extra: dict[str, Any] = {}
    if callable(info.json_schema_extra):
        info.json_schema_extra(extra)
    return extra


def _describe(fault: ErrorDetails, model: type[BaseModel]) -> str:
    """Return one of pydantic's errors as a sentence that says what is allowed."""
    where = tuple(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return _unknown(where, model)
    own = str(fault["ctx"]["error"]) if fault["type"] == "value_error" else ""  # of a validator of ours
    if own and fault["input"] is None:
        return own  # of a key that is left out
    given = without_credentials(json.dumps(fault["input"], default=str))
    return f"{'.'.join(where)} = {given} is not allowed; {own or _allowed(where, model) or fault['msg']}"


def _unknown(where: tuple[str, ...], model: type[BaseModel]) -> str:
    """Suggest the most similar key of the same section, or the section that the key belongs to."""
    *section, key = where
    known = list(_fields(section[0], model) if section else model.model_fields)
    place = f"[{section[0]}]" if section else "the file"
    if close := difflib.get_close_matches(key, known, 1, 0.6):
        return f"{'.'.join(where)} is not known; did you mean {close[0]!r}?"
    homes = [name for name in model.model_fields if key in _fields(name, model)]
    if homes and (not section or homes[0] != section[0]):
        return f"{'.'.join(where)} is not known; {key!r} belongs into [{homes[0]}]"
    return f"{'.'.join(where)} is not known; {place} takes {', '.join(known)}"


def _fields(section: str, model: type[BaseModel]) -> dict[str, FieldInfo]:
    info = model.model_fields.get(section)
    kind = info.annotation if info else None
    return dict(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _allowed(where: tuple[str, ...], model: type[BaseModel]) -> str:
    """Return in words which values the key at `where` takes."""
    if len(where) == 1:
        return f"write a section [{where[0]}] with keys in it"
    info = _fields(where[0], model).get(where[1])
    if info is None:
        return ""
    if names := schema_extra(info).get("enum"):
        return f"allowed: {', '.join(names)}"
    kind: Any = (get_args(info.annotation) or [info.annotation])[0]
    words = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a text in quotes")
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    bounds = [f"{sign} {getattr(m, name):g}" for m in info.metadata for name, sign in signs.items() if hasattr(m, name)]
    return f"allowed: {' '.join([words, ' and '.join(bounds)]).strip()}"


_TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([\w\-.\"' ]+?)\s*=")


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each table and key, which tomllib does not keep; TOML allows each only once."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = _path(match[1])
            lines.setdefault(table, number)
        elif match := _KEY.match(line):
            lines.setdefault(table + _path(match[1]), number)
    return lines


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _line_of(lines: dict[tuple[str, ...], int], where: tuple[int | str, ...]) -> int | None:
    path = tuple(str(part) for part in where)
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)
