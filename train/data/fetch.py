"""`smearscope train fetch`: get the data set from Kaggle, or look at a folder of it, and say what is there."""

import hashlib
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from smear.classes import LABELS
from smear.errors import DatasetError
from train.data.dataset import FULL_SET, Dataset, class_root, read

HANDLE = "mehradaria/leukemia"  # Aria et al. (2021), DOI 10.34740/KAGGLE/DSV/2175623; credit the authors


def download() -> Path:
    """Return the folder kagglehub keeps the data set in, downloading it where it is not there yet.

    Raises:
        DatasetError: kagglehub is missing, or Kaggle does not answer or refuses.
    """
    try:
        import kagglehub  # only this command needs it
        from kagglehub.exceptions import BackendError, CredentialError, DataCorruptionError, UnauthenticatedError
    except ModuleNotFoundError as error:
        raise DatasetError(f"fetching needs {error.name}; install it with: pip install 'smearscope[train]'") from error
    try:
        return Path(kagglehub.dataset_download(HANDLE))
    except (OSError, BackendError, CredentialError, DataCorruptionError, UnauthenticatedError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DatasetError(
            f"Kaggle did not give {HANDLE} ({reason}); download it with a browser from "
            f"https://www.kaggle.com/datasets/{HANDLE} and run 'smearscope train fetch FOLDER'"
        ) from error


def locate(folder: Path) -> Path:
    """Return `folder`, or the one folder in it that has the layout: archives often wrap theirs.

    Raises:
        DatasetError: none has it.
    """
    try:
        class_root(folder)
    except DatasetError:
        for inner in sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []:
            try:
                class_root(inner)
            except DatasetError:
                continue
            return inner
        raise
    return folder


def table_of(data: Dataset) -> Table:
    """Return what was found of each class beside the full set, with the start of the sha256 over its files."""
    table = Table("Class", "Found", "Full set", "sha256")
    for label, found in data.counts().items():
        sums = sorted(r.sha256 for r in data.records if r.label == label)
        table.add_row(label, str(found), str(FULL_SET[label]), hashlib.sha256("".join(sums).encode()).hexdigest()[:16])
    table.add_row("All", str(len(data.records)), str(sum(FULL_SET.values())), data.fingerprint[:16])
    return table


def verdict(data: Dataset) -> str:
    """Return in one sentence whether this is the full set."""
    found, full = len(data.records), sum(FULL_SET.values())
    if data.counts() == FULL_SET:
        return f"found {found} of {full} fields: the full set"
    return f"found {found} of {full} fields: not the full set; figures will differ from those of the whole"


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def command(folder: Path | None) -> None:
    """Get the data set from Kaggle, or check the copy in FOLDER; count it and print its checksums."""
    data = read(locate(folder if folder is not None else download()))
    Console().print(table_of(data))
    for skipped in data.skipped:
        click.echo(f"skipped: {skipped}", err=True)
    if data.skipped:
        click.echo(f"skipped {len(data.skipped)} pictures that cannot be read", err=True)
    click.echo(verdict(data))
    click.echo(f"fingerprint: {data.fingerprint}")
    click.echo(f"folder: {data.root}")
    click.echo(f"classes: {', '.join(LABELS)}; credit Aria et al. (2021), DOI 10.34740/KAGGLE/DSV/2175623")
