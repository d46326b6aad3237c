"""Pictures in object stores: whatever fsspec opens by a URL, such as s3://bucket/folder/field.jpg."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smear.errors import ImageError


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


def walk_url(url: str) -> Iterator[str]:
    """Yield the URL of each file at or below `url`, folder by folder and sorted within one.

    Raises:
        ImageError: there is nothing, or it cannot be listed; the message has no name yet.
    """
    url_to_fs = _opener()
    with _explained():
        filesystem, path = url_to_fs(url, use_listings_cache=False)  # which would keep every name
        if filesystem.isfile(path):
            yield url
            return
        for folder, folders, names in filesystem.walk(path, on_error="raise"):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name and not name.startswith("."):
                    yield filesystem.unstrip_protocol(f"{folder}/{name}")


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
