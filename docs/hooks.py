"""Parts of the reference that are generated from the code when the site is built: see `GENERATED`."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from device.cameras.registry import CAMERAS
from device.counting.cell_classes import DEFAULT_CLASSES
from device.counting.class_colours import UNCLASSIFIED as NO_CLASS
from device.counting.class_colours import class_colours
from device.exports.registry import EXPORTS
from device.screen.displays import DISPLAYS
from device.settings import Settings
from smear.bundle.levels import LEVEL_SPECS
from smear.classes import FIELD_CLASSES
from smear.findings import BACKGROUND, CYTOPLASM, NUCLEUS
from smear.inference.overlay import UNCLASSIFIED
from smear.inference.tflite import RUNTIMES
from smear.registry import Spec

MARKER = re.compile(r"<!-- generated: ([a-z-]+) -->")
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
KINDS = {
    "array": "list",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "string": "text",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each `<!-- generated: NAME -->` of a page; MkDocs calls this once a page.

    Raises:
        KeyError: a page names a part that is not in `GENERATED`, which ends the build.
    """
    return MARKER.sub(lambda found: GENERATED[found[1]](), markdown)


def settings() -> str:
    """Return one table for each section of the settings file, from its pydantic schema."""
    schema = Settings.model_json_schema()
    parts = []
    for section, reference in schema["properties"].items():
        kind = schema["$defs"][reference["$ref"].rsplit("/", 1)[1]]
        rows = [
            (f"`{key}`", _allowed(facts), _default(facts), str(facts.get("description", "")))
            for key, facts in kind["properties"].items()
        ]
        head = ("setting", "takes", "default", "meaning")
        parts.append(f"## [{section}]\n\n{kind['description']}\n\n{_table(head, rows)}")
    return "\n\n".join(parts)


def _allowed(facts: dict[str, Any]) -> str:
    """Return in words what a setting takes; `facts` is its JSON schema."""
    choices = [facts, *facts.get("anyOf", [])]
    if named := [f"`{value}`" for each in choices for value in each.get("enum", [])]:
        return ", ".join(named)
    kind = next(KINDS[each["type"]] for each in choices if each.get("type") in KINDS)
    bounds = [f"{sign} {each[name]:g}" for each in choices for name, sign in BOUNDS.items() if name in each]
    return f"{kind} {', '.join(bounds)}".strip()


def _default(facts: dict[str, Any]) -> str:
    value = facts.get("default")
    if isinstance(value, list):  # of tables
        return ", ".join(each["name"] if isinstance(each, dict) else f"`{each}`" for each in value)
    return "none" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def cameras() -> str:
    """Return how each kind of camera is written, with what may follow `?` in its name, and what installs it."""
    rows = [
        (
            f"`{kind.written}`",
            kind.help,
            "<br>".join(f"`{name}`: {text}" for name, text in kind.options.items()),
            f"`{kind.install}`" if kind.install else "",
        )
        for kind in CAMERAS.all()
    ]
    return _table(("camera", "meaning", "options", "needs"), rows)


def kinds(specs: Iterable[Spec]) -> str:
    """Return how each of `specs` is written."""
    return _table(("name", "meaning"), [(f"`{spec.written}`", spec.help) for spec in specs])


def classes() -> str:
    """Return the colour of each class on the screen, in overlays and in tables."""
    rows = [(_swatch(each.colour), f"`{each.name}`", each.title, _rgb(each.colour)) for each in FIELD_CLASSES]
    rows.append((_swatch(UNCLASSIFIED), "", "cell without probabilities of its own", _rgb(UNCLASSIFIED)))
    return _table(("colour", "name in files", "class", "RGB"), rows)


def cell_classes() -> str:
    """Return the colour of each class of cells that the settings have by default."""
    colours = class_colours(DEFAULT_CLASSES)
    names = [*(each.name for each in DEFAULT_CLASSES), NO_CLASS]
    return _table(("colour", "class", "RGB"), [(_swatch(colours[n]), n, _rgb(colours[n])) for n in names])


def masks() -> str:
    """Return the values of a mask picture."""
    background = "background, and every cell that is not a leukocyte"
    names = {BACKGROUND: background, CYTOPLASM: "cytoplasm", NUCLEUS: "nucleus"}
    rows = [(_swatch((value, value, value)), str(value), name) for value, name in names.items()]
    return _table(("grey", "value", "meaning"), rows)


def decisions() -> str:
    """Return a list of every decision record by its own title."""
    records = sorted((Path(__file__).parent / "decisions").glob("[0-9]*.md"))
    return "\n".join(f"- [{_title(record)}]({record.name})" for record in records)


def _title(page: Path) -> str:
    title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    return title.replace(".", "\\.", 1)  # else Markdown takes "- 1. Title" for a list in a list


def _swatch(colour: tuple[int, int, int]) -> str:
    return f'<span class="swatch" style="background: rgb{colour}"></span>'


def _rgb(colour: tuple[int, int, int]) -> str:
    return ", ".join(map(str, colour))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *(tuple(row) for row in rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "&#124;") for cell in line) + " |" for line in lines)


GENERATED: dict[str, Callable[[], str]] = {
    "settings": settings,
    "cameras": cameras,
    "displays": lambda: kinds(DISPLAYS.all()),
    "runtimes": lambda: kinds(RUNTIMES.all()),
    "levels": lambda: kinds(LEVEL_SPECS),
    "classes": classes,
    "exports": lambda: kinds(EXPORTS.all()),
    "cell-classes": cell_classes,
    "masks": masks,
    "decisions": decisions,
}
"""What a page may ask for by `<!-- generated: NAME -->`."""
