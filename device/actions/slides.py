"""Looking at slides and fields, and changing what is said of them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from device.actions.base import (
    MAX_ITEMS,
    Action,
    ActionError,
    After,
    Context,
    FieldNumber,
    Limit,
    Request,
    Role,
    SlideName,
    cell_json,
    event_json,
    events_json,
)
from device.exports.documents import slide_json
from device.store import SlideRecord, Store
from device.store.names import LAST_NUMBER
from device.store.review.audit_trail import Event
from device.store.review.sign_off import Counted
from device.store.rows import NONE_OF_THEM
from smear.classes import LABELS
from smear.errors import StoreError


class ListSlides(Request):
    """Which slides to list."""

    limit: Limit = 20
    before: Annotated[int, Field(ge=1, le=LAST_NUMBER, description="only slides older than this one")] | None = None
    search: Annotated[str, Field(max_length=80, description="only slides that say this somewhere")] | None = None


class OneSlide(Request):
    """Which slide."""

    slide: SlideName


class ShowSlide(OneSlide):
    """Which slide, and which of its fields."""

    limit: Annotated[int, Field(ge=0, le=MAX_ITEMS)] = 20
    after: After = 0


class History(OneSlide):
    """Which slide, also a deleted one, and which of its events."""

    limit: Limit = MAX_ITEMS
    after: After = 0


class OneField(Request):
    """Which field."""

    field: FieldNumber


class Waiting(Request):
    """Which of the fields that wait for a person."""

    limit: Limit = 20
    after: After = 0


class Review(OneField):
    """What a person says of a field: a class of fields, none of them, or that somebody should look at it."""

    label: Literal["Benign", "Early", "Pre", "Pro", "none"] | None = None
    ask: bool = False


class Keep(OneSlide):
    """What is never removed to make room, or no longer."""

    field: FieldNumber | None = None
    off: bool = False


class Edit(OneSlide):
    """What is said of a slide; what is left out stays."""

    name: str | None = None
    stain: str | None = None
    specimen: str | None = None
    note: str | None = None
    slide_operator: Annotated[str, Field(description="who made it")] | None = None


class Rename(OneSlide):
    """A slide, and its new name."""

    name: str


class Merge(OneSlide):
    """A slide, and the other one that becomes part of it."""

    other: SlideName


class Delete(OneSlide):
    """A slide to remove for good."""

    signed: Annotated[bool, Field(description="also one that was signed")] = False


def counted(context: Context, slide: SlideRecord) -> Counted:
    """Return the state of a slide and its counts, by the settings or as it was signed."""
    cells = context.settings.cells
    return context.store.counted(slide, cells.classes, cells.target)


def slide_with_work(context: Context, slide: SlideRecord) -> dict[str, Any]:
    """Return a slide, its summary and the work that people did on it, as JSON types."""
    return slide_json(context.store, slide, counted(context, slide))


def slide_number(store: Store, name: str, left: Callable[[int], Sequence[object]]) -> int:
    """Return the number of the slide called `name`; also of a deleted one, of which `left` returns what stayed.

    Raises:
        StoreError: there is none.
    """
    try:
        return store.slide_called(name).id
    except StoreError:
        if not name.isdecimal() or int(name) > LAST_NUMBER or not left(int(name)):
            raise
        return int(name)


def keep(context: Context, request: Keep) -> Event | None:
    """Mark a slide or one of its fields to be kept, or no longer; None: it was so before.

    Raises:
        StoreError: there is no such slide, or the field is not of it.
    """
    slide, field = context.store.slide_called(request.slide), request.field
    if field is not None and context.store.field(field).slide_id != slide.id:
        raise StoreError(f"field {field} is not of slide {slide.id}; 'smearscope slides show {slide.id}' lists them")
    if field is not None:
        return context.store.set_keep(not request.off, field_id=field, operator=context.operator)
    return context.store.set_keep(not request.off, slide_id=slide.id, operator=context.operator)


def _list(context: Context, request: ListSlides) -> dict[str, Any]:
    store, limit, before = context.store, request.limit, request.before
    found = store.slides(limit, before) if request.search is None else store.find_slides(request.search, limit, before)
    return {"slides": [slide_with_work(context, slide) for slide in found]}


def _show(context: Context, request: ShowSlide) -> dict[str, Any]:
    slide = context.store.slide_called(request.slide)
    fields = context.store.fields(slide.id, request.limit, request.after)
    return slide_with_work(context, slide) | {"fields": [record.to_json() for record in fields]}


def _history(context: Context, request: History) -> dict[str, Any]:
    store = context.store
    slide_id = slide_number(store, request.slide, lambda number: store.events(number, 1))
    return {"events": events_json(store.events(slide_id, request.limit, request.after))}


def _field(context: Context, request: OneField) -> dict[str, Any]:
    field = context.store.field(request.field)
    cells = context.store.cells(field.id)
    return field.to_json() | {"cells": [cell_json(each) for each in cells]}


def _waiting(context: Context, request: Waiting) -> dict[str, Any]:
    return {"fields": [each.to_json() for each in context.store.to_review(request.limit, request.after)]}


def _review(context: Context, request: Review) -> dict[str, Any]:
    if (request.label is None) != request.ask:
        raise ActionError(f"slides review: give a label, one of {', '.join(LABELS)} and none, or ask")
    label = NONE_OF_THEM if request.label == "none" else request.label
    return event_json(
        context.store.set_review(request.field, wanted=request.ask, label=label, operator=context.operator)
    )


def _edit(context: Context, request: Edit) -> dict[str, Any]:
    slide = context.store.slide_called(request.slide)
    said = request.model_dump(exclude={"slide"})
    return {"slide": slide.id, "events": events_json(context.store.edit_slide(slide.id, context.operator, **said))}


def _rename(context: Context, request: Rename) -> dict[str, Any]:
    return _edit(context, Edit.model_construct(slide=request.slide, name=request.name))


def _merge(context: Context, request: Merge) -> dict[str, Any]:
    into, other = (context.store.slide_called(name) for name in (request.slide, request.other))
    return event_json(context.store.merge_slides(into.id, other.id, context.operator))


def _delete(context: Context, request: Delete) -> dict[str, Any]:
    slide = context.store.slide_called(request.slide)
    context.store.delete_slide(slide.id, operator=context.operator, signed=request.signed)
    return {"deleted": slide.id}


ACTIONS: tuple[Action[Any], ...] = (
    Action("slides list", "List the slides, newest first", Role.VIEWER, ListSlides, _list),
    Action("slides show", "Sum up one slide and list its fields", Role.VIEWER, ShowSlide, _show),
    Action("slides history", "Show who did what to a slide", Role.VIEWER, History, _history),
    Action("fields show", "Show one field with its cells", Role.VIEWER, OneField, _field),
    Action("fields waiting", "List the fields that wait for a person", Role.VIEWER, Waiting, _waiting),
    Action("slides review", "Say what a field is, or that somebody should look at it", Role.OPERATOR, Review, _review,
           changes=True),
    Action("slides keep", "Never remove a slide, or one field, to make room", Role.OPERATOR, Keep,
           lambda context, request: event_json(keep(context, request)), changes=True),
    Action("slides edit", "Change what is said of a slide", Role.OPERATOR, Edit, _edit, changes=True),
    Action("slides rename", "Give a slide another name", Role.OPERATOR, Rename, _rename, changes=True),
    Action("slides merge", "Move the fields of another slide to a slide", Role.OPERATOR, Merge, _merge, changes=True),
    Action("slides delete", "Remove a slide for good", Role.ADMIN, Delete, _delete, changes=True),
)  # fmt: skip
