"""`smearscope backup` and `smearscope restore`: the whole data folder, to another disk or to S3, and back."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from device.backup.backup import SETTINGS, back_up
from device.backup.manifest import Manifest, backup_ids, chosen_backup, read_manifest
from device.backup.restore import restore as restore_backup
from device.backup.restore import verify
from device.backup.targets import open_target
from device.commands.options import config_option, data_option, settings_and_data
from device.settings import settings_file
from device.store.retention import MEGABYTE
from device.system.clock import SystemClock
from smear.errors import StoreError
from smear.output_files import printable
from smear.progress import step_bar

id_option = click.option(
    "--backup", "start", metavar="ID", help="Which one; the beginning is enough.  [default: newest]"
)


@click.command()
@click.argument("dest", metavar="DEST")
@click.option("--list", "listing", is_flag=True, help="List the backups in DEST, newest first.")
@click.option("--verify", "verifying", is_flag=True, help="Read a whole backup and name each file that is damaged.")
@id_option
@data_option
@config_option
def command(
    dest: str, listing: bool, verifying: bool, start: str | None, data_path: Path | None, config_path: Path | None
) -> None:
    """Back up records, photographs, calibrations, models and settings to DEST, also while the device runs.

    DEST is a folder on another disk, or s3://BUCKET/PATH. What is there already is not copied again, so that backups,
    also those of several devices, share it. One that was interrupted goes on when it is called again.
    """
    if listing:
        for each in backup_ids(open_target(dest)):
            click.echo(each)
    elif verifying:
        chosen, manifest = _whole(dest, start, "verifying", verify)
        click.echo(f"backup {chosen} is complete: {len(manifest.files)} files match their checksums")
    else:
        target = open_target(dest)
        _, data = settings_and_data(config_path, data_path)
        with step_bar("copying", None) as step:
            done = back_up(data, target, settings_file(config_path), SystemClock(), step)
        for name in done.manifest.missing:
            click.echo(f"smearscope: {printable(name)} is lost: records name it, and it is not there", err=True)
        click.echo(
            f"backup {done.id} in {target.name}: {len(done.manifest.files)} files, of which {done.copied} "
            f"({done.copied_bytes / MEGABYTE:.1f} MB) were not there yet"
        )


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--to", required=True, type=click.Path(path_type=Path), help="Data folder to make; it may not hold anything."
)
@id_option
def restore(source: str, to: Path, start: str | None) -> None:
    """Make a data folder of a backup in SOURCE, the DEST of 'smearscope backup'; all of it is verified."""
    chosen, manifest = _whole(source, start, "restoring", partial(restore_backup, to=to))
    click.echo(f"restored {chosen} to {printable(to)}: {len(manifest.files)} files match their checksums")
    if SETTINGS in manifest.files:
        click.echo(f"the settings of then are in {printable(to / SETTINGS)}")


def _whole(where: str, start: str | None, doing: str, read: Callable[..., list[str]]) -> tuple[str, Manifest]:
    """Choose a backup and `read` all of it; return its id and what it holds.

    Raises:
        StoreError: something of it is damaged or missing; each file was named.
    """
    target = open_target(where)
    chosen = chosen_backup(target, start)
    manifest = read_manifest(target, chosen)
    with step_bar(doing, len(manifest.files)) as step:
        faults = read(target, manifest, step=step)
    for fault in faults:
        click.echo(f"smearscope: {fault}", err=True)
    if faults:
        raise StoreError(f"backup {chosen}: {len(faults)} files are damaged or missing; take another with --backup")
    return chosen, manifest
