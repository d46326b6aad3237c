"""Every action by its name."""

from typing import Annotated, Any, Literal

from pydantic import Field

from device.actions import cells, device, qc, settings, signing, slides
from device.actions.base import Action, ActionError, Request, Role


class StartSlide(Request):
    """What is said of a new slide; its operator is who starts it."""

    name: str
    stain: str = ""
    specimen: str = ""
    note: str = ""


class Calibrate(Request):
    """What to measure, or which stored values to use or forget."""

    kind: Literal["white", "flat", "scale", "focus", "use", "reset"]
    objective: str | None = None
    profile: str | None = None
    pixel_size_um: Annotated[float, Field(gt=0)] | None = None
    division_um: Annotated[float, Field(gt=0)] | None = None


# What needs the camera: `device.control.handlers` answers it.
LIVE: tuple[Action[Any], ...] = (
    Action("status", "Show how the running device is doing", Role.VIEWER, Request, None),
    Action("slide start", "Start a slide; an open one is ended", Role.OPERATOR, StartSlide, None, changes=True),
    Action("slide end", "End the open slide", Role.OPERATOR, Request, None, changes=True),
    Action("calibrate", "Calibrate white, flat field, scale or focus", Role.OPERATOR, Calibrate, None, changes=True),
)
_MODULES = (slides, cells, signing, qc, device, settings)
ACTIONS: dict[str, Action[Any]] = {each.name: each for each in (*LIVE, *(a for m in _MODULES for a in m.ACTIONS))}


def action_called(name: str) -> Action[Any]:
    """Return the action called `name`.

    Raises:
        ActionError: there is none.
    """
    if name not in ACTIONS:
        raise ActionError(f"there is no action {name[:40]!r}; one of {', '.join(ACTIONS)}")
    return ACTIONS[name]
