"""Two systems of the Pi's architecture, one for each Python it comes with, and an emulated processor to run them."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.virtual_device import debian

ARM64 = "aarch64"
PYTHONS = {"3.11": "bookworm", "3.13": "trixie"}  # of Raspberry Pi OS 12 and 13
PACKAGES = "libstdc++6,python3"  # the wheels bring all else, and pip is this machine's
# Nothing is configured in these roots: they are only unpacked, which needs no processor of their kind.
UNPACKED = "--variant=extract"


@dataclass(frozen=True, slots=True)
class Board:
    """A Debian of this architecture with the project and its pins for one Python."""

    python: str
    root: Path
    site: Path
    wheels: Path
    emulator: tuple[str, ...]

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the board's Python with these words; it sees its own libraries, and the host's other files."""
        return subprocess.run(
            [*self.emulator, str(self.root / f"usr/bin/python{self.python}"), *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=3000,
            env={"PATH": "/usr/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(self.site)},
        )


@pytest.fixture(scope="session", params=PYTHONS)
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """The board with this Python, the wheels installed."""
    python: str = request.param
    suite = PYTHONS[python]
    root = debian.kept(
        f"arm64-{suite}",
        [PACKAGES, UNPACKED, *debian.OPTIONS],
        [],
        lambda folder: _unpack(folder, suite),
    )
    wheels = debian.wheels(python, ARM64)
    site = tmp_path_factory.mktemp("site")
    installed = _install(python, wheels, site)
    assert installed.returncode == 0, installed.stderr
    return Board(python, root, site, wheels, emulator(root))


def emulator(root: Path) -> tuple[str, ...]:
    """Return the words that run a program of `root`: Debian 13's QEMU; under an older one (7.2) TFLite crashes."""
    tools = debian.kept(
        "arm64-tools",
        ["qemu-user", UNPACKED, *debian.OPTIONS],
        [],
        lambda folder: debian.bootstrap(folder, debian.SUITE, "qemu-user", UNPACKED),
    )
    return (str(tools / "usr/bin/qemu-aarch64"), "-L", str(root))


def _unpack(root: Path, suite: str) -> None:
    debian.bootstrap(root, suite, PACKAGES, UNPACKED, "--architectures=arm64")
    if not (root / "lib").exists():  # a link that Debian 13 makes when it is configured
        (root / "lib").symlink_to("usr/lib")


def _install(python: str, wheels: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Install all wheels for a Pi with this Python: this machine's pip refuses any that would not fit there."""
    platforms = [f"--platform=manylinux{glibc}_{ARM64}" for glibc in ("_2_28", "_2_27", "_2_26", "_2_17", "2014")]
    command = ["python3", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile", "--no-deps"]
    command += ["--no-index", f"--python-version={python}", *platforms, "--only-binary=:all:", f"--target={site}"]
    return subprocess.run(
        [*command, *map(str, sorted(wheels.glob("*.whl")))],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PIP_REQUIRE_VIRTUALENV": "0"},
    )
