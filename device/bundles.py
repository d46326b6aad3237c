"""Model bundles on the device: prove one, install it, make it current, go back; each by one atomic rename."""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from smear.bundle.files import MAX_TEXT_BYTES, FileFault, read_file
from smear.bundle.folder import Bundle
from smear.bundle.manifest import CHECKSUM, MANIFEST, MEND, SIGNATURE
from smear.bundle.signing import load_signed_bundle
from smear.errors import BundleError
from smear.output_files import OutputFolder, sync_folder, write_atomic

MODELS = "models"  # folder below the data directory
CURRENT, PREVIOUS = "current", "previous"  # symbolic links inside it
_INCOMING = ".incoming-"
_LETTERS = 60  # of its name, which may be longer than a folder's can be
_DIGITS = 12  # of the manifest's sha256 in a folder's name: enough to tell bundles apart, short enough to read

Prove = Callable[[Bundle], object]
"""Runs a bundle as the device would; raises `BundleError` where it cannot, see `smear.inference.proof`."""
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
    source: Path, models: Path, *, prove: Prove, public_key: Path | None = None, step: Step = lambda name: None
) -> Path:
    """Copy the bundle at `source` into the folder `models`, prove the copy and make it current.

    `prove` runs the copy as this device would. A power cut between any two steps leaves the old or the new bundle
    current, and valid.

    Raises:
        BundleError: `source` is damaged or not signed as wanted, or its copy is not proven; nothing has changed then.
    """
    step("verify the source")
    bundle = load_signed_bundle(source, public_key)
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{models}: cannot be made ({error.strerror}); choose another --data") from error
    home = models / folder_name(bundle)
    with _alone(models):
        _sweep(models)
        if _is_whole(home):
            _add_signature(source, home, public_key)
            prove(load_signed_bundle(home, public_key))
        else:
            incoming = models / f"{_INCOMING}{os.getpid()}"
            _copy(bundle, incoming, step)
            step("verify the copy")
            copy = load_signed_bundle(incoming, public_key)
            if copy.sha256 != bundle.sha256:
                raise BundleError(f"bundle {source}: it was changed while it was copied; try again")
            prove(copy)
            step("put the copy in place")
            _put_in_place(incoming, home)
        return _make_current(models, home, step)


def activate(
    models: Path, name: str, *, prove: Prove, public_key: Path | None = None, step: Step = lambda name: None
) -> Path:
    """Make the installed bundle `name` current once `prove` has run it, and remember the one it replaces.

    Raises:
        BundleError: there is no such bundle, or it is damaged, not signed as wanted or not proven.
    """
    home = models / name
    if not _is_name(name) or home.is_symlink() or not home.is_dir():
        have = ", ".join(entry.path.name for entry in installed(models)) or "none"
        raise BundleError(f"no installed bundle is called {name}; installed: {have}")
    prove(load_signed_bundle(home, public_key))
    with _alone(models):
        return _make_current(models, home, step)


def _make_current(models: Path, home: Path, step: Step) -> Path:
    old = target(models, CURRENT)
    if old == home:
        return home
    if old is not None:
        step("remember the previous bundle")
        _point(models / PREVIOUS, old.name)
    step("switch to the new bundle")
    _point(models / CURRENT, home.name)
    step("done")
    return home


def rollback(models: Path, *, prove: Prove, public_key: Path | None = None, step: Step = lambda name: None) -> Path:
    """Make the previous bundle current again once `prove` has run it, and keep the one left as previous.

    Raises:
        BundleError: there is none, or it is damaged, not signed as wanted or not proven.
    """
    current, previous = target(models, CURRENT), target(models, PREVIOUS)
    if previous is None or previous == current:
        raise BundleError(f"{models}: no previous bundle to go back to; install one with 'smearscope model install'")
    prove(load_signed_bundle(previous, public_key))
    with _alone(models):
        step("switch to the previous bundle")
        _point(models / CURRENT, previous.name)
        if current is not None:
            step("remember the bundle just left")
            _point(models / PREVIOUS, current.name)
        step("done")
    return previous


def current_bundle(models: Path) -> Path:
    """Return the bundle a device uses when none is named: the current one of `models`, else the one that ships.

    Raises:
        BundleError: one was chosen, and is gone; another one is never taken in its place without a word.
    """
    chosen = target(models, CURRENT)
    if chosen is not None:
        return chosen
    link = models / CURRENT
    if os.path.lexists(link) or os.path.lexists(models / PREVIOUS):
        raise BundleError(
            f"{link} leads to no bundle, so nothing is labelled; make an installed one current with "
            "'smearscope model activate NAME' ('smearscope model list' shows them), or install one again"
        )
    return shipped_bundle()


def shipped_bundle() -> Path:
    """Return the default bundle: inside an installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "_models" / "default"
    return inside if inside.is_dir() else Path(__file__).parent.parent / MODELS / "default"


def is_foreign(path: Path, models: Path) -> bool:
    """Tell whether the bundle at `path` was proven neither by whoever ships it nor by `install`."""
    home = path.resolve()
    return home.parent != models.resolve() and home != shipped_bundle().resolve()


def target(models: Path, link: str) -> Path | None:
    """Return the bundle folder that `link` (`CURRENT` or `PREVIOUS`) points to; None where it points nowhere."""
    try:
        name = os.readlink(models / link)  # noqa: PTH115 - a Path would drop a trailing slash or dot
    except OSError:
        return None
    home = models / name
    return home if _is_name(name) and home.is_dir() and not home.is_symlink() else None


def _is_name(name: str) -> bool:
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name and not name.startswith(".")


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
            manifest = load_signed_bundle(home, None).manifest
            created, levels = manifest.created, tuple(manifest.segmenter.levels)
        except BundleError as error:
            fault = str(error)
        found.append(Installed(home, created, levels, home == current, home == previous, fault))
    return sorted(found, key=lambda entry: entry.created, reverse=True)


def folder_name(bundle: Bundle) -> str:
    """Return the name under which `bundle` is installed: its own, and the start of its checksum."""
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in bundle.manifest.name)
    return f"{safe[:_LETTERS]}-{bundle.sha256[:_DIGITS]}"


def _is_whole(home: Path) -> bool:
    try:
        load_signed_bundle(home, None)
    except BundleError:
        return False
    return True


@contextmanager
def _alone(models: Path) -> Iterator[None]:
    """Let one installation at a time work in `models`; the lock goes with the process, however it ends."""
    file = models / ".lock"
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        lock = os.open(file, flags, 0o660)
    except OSError as error:
        raise BundleError(f"{file}: cannot be opened ({error.strerror}); remove it, or see who owns it") from error
    try:
        _lock(lock, file)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, file: Path) -> None:
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        raise BundleError(f"{file}: no regular file; remove it")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BundleError(f"{file.parent}: another installation is at work; try again when it is done") from None
    except OSError as error:
        raise BundleError(f"{file}: cannot be locked ({error.strerror}); choose a folder on another disk") from error


def _sweep(models: Path) -> None:
    """Remove what an interrupted install left: never complete, so never pointed to."""
    for left in models.glob(f"{_INCOMING}*"):
        shutil.rmtree(left, ignore_errors=True)


def _copy(bundle: Bundle, incoming: Path, step: Step) -> None:
    """Write the files of `bundle`, each as it was compared with its checksum, into the new folder `incoming`."""
    signature = _signature(bundle.path)
    with OutputFolder(incoming, create=True) as folder:
        for name in sorted(bundle.checksums):
            step(f"copy {name}")
            folder.write(name, bundle.read(name))
        for name in (MANIFEST, CHECKSUM):
            step(f"copy {name}")
            folder.write(name, _text(bundle.path, name))
        if signature is not None:
            step(f"copy {SIGNATURE}")
            folder.write(SIGNATURE, signature)


def _text(path: Path, name: str) -> bytes:
    try:
        return read_file(path / name, MAX_TEXT_BYTES)
    except FileFault as error:
        raise BundleError(f"bundle {path}: {name} {error}; {MEND}") from error


def _signature(path: Path) -> bytes | None:
    return _text(path, SIGNATURE) if os.path.lexists(path / SIGNATURE) else None


def _add_signature(source: Path, home: Path, public_key: Path | None) -> None:
    """Give the installed bundle at `home` the signature that its twin at `source` has, which was checked before."""
    signature = _signature(source)
    if signature is not None and signature != _signature(home):
        write_atomic(home / SIGNATURE, signature)
        load_signed_bundle(home, public_key)


def _put_in_place(incoming: Path, home: Path) -> None:
    if home.exists():  # damaged on disk: set aside, since a folder cannot be renamed over a full one
        aside = home.with_name(f"{_INCOMING}damaged-{os.getpid()}")
        home.rename(aside)
        incoming.rename(home)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        incoming.rename(home)
    sync_folder(home.parent)


def _point(link: Path, name: str) -> None:
    """Make `link` point to `name` beside it: a new link renamed over the old one, so it never points nowhere."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(link)
    sync_folder(link.parent)
