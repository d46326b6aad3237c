"""Pictures in object stores: whatever fsspec opens by a URL, such as s3://bucket/folder/field.jpg."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smear.errors import ImageError
from smear.output_files import printable


def is_url(text: str) -> bool:
    """Tell whether `text` names something outside the file system."""
    return "://" in text


def fetch(url: str, limit: int) -> bytes:
    """Return the first `limit` bytes at `url`.

    Raises:
        ImageError: there is nothing, it cannot be reached or may not be read; the message has no name yet.
    """
    url_to_fs = _opener()
    with _explained():
        filesystem, path = url_to_fs(url)
        content: bytes = filesystem.cat_file(path, start=0, end=limit)
        return content


def walk_url(url: str, unreadable: list[str]) -> Iterator[str]:
    """Yield the URL of each file at or below `url`, folder by folder and sorted within one; note what is `unreadable`.

    fsspec's own walk passes over a folder that cannot be listed without a word, unless it is the first.
    """
    url_to_fs = _opener()
    try:
        with _explained():
            filesystem, path = url_to_fs(url, use_listings_cache=False)  # which would keep every name
            if not path.strip("/"):
                raise ImageError("no bucket or folder is named; check the URL")  # and not all that there are
            if filesystem.isfile(path):
                yield url
                return
    except ImageError as error:
        unreadable.append(f"{printable(url)}: {error}")
        return
    folders = [path]
    while folders:
        folder = folders.pop()
        try:
            with _explained():
                entries = sorted(filesystem.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
        except ImageError as error:
            unreadable.append(f"{printable(filesystem.unstrip_protocol(folder))}: {error}")
            continue
        seen = [entry for entry in entries if not _is_hidden(entry["name"], folder)]
        for entry in seen:
            is_special = entry["type"] == "other" and not entry.get("islink")  # a pipe or device, by file://
            if entry["type"] != "directory" and not is_special:
                yield filesystem.unstrip_protocol(entry["name"])
        folders += [entry["name"] for entry in reversed(seen) if entry["type"] == "directory"]


def _is_hidden(name: str, folder: str) -> bool:
    """Tell whether `name` is the `folder` itself, as object stores list it, or hidden as in a file system."""
    last = name.rstrip("/").rpartition("/")[2]
    return name.strip("/") == folder.strip("/") or last.startswith(".")


def _opener() -> Any:
    from fsspec.core import url_to_fs  # here: a device has no object store

    return url_to_fs


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ImageError("nothing is there; check the URL") from None
    except _faults() as error:
        raise ImageError(f"cannot be opened ({error}); check the URL, its endpoint and your credentials") from error


def _faults() -> tuple[type[Exception], ...]:
    """Return what a file system may raise; botocore's own, which s3fs passes on, are no `OSError`."""
    botocore: Any = sys.modules.get("botocore.exceptions")
    of_s3 = () if botocore is None else (botocore.BotoCoreError, botocore.ClientError)
    return (ImportError, OSError, ValueError, *of_s3)
