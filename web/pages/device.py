"""The device itself: its health, its models, its settings; and help."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from device.actions.registry import ACTIONS
from device.bundles import MODELS, installed, shipped_bundle
from device.control.protocol import ControlError
from device.settings_toml import to_toml
from device.store.retention import MEGABYTE, free_bytes_of
from device.system.health import read_health, throttle_words
from smear.bundle.signing import load_signed_bundle
from smear.errors import BundleError
from web.api import asked
from web.rendering import page
from web.site import site_of


async def health(request: Request) -> Response:
    """Show how the running device and its board are."""
    site = site_of(request)
    try:
        session, fault = await asked(request, "status"), ""
    except ControlError as error:
        session, fault = {}, str(error)
    board = read_health()
    facts = {
        "free disk": f"{free_bytes_of(site.data) / MEGABYTE:.0f} MB; {site.settings.store.min_free_mb} MB stay free",
        "temperature": "no sensor" if board.temperature_c is None else f"{board.temperature_c:.0f} °C",
        "power": ", ".join(throttle_words(board.throttled or 0)) or "nothing slows the board down",
    }
    return page(request, "health.html", session=session, fault=fault, board=facts)


async def model(request: Request) -> Response:
    """Show the bundles that are installed, each compared with its checksums now."""
    site = site_of(request)
    found = await run_sync(installed, site.data / MODELS)
    shipped = await run_sync(_fault_of_shipped)
    chosen = site.settings.model.bundle
    return page(request, "model.html", bundles=found, shipped=shipped, chosen=str(chosen) if chosen else "")


def _fault_of_shipped() -> str:
    """Return why the bundle that ships cannot be used; "": its checksums hold."""
    try:
        load_signed_bundle(shipped_bundle(), None)
    except BundleError as error:
        return str(error)
    return ""


async def settings(request: Request) -> Response:
    """Show the settings in force, as a file to edit and use."""
    return page(request, "settings.html", text=to_toml(site_of(request).settings))


async def help_(request: Request) -> Response:
    """Show the keys, and who may do what."""
    classes = (await asked(request, "cells classes"))["classes"]
    actions = [(each.help, each.role) for each in ACTIONS.values() if each.changes]
    return page(request, "help.html", classes=classes, actions=actions)
