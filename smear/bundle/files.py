"""Files that somebody else may have written: regular ones only, of bounded size, read once and compared by checksum."""

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from smear.errors import BundleError
from smear.output_files import printable

MAX_TEXT_BYTES = 2_000_000  # a manifest with five levels has 15 kB
MAX_FILE_BYTES = 256_000_000  # a float32 ResNet50 has 94 MB; a device has no memory for more
MISSING = "is missing"
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # of macOS and Windows; never read, so never trusted
_CHUNK = 1 << 20


class FileFault(Exception):
    """Why a file cannot be read; callers say which file, and what to do."""


def read_file(path: Path, limit: int = MAX_FILE_BYTES, *, follow: bool = False) -> bytes:
    """Return the content of the regular file at `path`.

    A symbolic link is followed only with `follow`, for a path that the device's owner wrote. A pipe is not waited for.
    No more than `limit` bytes are read, whatever the file says its size is.

    Raises:
        FileFault: it is missing, no regular file, larger than `limit`, or the disk fails.
    """
    descriptor = _opened(path, follow)
    try:
        content, chunk = bytearray(), b" "
        while chunk and len(content) <= limit:
            chunk = os.read(descriptor, _CHUNK)
            content += chunk
    except OSError as error:
        raise FileFault(f"cannot be read ({error.strerror})") from error
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise FileFault(f"has more than {limit} bytes")
    return bytes(content)


def checksum(path: Path, limit: int = MAX_FILE_BYTES) -> str:
    """Return the hexadecimal sha256 of the regular file at `path`, holding a part of it only; see `read_file`.

    Raises:
        FileFault: as `read_file`.
    """
    digest, size, descriptor = hashlib.sha256(), 0, _opened(path)
    try:
        while chunk := os.read(descriptor, _CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if size > limit:
                raise FileFault(f"has more than {limit} bytes")
    except OSError as error:
        raise FileFault(f"cannot be read ({error.strerror})") from error
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of the regular file at `path`.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        return checksum(path)
    except FileFault as error:
        raise BundleError(f"{path}: {error}; install the bundle again") from error


def check_files(folder: Path, expected: Mapping[str, str], known: Collection[str] = ()) -> list[str]:
    """Return what is wrong with the files in `folder`, each starting with the file's name.

    `expected` has the sha256 of each file by its name; those in `known` may lie there too, and nothing else.
    """
    faults = []
    for name, sha256 in expected.items():
        try:
            if checksum(folder / inside(name)) != sha256:
                faults.append(f"{printable(name)} does not match its checksum")
        except FileFault as error:
            faults.append(f"{printable(name)} {error}")
    extra = {file.name for file in folder.iterdir() if not _is_litter(file)} - set(expected) - set(known)
    return faults + [f"{printable(name)} does not belong to it" for name in sorted(extra)]


def _is_litter(file: Path) -> bool:
    """Return whether a desktop's file manager left `file` in a folder that somebody looked into."""
    return file.name in _LITTER and file.is_file() and not file.is_symlink()


def inside(name: str) -> str:
    """Return `name` where it can only be that of a file in one folder.

    Raises:
        FileFault: it leads elsewhere.
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise FileFault("is missing: it is no name of a file in the bundle's folder")
    return name


def _opened(path: Path, follow: bool = False) -> int:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise FileFault(MISSING) from None
    except (OSError, ValueError) as error:
        if os.path.islink(path):  # noqa: PTH114 - pathlib's own raises where a folder on the way may not be entered
            raise FileFault("is a symbolic link") from error
        raise FileFault(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileFault("is no regular file")
    return descriptor
