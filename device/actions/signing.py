"""The differential count of a slide, signing and amending it, and verifying what was signed."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from device.actions.base import Action, Context, Request, Role, SlideName
from device.actions.slides import OneSlide, counted, slide_number
from device.counting.agreement import Agreement, agreement
from device.exports.hl7 import require_ready, write_message
from device.quality_control.state import qc_state
from device.store import SlideRecord, Store
from device.store.names import checked_operator
from device.store.review.sign_off import Concessions, Counted, Verification
from device.store.review.statement import Signature
from device.system.clock import moment
from smear import RESEARCH_USE_ONLY
from smear.errors import SmearscopeError, StoreError
from smear.output_files import printable

Target = Annotated[int, Field(ge=1, le=10_000, description="leukocytes to count")]
Operators = Annotated[list[str], Field(min_length=2, max_length=2, description="two operators to compare")]


class Count(Request):
    """Whose count of a slide: that of who asks, of `counter`, or of two operators that are compared."""

    slide: SlideName
    target: Target | None = None
    counter: str | None = None
    compare: Operators | None = None


class Sign(Request):
    """What to sign although the count is not complete; each is a reason but the first."""

    slide: SlideName
    target: Target | None = None
    allow_unidentified: bool = False
    short: str = ""
    passed_over: str = ""


class Amend(Request):
    """A signed slide, and what is wrong with what was signed."""

    slide: SlideName
    reason: str


def count(context: Context, request: Count) -> tuple[SlideRecord, Counted, Agreement | None]:
    """Return a slide, the counts that are asked for, and where two are compared how far they agree.

    Raises:
        StoreError: there is no such slide, or an operator has classified no cell of it.
    """
    store, cells = context.store, context.settings.cells
    slide = store.slide_called(request.slide)
    names = [checked_operator(name) for name in request.compare or (request.counter or context.operator,)]
    with store.snapshot():
        found = store.counted(slide, cells.classes, request.target or cells.target)
        for name in names:
            if name not in found.counts:
                others = ", ".join(found.counts) or "nobody"
                raise StoreError(
                    f"{name} has classified no cell of slide {slide.id} ({others} has); "
                    "'smearscope cells classify' first, or give another --operator"
                )
        pairs = store.both_classified(slide.id, *names) if request.compare else None
    chosen = replace(found, counts={name: found.counts[name] for name in names})
    return slide, chosen, None if pairs is None else agreement(pairs, [each.name for each in cells.classes])


def count_json(slide: SlideRecord, found: Counted, compared: Agreement | None) -> dict[str, Any]:
    """Return what `count` returned as JSON types."""
    about = {"notice": RESEARCH_USE_ONLY, "slide": slide.id, "name": slide.name, "version": slide.version}
    return about | found.to_json() | ({} if compared is None else {"agreement": compared.to_json()})


def sign(context: Context, request: Sign) -> tuple[Signature, Path | None]:
    """Sign the count of who acts; return the signature, and the HL7 message where the settings ask for one.

    Raises:
        StoreError: see `SignOff.sign`; or it is signed, and the message could not be written.
    """
    store, settings = context.store, context.settings
    slide = store.slide_called(request.slide)
    folder = settings.laboratory.hl7_folder
    if folder is not None:
        require_ready(folder)
    state = qc_state(store, settings.qc, moment(), slide.simulated)
    signature = store.sign(
        slide.id,
        context.operator,
        settings.cells.classes,
        request.target or settings.cells.target,
        Concessions(request.allow_unidentified, request.short, request.passed_over),
        qc_faults=state.reasons if state.asked else None,
        # The settings that what is counted depends on.
        settings=settings.model_dump(mode="json", include={"gate", "qc", "site", "slide"}),
    )
    try:
        return signature, None if folder is None else write_message(signature, folder)
    except SmearscopeError as error:
        raise StoreError(
            f"slide {slide.id} is signed, but its HL7 message is missing ({error}); then: smearscope slides export "
            f"{slide.id} --format hl7 --out {printable(folder or '')}"
        ) from error


def verify(store: Store, name: str) -> list[Verification]:
    """Return of each signature of a slide, also of a deleted one, whether it still holds.

    Raises:
        StoreError: there is no such slide, or it was never signed.
    """
    slide_id = slide_number(store, name, store.signatures)
    found = [store.verify(each) for each in store.signatures(slide_id)]
    if not found:
        raise StoreError(f"slide {slide_id} was never signed; 'smearscope slides sign {slide_id}' does")
    return found


def verification_json(found: Verification) -> dict[str, Any]:
    """Return whether a signature holds as JSON types."""
    return found.signature.to_json() | {"compared": found.compared, "faults": list(found.faults)}


def _sign(context: Context, request: Sign) -> dict[str, Any]:
    signature, message = sign(context, request)
    count_ = counted(context, context.store.slide(signature.slide_id)).counts[signature.operator]
    written = None if message is None else printable(message)
    return {"signature": signature.to_json(), "count": count_.to_json(), "hl7": written}


def _amend(context: Context, request: Amend) -> dict[str, Any]:
    slide = context.store.amend(context.store.slide_called(request.slide).id, context.operator, request.reason)
    return {"slide": slide.id, "version": slide.version}


def _verify(context: Context, request: OneSlide) -> dict[str, Any]:
    return {"signatures": [verification_json(each) for each in verify(context.store, request.slide)]}


ACTIONS: tuple[Action[Any], ...] = (
    Action("slides count", "Count the cells that an operator classified, or compare two operators", Role.VIEWER, Count,
           lambda context, request: count_json(*count(context, request))),
    Action("slides sign", "Sign one's count of a slide, which is read-only from then on", Role.OPERATOR, Sign, _sign,
           changes=True),
    Action("slides amend", "Begin the next version of a signed slide", Role.OPERATOR, Amend, _amend, changes=True),
    Action("slides verify", "Compare what was signed with its checksum and with the records", Role.VIEWER, OneSlide,
           _verify),
)  # fmt: skip
