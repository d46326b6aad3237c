"""The data set: downloaded from Kaggle, or located in a folder, and compared with the full set."""

import hashlib
from contextlib import suppress
from pathlib import Path

from rich.table import Table

from smear.errors import DatasetError, first_line
from train.data.dataset import FULL_SET, Dataset, class_root

HANDLE = "mehradaria/leukemia"  # Aria et al. (2021), DOI 10.34740/KAGGLE/DSV/2175623; credit the authors


def download() -> Path:
    """Return the folder in which kagglehub keeps the data set, after downloading it unless it is there.

    Raises:
        DatasetError: kagglehub is not installed, or Kaggle does not answer or refuses.
    """
    try:
        import kagglehub  # needed by this function alone
        from kagglehub.exceptions import BackendError, CredentialError, DataCorruptionError, UnauthenticatedError
    except ModuleNotFoundError as error:
        raise DatasetError(f"fetching needs {error.name}; install it with: pip install 'smearscope[train]'") from error
    try:
        return Path(kagglehub.dataset_download(HANDLE))
    except (OSError, BackendError, CredentialError, DataCorruptionError, UnauthenticatedError) as error:
        raise DatasetError(
            f"Kaggle did not give {HANDLE} ({first_line(error)}); download it with a browser from "
            f"https://www.kaggle.com/datasets/{HANDLE} and run 'smearscope train fetch FOLDER'"
        ) from error


def locate(folder: Path) -> Path:
    """Return `folder`, or the first folder in it that holds the classes: archives often wrap their content.

    Raises:
        DatasetError: neither does.
    """
    inner = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    for candidate in (folder, *inner):
        with suppress(DatasetError):
            class_root(candidate)
            return candidate
    return class_root(folder)  # which says what it lacks


def table_of(data: Dataset) -> Table:
    """Return the counts of each class beside those of the full set, with the start of the sha256 over its files."""
    table = Table("Class", "Found", "Full set", "sha256")
    for label, found in data.counts().items():
        sums = sorted(r.sha256 for r in data.records if r.label == label)
        table.add_row(label, str(found), str(FULL_SET[label]), hashlib.sha256("".join(sums).encode()).hexdigest()[:16])
    table.add_row("All", str(len(data.records)), str(sum(FULL_SET.values())), data.fingerprint[:16])
    return table


def completeness(data: Dataset) -> str:
    """Return one sentence on whether this is the full set."""
    found, full = len(data.records), sum(FULL_SET.values())
    if data.counts() == FULL_SET:
        return f"found {found} of {full} fields: the full set"
    return f"found {found} of {full} fields: not the full set; figures will differ from those of the full set"
