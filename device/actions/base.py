"""An action: its name, who may do it, what it is asked with, and what answers it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from device.settings import Settings
from device.store import CellRecord, Store
from device.store.names import checked_operator
from device.store.review.audit_trail import Event
from smear.errors import SmearscopeError
from smear.output_files import printable

MAX_ITEMS = 200  # of one answer, so that it stays below `device.control.protocol.ANSWER_BYTES`; more comes in pages
_LAST_NUMBER = 2**53 - 1  # the largest whole number that every reader of JSON keeps


class ActionError(SmearscopeError):
    """An action was asked with something that it cannot take."""


class Role(StrEnum):
    """What somebody may do: look, work with slides, or look after the device. Each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Tell whether somebody with this role may do what `needed` is needed for."""
        roles = list(Role)
        return roles.index(self) >= roles.index(needed)


@dataclass(frozen=True, slots=True)
class Context:
    """What an action works on, and for whom."""

    store: Store
    settings: Settings
    operator: str = ""  # who acts, for the audit trail; "" may only look
    config: Path | None = None  # --config, where it was given
    started_with: Collection[str] = ()  # SECTION.KEY of those `settings` that the command line gave the device

    def started_by(self, name: str) -> str:
        """Return by which option the setting `name` was fixed when the device started; "" where it was not."""
        section, _, key = name.partition(".")
        option = key if section == "model" else section
        return f"the device was started with --{option}, which comes first" if name in self.started_with else ""


class Request(BaseModel):
    """What an action is asked with; one without anything is this class itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # which no line of JSON holds


SlideName = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    StringConstraints(min_length=1, max_length=80),
    Field(description="number of a slide, or its name"),
]
CellName = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,15}\.[0-9]{1,9}$"), Field(description="FIELD.NUMBER, as in 12.3")
]
FieldNumber = Annotated[int, Field(ge=1, le=_LAST_NUMBER, description="number of a field")]
After = Annotated[int, Field(ge=0, le=_LAST_NUMBER, description="only what comes after this number")]
Limit = Annotated[int, Field(ge=1, le=MAX_ITEMS, description="at most so many")]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Order = Literal["taken", "opinion"]

R = TypeVar("R", bound=Request)


@dataclass(frozen=True, slots=True)
class Action(Generic[R]):
    """One thing that people do; `name` is the command line's words for it."""

    name: str
    help: str  # one sentence, without a full stop
    role: Role
    request: type[R]
    answer: Callable[[Context, R], dict[str, Any]] | None  # None: only the running device can, over its socket
    changes: bool = False
    of_session: bool = False  # it depends on how the device was started, where one runs: that is asked then

    def parsed(self, values: Mapping[str, object], strict: bool = True) -> R:
        """Return `values`, of JSON types, as this action's request; not `strict`: they may be texts, as in an address.

        Raises:
            ActionError: one is missing, unknown or of another kind.
        """
        try:
            return self.request.model_validate(values, strict=strict)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = printable(".".join(map(str, fault["loc"]))) or "the request"
            known = ", ".join(each.alias or name for name, each in self.request.model_fields.items()) or "nothing"
            advice = f"; it takes {known}" if fault["type"] in {"extra_forbidden", "missing"} else ""
            raise ActionError(f"{self.name}: {where}: {fault['msg']}{advice}") from None

    def perform(self, context: Context, values: Mapping[str, object]) -> dict[str, Any]:
        """Do it, and return the JSON that the command line prints with --json.

        Raises:
            SmearscopeError: the request cannot be taken, nobody is named who changes something, or the store refuses.
        """
        request = self.parsed(values)
        if self.answer is None:
            raise ActionError(f"{self.name}: only a running device does this; start it with 'smearscope run'")
        if self.changes:  # nobody changes anything unnamed
            context = replace(context, operator=checked_operator(context.operator))
        return self.answer(context, request)


def events_json(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return entries of the audit trail as JSON types."""
    return [each.to_json() for each in events]


def event_json(event: Event | None) -> dict[str, Any]:
    """Return what a change made of the audit trail; None: nothing was changed."""
    return {"event": None if event is None else event.to_json()}


def cell_json(cell: CellRecord) -> dict[str, Any]:
    """Return a cell as JSON types."""
    return cell.to_json() | {"name": cell.name}


def place_of(name: str) -> tuple[int, int]:
    """Return field and number of a cell by its name."""
    field, _, number = name.partition(".")
    return int(field), int(number)
