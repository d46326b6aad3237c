"""Break the device on purpose, one way at a time, and see that a test notices: `make breaks [ARGS="kick sync"]`.

Each break is one replaced text in a copy of the work tree, and the test that must fail on it. On demand, not in CI:
the device is installed anew for each, which takes about three minutes a piece.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FAILED = 1  # pytest's exit code for failed tests; 2 to 5 mean that none ran
LIMIT_S = 1500
NOTICED = "noticed"


@dataclass(frozen=True, slots=True)
class Break:
    """What is replaced by what in `file`, and what must fail then."""

    file: str
    sound: str
    broken: str
    test: str


DEVICE = "tests/virtual_device"
BREAKS = {
    "rgb": Break(
        "device/cameras/threaded_camera.py",
        "self._source.to_rgb(raw)",
        "self._source.to_rgb(raw)[..., ::-1].copy()",
        f"{DEVICE}/test_camera.py::test_red_green_blue_and_grey_survive_the_way_from_the_camera",
    ),
    "kick": Break(
        "device/system/systemd.py",
        'self._send("WATCHDOG=1")',
        "return",
        f"{DEVICE}/test_service.py::test_a_healthy_service_outlives_its_watchdog",
    ),
    "sync": Break(
        "device/store/database/connection.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        "tests/device/store/test_store.py::test_the_database_syncs_every_commit_and_writes_ahead",
    ),
    "policy": Break(
        "systemd/smearscope.service",
        "DevicePolicy=closed",
        "DevicePolicy=auto",
        f"{DEVICE}/test_unit.py::test_the_device_policy_is_closed_but_for_the_devices_it_names",
    ),
}


def verdict(one: Break, folder: Path) -> str:
    """Say whether the test fails on the broken copy in `folder`; a test that could not even begin proves nothing."""
    copy_tree(folder)
    file = folder / one.file
    text = file.read_text(encoding="utf-8")
    if text.count(one.sound) != 1:
        sys.exit(f"breaks: {one.file} does not hold {one.sound!r} once; bring the table up to date")
    file.write_text(text.replace(one.sound, one.broken), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", one.test],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},  # before the work tree, which the environment may be linked to
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    sys.stdout.write(done.stdout[-600:])
    if done.returncode == FAILED and f"FAILED {one.test}" in done.stdout:
        return NOTICED
    return "NOT noticed" if done.returncode == 0 else "not tried: the test could not begin"


def copy_tree(folder: Path) -> None:
    """Copy what git knows or would take, with a repository around it, as the package is built from one."""
    listed = subprocess.run(
        ["git", "-C", PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (source := PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    git = ["git", "-C", str(folder), "-c", "user.name=breaks", "-c", "user.email=breaks@localhost"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=broken"]):
        subprocess.run([*git, *command], check=True)


def main(names: list[str]) -> int:
    """Run the breaks of these names, or all; 0 when every one was noticed."""
    if unknown := set(names) - set(BREAKS):
        sys.exit(f"breaks: no break is called {', '.join(sorted(unknown))}; choose of {', '.join(BREAKS)}")
    missed = []
    for name in names or BREAKS:
        with tempfile.TemporaryDirectory(prefix="smearscope-break-") as folder:
            said = verdict(BREAKS[name], Path(folder))
        sys.stdout.write(f"{name}: {said}\n")
        sys.stdout.flush()
        missed += [] if said == NOTICED else [name]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
