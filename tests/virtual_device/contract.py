"""The suite that every kind of camera passes, made ready to run in a guest beside the installed Smearscope."""

import shutil
from importlib import metadata
from pathlib import Path

from tests.virtual_device import debian

SUITE = Path("tests/device/cameras/contract")
RUNNER = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""pytest and what it needs, all pure Python: those that run here, since the device has none."""


def furnish(folder: Path) -> None:
    """Write into the new `folder` the suite and pytest."""
    shutil.copytree(debian.PROJECT / SUITE, folder / SUITE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in RUNNER:
        for file in metadata.files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:  # no commands
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), folder / file)


def command(python: str, folder: str, kinds: str) -> list[str]:
    """Return what runs the suite in `folder` for the benches whose names hold `kinds`."""
    words = ["-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-k", kinds, f"{folder}/{SUITE}"]
    return ["env", f"PYTHONPATH={folder}", python, *words]
