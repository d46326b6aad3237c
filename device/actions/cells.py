"""Looking at cells, and classifying them."""

from typing import Annotated, Any

from pydantic import Field

from device.actions.base import (
    MAX_ITEMS,
    Action,
    ActionError,
    CellName,
    Context,
    Limit,
    Order,
    Request,
    Role,
    SlideName,
    cell_json,
    event_json,
    events_json,
    place_of,
)
from device.counting.cell_classes import CellClass, class_called
from device.store import CellRecord, Store

ClassName = Annotated[str, Field(max_length=40, description="a class of the settings, by name or key")]


class ListCells(Request):
    """Which cells of a slide to list."""

    slide: SlideName
    cell_class: ClassName | None = Field(default=None, alias="class")
    unclassified: bool = False
    order: Order = "taken"
    after: CellName | None = None
    limit: Limit = 20


class ShowCell(Request):
    """Which cell."""

    cell: CellName


class Classify(Request):
    """Cells, and what they are."""

    cells: Annotated[list[CellName], Field(min_length=1, max_length=MAX_ITEMS)]
    cell_class: ClassName = Field(alias="class")


class Undo(Request):
    """The slide on which the last classification is taken back."""

    slide: SlideName


def known_class(store: Store, slide_id: int, classes: tuple[CellClass, ...], text: str) -> str:
    """Return the class that `text` names: one of the settings, or one that the slide has from earlier settings.

    Raises:
        StoreError: it is neither.
    """
    if text in store.class_totals(slide_id):
        return text
    return class_called(classes, text).name


def whole_cell_json(store: Store, cell: CellRecord) -> dict[str, Any]:
    """Return a cell with all that people said of it, as JSON types."""
    place = cell.field_id, cell.number
    events = events_json(store.events_of_cell(*place))
    return cell_json(cell) | {"said": store.said_of_cell(*place), "events": events}


def _list(context: Context, request: ListCells) -> dict[str, Any]:
    if request.unclassified and request.cell_class is not None:
        raise ActionError("cells list: give class or unclassified, not both")
    slide, classes = context.store.slide_called(request.slide), context.settings.cells.classes
    found = context.store.browse(
        slide.id,
        cell_class=request.cell_class and known_class(context.store, slide.id, classes, request.cell_class),
        unclassified=request.unclassified,
        order=request.order,
        after=place_of(request.after) if request.after else None,
        limit=request.limit,
    )
    return {"cells": [cell_json(each) for each in found]}


def _classes(context: Context, request: Request) -> dict[str, Any]:
    cells = context.settings.cells
    classes = [{"name": each.name, "key": each.key, "role": str(each.role)} for each in cells.classes]
    return {"classes": classes, "target": cells.target}


def _classify(context: Context, request: Classify) -> dict[str, Any]:
    name = class_called(context.settings.cells.classes, request.cell_class).name
    events = context.store.classify(context.operator, [place_of(each) for each in request.cells], name)
    return {"class": name, "events": events_json(events)}


def _undo(context: Context, request: Undo) -> dict[str, Any]:
    return event_json(context.store.undo(context.operator, context.store.slide_called(request.slide).id))


ACTIONS: tuple[Action[Any], ...] = (
    Action("cells list", "List the cells of a slide that may be counted", Role.VIEWER, ListCells, _list),
    Action("cells show", "Show what is known of a cell", Role.VIEWER, ShowCell,
           lambda context, request: whole_cell_json(context.store, context.store.cell(*place_of(request.cell)))),
    Action("cells classes", "List the classes of cells and how many leukocytes to count", Role.VIEWER, Request,
           _classes),
    Action("cells classify", "Say what cells are", Role.OPERATOR, Classify, _classify, changes=True),
    Action("cells undo", "Take back one's last classification on a slide", Role.OPERATOR, Undo, _undo, changes=True),
)  # fmt: skip
