"""The roots that the tests of the virtual device share; see docs/tested-on.md for what they prove."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual_device import container, debian, frames

WATCHDOG_S = 6  # instead of the unit's own: nobody waits for a hang longer than it takes to tell it from a slow field
SETTINGS = f"""\
[camera]
name = "picamera2:0"
pixel_size_um = {frames.PIXEL_SIZE_UM}
[display]
name = "none"
[slide]
count_once = false
[store]
min_free_mb = 0
"""
OVERRIDE = f"""\
[Service]
WatchdogSec={WATCHDOG_S}
Environment={" ".join(f"{name}={value}" for name, value in container.CAMERAS.items())} VIRTUAL_FPS=5
"""


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    if reason := debian.missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def wheels() -> Path:
    """The project and its pins, as wheels for the device's Python."""
    return debian.wheels()


@pytest.fixture(scope="session")
def workshop() -> Iterator[Path]:
    """A folder on disk for this run; /tmp may be too small a memory disk."""
    for left in debian.cache().glob("run-*"):  # of runs that were killed; a root weighs 1 GB
        if not Path("/proc", left.name.removeprefix("run-")).exists():
            shutil.rmtree(left)
    folder = debian.cache() / f"run-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def package(wheels: Path, workshop: Path) -> Path:
    """The Debian package, built from this work tree with everything in it."""
    return Path(debian.run([debian.PROJECT / "systemd" / "build-deb.sh", workshop, wheels]).stdout.strip())


@pytest.fixture(scope="session")
def device(package: Path, workshop: Path) -> Path:
    """The device as a lab would have it: Debian 13 with picamera2, two cameras, and Smearscope from its package."""
    root = workshop / "device"
    install(package, debian.system_root(), root)
    (root / "etc/smearscope/config.toml").write_text(SETTINGS, encoding="utf-8")
    override = root / "etc/systemd/system/smearscope.service.d/virtual-device.conf"
    override.parent.mkdir(parents=True)
    override.write_text(OVERRIDE, encoding="utf-8")
    return root


def install(package: Path, system: Path, root: Path) -> None:
    """Make `root` a copy of `system` with pictures for its cameras and Smearscope from its package."""
    debian.run(["cp", "-a", "--reflink=auto", system, root])
    frames.write_frames(root / "opt/frames")
    installed = container.run_in(
        root,
        ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", f"/mnt/{package.name}"],
        env={"DEBIAN_FRONTEND": "noninteractive"},
        binds={package.parent: "/mnt"},
        keep=True,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
