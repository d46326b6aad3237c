"""`smearscope model`: prove, list, install, switch, compare and sign model bundles."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from device import bundles
from device.settings import data_folder, load_settings
from smear.bundle import signing
from smear.bundle.manifest import SIGNATURE, read_manifest
from smear.inference import verification

FOLDER = click.Path(path_type=Path)


@click.group(help="Show, prove, install, switch or sign model bundles.")
@click.option("--config", type=FOLDER, help="Settings file; default: /etc/smearscope/config.toml where it exists.")
@click.option("--data", type=FOLDER, help="Data folder of the device; installed bundles lie in its models/.")
@click.option("--public-key", type=FOLDER, help="Accept only bundles signed by the owner of this key.")
@click.pass_context
def command(ctx: click.Context, config: Path | None, data: Path | None, public_key: Path | None) -> None:
    """Hold what every sub-command needs: the models folder and the key."""
    settings = load_settings(config)
    ctx.obj = (data_folder(settings, data) / bundles.MODELS, public_key or settings.model.require_signature)


@command.command()
@click.argument("bundle", type=FOLDER, required=False)
@click.option("--runtime", help="Runtime that must reproduce the golden outputs; default: the device's own.")
@click.pass_obj
def verify(places: tuple[Path, Path | None], bundle: Path | None, runtime: str | None) -> None:
    """Check manifest, checksums, signature, shapes and golden outputs of BUNDLE (default: the current one)."""
    folder, public_key = places
    path = bundle or bundles.current_bundle(folder)
    found = verification.verify(path, runtime, public_key)
    levels = ", ".join(found.manifest.segmenter.levels)
    click.echo(f"{path}: verified; {found.manifest.name} {found.sha256[:12]}, levels {levels}")
    for level, why in found.manifest.left_out.items():
        click.echo(f"  {level} left out: {why}")


@command.command(name="list")
@click.pass_obj
def list_(places: tuple[Path, Path | None]) -> None:
    """List the installed bundles, newest first."""
    entries = bundles.installed(places[0])
    if not entries:
        click.echo(f"none installed in {places[0]}; in use: the one that ships, {bundles.shipped_bundle()}")
        return
    table = Table("bundle", "made", "levels", "state")
    for entry in entries:
        states = [name for name, on in (("current", entry.current), ("previous", entry.previous)) if on]
        table.add_row(
            entry.path.name, entry.created[:16], ", ".join(entry.levels), " ".join([*states, entry.fault or ""]).strip()
        )
    Console().print(table)


@command.command()
@click.argument("bundle", type=FOLDER)
@click.option("--runtime", help="Runtime that must reproduce the golden outputs; default: the device's own.")
@click.pass_obj
def install(places: tuple[Path, Path | None], bundle: Path, runtime: str | None) -> None:
    """Copy BUNDLE to this device, prove the copy, and make it current."""
    folder, public_key = places
    home = bundles.install(bundle, folder, runtime=runtime, public_key=public_key)
    click.echo(f"current: {home.name}{_previous(folder)}")


@command.command()
@click.argument("name")
@click.pass_obj
def activate(places: tuple[Path, Path | None], name: str) -> None:
    """Make the installed bundle NAME current (see 'smearscope model list')."""
    folder, public_key = places
    home = bundles.activate(folder, name, public_key=public_key)
    click.echo(f"current: {home.name}{_previous(folder)}")


@command.command()
@click.pass_obj
def rollback(places: tuple[Path, Path | None]) -> None:
    """Make the previous bundle current again."""
    folder, public_key = places
    home = bundles.rollback(folder, public_key=public_key)
    click.echo(f"current: {home.name}{_previous(folder)}")


def _previous(folder: Path) -> str:
    previous = bundles.target(folder, bundles.PREVIOUS)
    return f"; previous, for 'smearscope model rollback': {previous.name}" if previous else ""


@command.command()
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER, required=False)
@click.pass_obj
def diff(places: tuple[Path, Path | None], first: Path, second: Path | None) -> None:
    """Show how the manifests of two bundles differ (SECOND defaults to the current one)."""
    other = second or bundles.current_bundle(places[0])
    changed = bundles.differences(first, other)
    if not changed:
        click.echo("no difference")
        return
    table = Table("field", str(first.name), str(other.name))
    for row in changed:
        table.add_row(*row)
    Console().print(table)


@command.command()
@click.argument("private", type=FOLDER)
@click.argument("public", type=FOLDER)
def keygen(private: Path, public: Path) -> None:
    """Make a key pair: PRIVATE stays on the desktop and signs, PUBLIC goes to the devices."""
    signing.make_keys(private, public)
    click.echo(f"{private}: keep it secret; {public}: copy it to each device")


@command.command()
@click.argument("bundle", type=FOLDER)
@click.argument("private", type=FOLDER)
def sign(bundle: Path, private: Path) -> None:
    """Sign BUNDLE with the PRIVATE key; the signature lies beside its manifest."""
    read_manifest(bundle)
    signing.sign(bundle, private)
    click.echo(f"{bundle / SIGNATURE}: signed")
