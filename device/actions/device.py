"""Looking after the device: what it said, which models it has, going back to the one before, touching its screen."""

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from device import bundles
from device.actions.base import Action, Context, Limit, Request, Role
from device.actions.settings import FILE_SAYS
from device.model_choice import bundle_path, use_of
from device.store.review import audit_trail
from device.system.log_file import newest_first
from device.system.systemd import Priority
from smear.bundle.folder import Bundle
from smear.bundle.signing import load_signed_bundle
from smear.errors import BundleError
from smear.inference.proof import prove

Level = Literal["error", "warning", "notice", "info"]
Key = Literal[
    "tab", "shift tab", "up", "down", "left", "right", "return", "escape", "f1", "backspace", "page up", "page down"
]
"""Keys that type nothing, as `device.screen.navigation.inputs.Key` names them."""
Share = Annotated[float | None, Field(ge=0, lt=1, description="of the screen's width or height, from the upper left")]


class Touch(Request):
    """What to do at the screen: type, press a key (both: first type), or else touch a place."""

    text: Annotated[str, Field(max_length=80)] = ""
    key: Key | None = None
    x: Share = None
    y: Share = None


class Activate(Request):
    """Which of the installed bundles."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class ShowLogs(Request):
    """Which lines: so severe or more."""

    level: Level = "info"
    limit: Limit = 100


def _logs(context: Context, request: ShowLogs) -> dict[str, Any]:
    wanted = {each.name.lower() for each in Priority if each <= Priority[request.level.upper()]}
    lines = (each for each in newest_first(context.store.folder) if each["level"] in wanted)
    return {"lines": list(islice(lines, request.limit))}


def _models(context: Context, request: Request) -> dict[str, Any]:
    chosen = context.settings.model.bundle
    found = [
        {"name": each.path.name, "created": each.created, "levels": list(each.levels), "current": each.current,
         "previous": each.previous, "fault": each.fault}
        for each in bundles.installed(context.store.folder / bundles.MODELS)
    ]  # fmt: skip
    shipped = not chosen and not any(each["current"] for each in found)
    return {"bundles": found, "chosen": str(chosen) if chosen else None, "fixed": _fixed(context),
            "shipped_in_use": shipped, "shipped_fault": _fault_of_shipped()}  # fmt: skip


def _fixed(context: Context) -> str:
    """Return why the bundle that is current is not the one in use, "" where it is."""
    return context.started_by("model.bundle") or (FILE_SAYS if context.settings.model.bundle else "")


def _fault_of_shipped() -> str | None:
    try:
        load_signed_bundle(bundles.shipped_bundle(), None)
    except BundleError as error:
        return str(error)
    return None


def _verify(context: Context, request: Request) -> dict[str, Any]:
    path = bundle_path(context.settings, context.store.folder, None)
    bundle = load_signed_bundle(path, context.settings.model.require_signature)
    _prove(context, bundle, every_level=True)
    return {"verified": bundle.manifest.name, "sha256": bundle.sha256, "levels": list(bundle.manifest.segmenter.levels)}


def _switched(context: Context, switch: Callable[..., Path]) -> dict[str, Any]:
    """Make another bundle current, and say so in the audit trail."""
    if fixed := _fixed(context):
        raise BundleError(f"another bundle would not be used: {fixed}")
    models = context.store.folder / bundles.MODELS
    before = bundles.target(models, bundles.CURRENT)
    key = context.settings.model.require_signature
    home = switch(models, prove=lambda bundle: _prove(context, bundle), public_key=key)
    left = before.name if before else None
    context.store.note_of_device(context.operator, audit_trail.Action.MODEL, left, home.name)
    return {"current": home.name, "previous": left}


def _prove(context: Context, bundle: Bundle, every_level: bool = False) -> None:
    prove(bundle, use_of(context.settings, context.store.folder, bundle.sha256), every_level=every_level)


TOUCH = Action("screen touch", "Touch the device's screen, or type there", Role.OPERATOR, Touch, None, changes=True)
ACTIONS: tuple[Action[Any], ...] = (
    Action("logs show", "Show what the device said, newest first", Role.OPERATOR, ShowLogs, _logs),
    Action("model list", "List the installed model bundles, newest first", Role.VIEWER, Request, _models,
           of_session=True),
    Action("model verify", "Run every level of the bundle in use on its golden inputs", Role.ADMIN, Request, _verify),
    Action("model activate", "Prove an installed bundle and make it current", Role.ADMIN, Activate,
           lambda context, request: _switched(context, partial(bundles.activate, name=request.name)), changes=True),
    Action("model rollback", "Prove the previous bundle and make it current again", Role.ADMIN, Request,
           lambda context, request: _switched(context, bundles.rollback), changes=True),
    TOUCH,
)  # fmt: skip
