"""`smearscope cameras`: which cameras there are, what each offers, and what the service would use."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from device.cameras.base import CameraDetails, CameraKind, PixelFormat
from device.cameras.calibration import OpticalSetup, ProfileStore
from device.cameras.registry import CAMERAS, attached_cameras, camera_details, camera_drop_in, camera_identity
from device.commands.options import config_option, data_option, json_text, settings_and_data
from smear.errors import CameraError


@click.group()
def command() -> None:
    """List the cameras, show what one offers, and let the service reach one in the network."""


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@data_option
@config_option
def list_(as_json: bool, data_path: Path | None, config_path: Path | None) -> None:
    """List the kinds of cameras, those that `auto` tries, and the one that the service would use."""
    settings, data = settings_and_data(config_path, data_path)
    attached = attached_cameras()
    wanted = settings.camera.name
    used = (attached[0] if attached else None) if camera_identity(wanted) is None else wanted
    kinds = {kind.written: f"{kind.help}{_missing(kind)}" for kind in CAMERAS.all()}
    found = {
        "kinds": kinds,
        "auto": attached,
        "settings": wanted,
        "used": used,
        "size": settings.camera.size,
        "objective": ProfileStore(data).objective(),
    }
    if as_json:
        click.echo(json_text(found))
        return
    width = max(len(written) for written in kinds)
    for written, text in kinds.items():
        click.echo(f"{written:{width}}  {text}")
    click.echo(f"\nauto tries: {', '.join(attached) or 'none'}")
    size = f"{settings.camera.width}x{settings.camera.height}" if settings.camera.size else "its own size"
    first = " (the first that opens)" if wanted != used else ""
    click.echo(f"the service would use {used or 'none'}{first}, {size}, objective {found['objective']}")


@command.command()
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@data_option
@config_option
def show(name: str, as_json: bool, data_path: Path | None, config_path: Path | None) -> None:
    """Show what the camera NAME offers, and which calibrations are its own; it is not opened for pictures."""
    _, data = settings_and_data(config_path, data_path)
    identity = camera_identity(name)
    if identity is None:
        raise CameraError(f"{name} stands for the first camera that opens; 'smearscope cameras list' names those")
    details = camera_details(name)
    setup = OpticalSetup(identity.name, identity.serial or None, opened_as=name)
    own = [each for each in ProfileStore(data).read()[0] if each.camera and not _of_another(each.misfits(setup))]
    if as_json:
        whole: dict[str, Any] = asdict(identity) | asdict(details) | {"calibrations": [each.id for each in own]}
        click.echo(json_text(whole))
        return
    click.echo(f"{'name':12} {identity.name}")
    click.echo(f"{'serial':12} {identity.serial or 'none'}")
    _print_details(details)
    for each in own:
        click.echo(f"{'calibration':12} {each.id}: {each.setup.describe()}")


@command.command()
@click.argument("name", metavar="NAME")
def allow(name: str) -> None:
    """Print the settings of systemd with which the service reaches the camera NAME, and nothing else in the network.

    They belong into /etc/systemd/system/smearscope.service.d/camera.conf. User name and password of a camera are never
    part of its name: the service reads them from /etc/smearscope/cameras.netrc, your own commands from
    ~/.config/smearscope/cameras.netrc, in lines such as "machine 192.0.2.20 login NAME password PASSWORD". The file has
    mode 600 and belongs to the user that reads it: smearscope, for the service.
    """
    click.echo(camera_drop_in(name), nl=False)


def _missing(kind: CameraKind) -> str:
    return "" if kind.is_installed() else f"; not installed: {kind.install}"


def _of_another(misfits: list[str]) -> bool:
    return any(text.startswith(("camera ", "serial ")) for text in misfits)


def _print_details(details: CameraDetails) -> None:
    click.echo(f"{'model':12} {details.model or 'not told'}")
    for each in details.formats:
        click.echo(f"{'format':12} {each.name} ({each.description}): {_sizes(each)}")
    if not details.formats:
        click.echo(
            f"{'formats':12} this kind of camera does not tell; a size that is not granted is said when it opens"
        )
    for control in details.controls:
        bounds = f"{control.minimum} to {control.maximum}, by itself {control.default}"
        click.echo(f"{'control':12} {control.name} = {control.value} ({bounds})")


def _sizes(pixel_format: PixelFormat) -> str:
    if pixel_format.steps:
        (low_x, high_x, step_x), (low_y, high_y, step_y) = pixel_format.steps
        return f"{low_x}x{low_y} to {high_x}x{high_y} in steps of {step_x}x{step_y}"
    return ", ".join(f"{width}x{height}" for width, height in pixel_format.sizes) or "not told"
