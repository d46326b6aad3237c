"""`smearscope model`: prove, list, install, switch, compare and sign model bundles."""

from dataclasses import dataclass
from pathlib import Path

import click

from device import bundles
from device.commands.options import settings_and_data
from device.model_choice import ModelChoice, use_of
from device.settings import Settings
from smear.bundle import signing
from smear.bundle.folder import Bundle
from smear.bundle.manifest import SIGNATURE, read_manifest
from smear.output_files import printable

FOLDER = click.Path(path_type=Path)
RUNTIME = click.option("--runtime", help="Runtime that must reproduce the golden outputs.  [default: the settings']")


@dataclass(frozen=True, slots=True)
class Device:
    """Whose bundles these are."""

    settings: Settings
    folder: Path  # of the installed bundles
    public_key: Path | None

    def prove(self, bundle: Bundle, runtime: str | None = None) -> None:
        """Run every level of `bundle`, and the one that the settings ask for as this device would."""
        from smear.inference.proof import prove

        use = use_of(self.settings, self.folder.parent, bundle.sha256, ModelChoice(runtime=runtime))
        prove(bundle, use, every_level=True)


@click.group(help="Show, prove, install, switch or sign model bundles.")
@click.option("--config", type=FOLDER, help="Settings file; default: /etc/smearscope/config.toml where it exists.")
@click.option("--data", type=FOLDER, help="Data folder of the device; installed bundles lie in its models/.")
@click.option("--public-key", type=FOLDER, help="Accept only bundles signed by the owner of this key.")
@click.pass_context
def command(ctx: click.Context, config: Path | None, data: Path | None, public_key: Path | None) -> None:
    """Hold what every sub-command needs: the models folder and the key."""
    settings, folder = settings_and_data(config, data)
    ctx.obj = Device(settings, folder / bundles.MODELS, public_key or settings.model.require_signature)


@command.command()
@click.argument("bundle", type=FOLDER, required=False)
@RUNTIME
@click.pass_obj
def verify(device: Device, bundle: Path | None, runtime: str | None) -> None:
    """Check manifest, checksums, signature, shapes and golden outputs of BUNDLE (default: the one in use).

    Its models run in a process of their own, under the level, runtime and threads of this device's settings.
    """
    path = bundle or device.settings.model.bundle or bundles.current_bundle(device.folder)
    found = signing.load_signed_bundle(path, device.public_key)
    device.prove(found, runtime)
    levels = ", ".join(found.manifest.segmenter.levels)
    click.echo(f"{path}: verified; {found.manifest.name} {found.sha256[:12]}, levels {levels}")
    for level, why in found.manifest.left_out.items():
        click.echo(f"  {level} left out: {why}")


@command.command(name="list")
@click.pass_obj
def list_(device: Device) -> None:
    """List the installed bundles, newest first."""
    entries = bundles.installed(device.folder)
    if not entries:
        click.echo(f"none installed in {device.folder}; in use: the one that ships, {bundles.shipped_bundle()}")
        return
    for entry in entries:
        states = [name for name, on in (("current", entry.current), ("previous", entry.previous)) if on]
        click.echo(" ".join([entry.path.name, *(f"({state})" for state in states)]))
        if entry.fault is None:
            click.echo(f"    made {entry.created[:16]}, levels {', '.join(entry.levels)}")
        else:
            click.echo(f"    not usable: {printable(entry.fault)}")


@command.command()
@click.argument("bundle", type=FOLDER)
@RUNTIME
@click.pass_obj
def install(device: Device, bundle: Path, runtime: str | None) -> None:
    """Copy BUNDLE to this device, prove the copy under this device's settings, and make it current."""
    home = bundles.install(
        bundle, device.folder, prove=lambda copy: device.prove(copy, runtime), public_key=device.public_key
    )
    click.echo(f"current: {home.name}{_previous(device.folder)}")


@command.command()
@click.argument("name")
@click.pass_obj
def activate(device: Device, name: str) -> None:
    """Prove the installed bundle NAME and make it current (see 'smearscope model list')."""
    home = bundles.activate(device.folder, name, prove=device.prove, public_key=device.public_key)
    click.echo(f"current: {home.name}{_previous(device.folder)}")


@command.command()
@click.pass_obj
def rollback(device: Device) -> None:
    """Prove the previous bundle and make it current again."""
    home = bundles.rollback(device.folder, prove=device.prove, public_key=device.public_key)
    click.echo(f"current: {home.name}{_previous(device.folder)}")


def _previous(folder: Path) -> str:
    previous = bundles.target(folder, bundles.PREVIOUS)
    return f"; previous, for 'smearscope model rollback': {previous.name}" if previous else ""


@command.command()
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER, required=False)
@click.pass_obj
def diff(device: Device, first: Path, second: Path | None) -> None:
    """Show how the manifests of two bundles differ (SECOND defaults to the one in use)."""
    other = second or device.settings.model.bundle or bundles.current_bundle(device.folder)
    changed = differences(first, other)
    if not changed:
        click.echo("no difference")
        return
    click.echo(f"- {printable(first)}\n+ {printable(other)}")
    for field, left, right in changed:
        click.echo(f"{printable(field)}\n  - {printable(left)}\n  + {printable(right)}")


def differences(first: Path, second: Path) -> list[tuple[str, str, str]]:
    """Return (field, value in `first`, value in `second`) for each manifest field in which they differ."""
    left = flat(read_manifest(first).model_dump(mode="json"))
    right = flat(read_manifest(second).model_dump(mode="json"))
    return [
        (key, left.get(key, "-"), right.get(key, "-"))
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    ]


def flat(value: object, prefix: str = "") -> dict[str, str]:
    """Return the leaves of nested dictionaries, each by the names on its way, joined by dots."""
    if isinstance(value, dict):
        merged: dict[str, str] = {}
        for key, inner in value.items():
            merged |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return merged
    return {prefix: str(value)}


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
