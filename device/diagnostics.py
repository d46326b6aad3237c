"""The checks of `smearscope doctor`: one per part of the device, each with what to do about a fault."""

import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from device.backup.backup import LAST
from device.cameras.base import grant_of
from device.cameras.registry import AUTO as CAMERA_AUTO
from device.cameras.registry import CAMERAS, camera_kind, open_camera
from device.exports.registry import EXPORTS
from device.model_choice import bundle_path, use_of
from device.model_pick import AUTO as LEVEL_AUTO
from device.model_pick import HOW, read_pick
from device.screen.displays import AUTO as DISPLAY_AUTO
from device.screen.displays import DISPLAYS, PNG, choose_display, display_kind
from device.settings import Settings
from device.store.database import DATABASE, LOCK, Writer, not_ours, writer_of
from device.store.retention import DAY_S, MEGABYTE, free_bytes_of
from device.system.clock import SystemClock
from device.system.health import read_health, throttle_words
from smear.bundle.signing import load_signed_bundle
from smear.errors import CameraError, SmearscopeError
from smear.inference.proof import prove
from smear.inference.tflite import AUTO, RUNTIMES, choose_runtime
from smear.registry import Registry

PYTHONS = ((3, 11), (3, 13))  # oldest and newest version with pinned requirements
MAX_BACKUP_DAYS = 7  # a timer that runs daily has failed for a week
_FRAME_TIMEOUT_S = 5.0


class State(StrEnum):
    """How a part of the device is."""

    OK = "ok"
    WORKS_WITHOUT = "works without"  # something is missing or wrong, and fields can be examined all the same
    NOT_OK = "not ok"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor."""

    name: str
    state: State
    text: str  # what was found; where that is not ok, what to do about it


def _fault(needed: bool = True) -> State:
    return State.NOT_OK if needed else State.WORKS_WITHOUT


def examine(settings: Settings, data: Path, camera: str | None = None, display: str | None = None) -> list[Check]:
    """Check every part; a fault in one does not keep the others from being checked."""
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("Python", check_python),
        ("environment", check_environment),
        ("runtime", lambda: check_runtime(settings)),
        ("camera", lambda: check_camera(settings, camera)),
        ("camera kinds", check_camera_kinds),
        ("screen", lambda: check_screen(display or settings.display.name)),
        ("plugins", check_plugins),
        ("model", lambda: check_model(settings, data)),
        ("data folder", lambda: check_disk(settings, data)),
        ("backup", lambda: check_backup(data)),
        ("board", check_board),
    ]
    found = []
    for name, check in checks:
        try:
            found.append(check())
        except SmearscopeError as error:
            found.append(Check(name, State.NOT_OK, str(error)))
    return found


def check_python() -> Check:
    """The interpreter's version."""
    version = platform.python_version()
    low, high = PYTHONS
    state = State.OK if low <= sys.version_info[:2] <= high else State.NOT_OK
    allowed = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    return Check("Python", state, version if state is State.OK else f"{version} is not {allowed}; install one of these")


def check_environment() -> Check:
    """The virtual environment."""
    inside = sys.prefix != sys.base_prefix
    text = (
        sys.prefix if inside else "no virtual environment; make one with: python3 -m venv --system-site-packages .venv"
    )
    return Check("environment", State.OK if inside else State.WORKS_WITHOUT, text)


def check_runtime(settings: Settings) -> Check:
    """The inference runtime that the settings ask for."""
    kind = choose_runtime(settings.model.runtime)
    if kind.module:
        kind.load()
    others = [other.name for other in RUNTIMES.all() if other not in (AUTO, kind) and other.is_installed()]
    return Check("runtime", State.OK, ", ".join([kind.name, *others]))


def check_camera(settings: Settings, camera: str | None) -> Check:
    """The camera that would be used: one frame is read from it."""
    name = camera or settings.camera.name
    if (
        camera_kind(name) is CAMERA_AUTO
        and not CAMERAS.find("picamera2").is_installed()
        and not list(Path("/dev").glob("video*"))
    ):
        text = "none found; connect one, or use '--camera simulated:' or '--camera files:PATH'"
        return Check("camera", _fault(needed=is_raspberry_pi()), text)
    try:
        opened = open_camera(name, size=settings.camera.size)
        try:
            height, width = opened.read(_FRAME_TIMEOUT_S).image.shape[:2]
            different = grant_of(opened).differences
        finally:
            opened.close()
    except CameraError as error:
        return Check("camera", State.NOT_OK, str(error))
    simulated = " (SIMULATED)" if opened.simulated else ""
    if different:
        return Check("camera", State.WORKS_WITHOUT, "; ".join(different))
    return Check("camera", State.OK, f"{opened.name}: {width}x{height}{simulated}")


def check_camera_kinds() -> Check:
    """The kinds of cameras that can be used, and what the others need."""
    usable = [kind.name for kind in CAMERAS.all() if kind.is_installed()]
    missing = [f"{kind.name} needs: {kind.install}" for kind in CAMERAS.all() if not kind.is_installed()]
    return Check("camera kinds", State.OK, "; ".join([", ".join(usable), *missing]))


def check_screen(display: str) -> Check:
    """The display that would be used; a machine without one still records."""
    asked = display_kind(display)
    automatic = asked is DISPLAY_AUTO
    kind = choose_display(os.environ) if automatic else asked
    if automatic and kind is PNG:
        text = "none attached; screens go to a PNG file. Attach one, or choose --display none"
        return Check("screen", State.WORKS_WITHOUT, text)
    if kind.module and importlib.util.find_spec(kind.module) is None:
        how = f"pip install 'smearscope[{kind.extra}]'" if kind.extra else "install it"
        text = f"{kind.name} needs the Python module {kind.module}; {how}, or choose --display {PNG.written}"
        return Check("screen", _fault(needed=not automatic), text)
    return Check("screen", State.OK, kind.name if automatic else display)


def check_plugins() -> Check:
    """What other distributions add by entry points, and which of it cannot be used."""
    registries: tuple[Registry[Any], ...] = (CAMERAS, DISPLAYS, RUNTIMES, EXPORTS)
    problems = [problem.text for registry in registries for problem in registry.problems()]
    if problems:
        return Check("plugins", State.WORKS_WITHOUT, ". ".join(problems))
    found = [f"{registry.what} {spec.name}" for registry in registries for spec in registry.plugins()]
    return Check("plugins", State.OK, ", ".join(found) or "none")


def check_model(settings: Settings, data: Path) -> Check:
    """The bundle that would be used: its checksums and signature, and that it runs here, in a process of its own."""
    bundle = load_signed_bundle(bundle_path(settings, data, None), settings.model.require_signature)
    use = use_of(settings, data, bundle.sha256)
    prove(bundle, use)
    text = f"{bundle.manifest.name} {bundle.sha256[:12]} at {use.level}: {bundle.path}"
    if LEVEL_AUTO in (settings.model.level, settings.model.threads) and read_pick(data, bundle.sha256) is None:
        return Check("model", State.WORKS_WITHOUT, f"{text}; which level is the fastest was not measured here: {HOW}")
    return Check("model", State.OK, text)


def check_disk(settings: Settings, data: Path) -> Check:
    """The data folder: writable, with room for records."""
    existing = next(folder for folder in (data, *data.absolute().parents) if folder.is_dir())
    if not os.access(existing, os.W_OK):
        return Check(
            "data folder", State.NOT_OK, f"{data} is not writable for this user; choose another one with --data"
        )
    free, wanted = free_bytes_of(existing) / MEGABYTE, settings.store.min_free_mb
    if free < wanted:
        text = f"{data}: {free:.0f} MB free, {wanted} MB must stay free; delete slides or lower store.min_free_mb"
        return Check("data folder", State.NOT_OK, text)
    for name in (LOCK, DATABASE):
        if fault := not_ours(data / name):
            return Check("data folder", State.NOT_OK, f"{data}: {fault}")
    writer = writer_of(data)
    if writer is Writer.UNKNOWN:
        text = f"{data}: its file system cannot lock files; give a folder on another disk with --data"
        return Check("data folder", State.NOT_OK, text)
    busy = ", a smearscope is recording into it" if writer is Writer.ANOTHER else ""
    return Check("data folder", State.OK, f"{data}: {free / 1000:.1f} GB free{busy}")


def check_backup(data: Path) -> Check:
    """The last backup: that there is one, and that it is not old."""
    advice = "'smearscope backup DEST' takes one, to another disk or to S3"
    if not (data / DATABASE).is_file():
        return Check("backup", State.OK, "nothing is recorded yet")
    try:
        age_days = (SystemClock().wall_s() - (data / LAST).stat().st_mtime) / DAY_S
    except OSError:
        return Check("backup", State.WORKS_WITHOUT, f"none was taken yet; {advice}")
    text = f"the last one is {max(age_days, 0):.0f} days old"
    return (
        Check("backup", State.OK, text)
        if age_days <= MAX_BACKUP_DAYS
        else Check("backup", State.WORKS_WITHOUT, f"{text}; {advice}")
    )


def check_board() -> Check:
    """Temperature and throttling, where the board has sensors for them."""
    health = read_health()
    words = throttle_words(health.throttled or 0)
    temperature = "no sensor" if health.temperature_c is None else f"{health.temperature_c:.0f} °C"
    if words:
        text = f"{temperature}, {', '.join(words)}; use the board's own power supply and a cooler"
        return Check("board", State.WORKS_WITHOUT, text)
    return Check("board", State.OK, f"{platform.machine()}, {temperature}")


def is_raspberry_pi() -> bool:
    """Return whether this is a Raspberry Pi; a desktop analyses files and needs no camera."""
    try:
        return "Raspberry Pi" in Path("/proc/device-tree/model").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
