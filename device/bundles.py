"""Model bundles on the device: prove one, install it, make it current, go back; each by one atomic rename."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from smear.bundle.manifest import Bundle, load_bundle, read_manifest
from smear.bundle.signing import load_signed_bundle
from smear.errors import BundleError
from smear.inference.verification import verify

MODELS = "models"  # folder below the data directory
CURRENT, PREVIOUS = "current", "previous"  # symbolic links inside it
_INCOMING = ".incoming-"
_DIGITS = 12  # of the manifest's sha256 in a folder's name: enough to tell bundles apart, short enough to read

Step = Callable[[str], None]
"""Called with the name of each step just before it is taken; tests kill the process there."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One bundle in the models folder."""

    path: Path
    created: str
    levels: tuple[str, ...]
    current: bool
    previous: bool
    fault: str | None  # why it cannot be used; None where its checksums hold


def install(
    source: Path,
    models: Path,
    *,
    runtime: str | None = None,
    public_key: Path | None = None,
    step: Step = lambda name: None,
) -> Path:
    """Copy the bundle at `source` into the folder `models`, prove the copy and make it current.

    A power cut between any two steps leaves the old or the new bundle current, and valid.

    Raises:
        BundleError: `source` or its copy fails `verify`; nothing has changed then.
    """
    step("verify the source")
    bundle = verify(source, runtime, public_key)
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{models}: cannot be made ({error.strerror}); choose another --data") from error
    home = models / folder_name(bundle)
    with _alone(models):
        _sweep(models)
        if not _is_whole(home):
            incoming = models / f"{_INCOMING}{os.getpid()}"
            _copy(source, incoming, step)
            step("verify the copy")
            verify(incoming, runtime, public_key)
            step("put the copy in place")
            _put_in_place(incoming, home)
        return activate(models, home.name, public_key=public_key, step=step)


def activate(models: Path, name: str, *, public_key: Path | None = None, step: Step = lambda name: None) -> Path:
    """Make the installed bundle `name` current, and remember the one it replaces.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
    """
    home = models / name
    if Path(name).name != name or not home.is_dir():
        have = ", ".join(entry.path.name for entry in installed(models)) or "none"
        raise BundleError(f"no installed bundle is called {name}; installed: {have}")
    load_signed_bundle(home, public_key)
    old = target(models, CURRENT)
    if old == home:
        return home
    if old is not None:
        step("remember the previous bundle")
        _point(models / PREVIOUS, old.name)
    step("switch to the new bundle")
    _point(models / CURRENT, name)
    step("done")
    return home


def rollback(models: Path, *, public_key: Path | None = None, step: Step = lambda name: None) -> Path:
    """Make the previous bundle current again, and keep the one left as previous.

    Raises:
        BundleError: there is none, or it is damaged.
    """
    current, previous = target(models, CURRENT), target(models, PREVIOUS)
    if previous is None or previous == current:
        raise BundleError(f"{models}: no previous bundle to go back to; install one with 'smearscope model install'")
    load_signed_bundle(previous, public_key)
    step("switch to the previous bundle")
    _point(models / CURRENT, previous.name)
    if current is not None:
        step("remember the bundle just left")
        _point(models / PREVIOUS, current.name)
    step("done")
    return previous


def current_bundle(models: Path) -> Path:
    """Return the bundle a device uses when none is named: the current one of `models`, else the one that ships."""
    return target(models, CURRENT) or shipped_bundle()


def shipped_bundle() -> Path:
    """Return the default bundle: inside an installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "_models" / "default"
    return inside if inside.is_dir() else Path(__file__).parent.parent / MODELS / "default"


def target(models: Path, link: str) -> Path | None:
    """Return the bundle folder that `link` (`CURRENT` or `PREVIOUS`) points to; None where it points nowhere."""
    path = models / link
    if not path.is_symlink():
        return None
    home = models / path.readlink()
    return home if home.is_dir() else None


def installed(models: Path) -> list[Installed]:
    """Return every bundle in the folder `models`, newest first, each checked against its checksums."""
    if not models.is_dir():
        return []
    current, previous = target(models, CURRENT), target(models, PREVIOUS)
    found = []
    for home in sorted(models.iterdir()):
        if home.is_symlink() or not home.is_dir() or home.name.startswith("."):
            continue
        fault: str | None = None
        created, levels = "", tuple[str, ...]()
        try:
            manifest = load_bundle(home).manifest
            created, levels = manifest.created, tuple(manifest.segmenter.levels)
        except BundleError as error:
            fault = str(error)
        found.append(Installed(home, created, levels, home == current, home == previous, fault))
    return sorted(found, key=lambda entry: entry.created, reverse=True)


def folder_name(bundle: Bundle) -> str:
    """Return the name under which `bundle` is installed: its own, and the start of its checksum."""
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in bundle.manifest.name)
    return f"{safe}-{bundle.sha256[:_DIGITS]}"


def differences(first: Path, second: Path) -> list[tuple[str, str, str]]:
    """Return (field, value in `first`, value in `second`) for each manifest field in which they differ."""
    left = _flat(read_manifest(first).model_dump(mode="json"))
    right = _flat(read_manifest(second).model_dump(mode="json"))
    return [
        (key, left.get(key, "-"), right.get(key, "-"))
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    ]


def _flat(value: object, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        merged: dict[str, str] = {}
        for key, inner in value.items():
            merged |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return merged
    return {prefix: str(value)}


def _is_whole(home: Path) -> bool:
    try:
        load_bundle(home)
    except BundleError:
        return False
    return True


@contextmanager
def _alone(models: Path) -> Iterator[None]:
    """Let one installation at a time work in `models`; the lock goes with the process, however it ends."""
    with (models / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BundleError(f"{models}: another installation is at work; try again when it is done") from None
        yield


def _sweep(models: Path) -> None:
    """Remove what an interrupted install left: never complete, so never pointed to."""
    for left in models.glob(f"{_INCOMING}*"):
        shutil.rmtree(left, ignore_errors=True)


def _copy(source: Path, incoming: Path, step: Step) -> None:
    incoming.mkdir()
    for file in sorted(source.iterdir()):
        step(f"copy {file.name}")
        with file.open("rb") as read, (incoming / file.name).open("wb") as write:
            shutil.copyfileobj(read, write)
            write.flush()
            os.fsync(write.fileno())
    _sync(incoming)


def _put_in_place(incoming: Path, home: Path) -> None:
    if home.exists():  # damaged on disk: set aside, since a folder cannot be renamed over a full one
        aside = home.with_name(f"{_INCOMING}damaged-{os.getpid()}")
        home.rename(aside)
        incoming.rename(home)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        incoming.rename(home)
    _sync(home.parent)


def _point(link: Path, name: str) -> None:
    """Make `link` point to `name` beside it: a new link renamed over the old one, so it never points nowhere."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(link)
    _sync(link.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
