"""Commands in a root, as a plain process or under its own systemd; nothing stays mounted when they end."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL

CAMERAS = {"LD_PRELOAD": "/usr/local/lib/fakedma.so", "LIBCAMERA_LOG_LEVELS": "*:ERROR"}
"""What a process needs to see the virtual cameras on a kernel without dma-bufs."""
BOOT_S = 180.0  # it is over when the service has examined a field; 60 s were too few beside eight busy processes
POLL_S = 0.1


def run_in(
    root: Path,
    command: list[str],
    *,
    env: Mapping[str, str] = CAMERAS,
    binds: Mapping[Path, str] | None = None,
    keep: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `command` in `root`; with `keep` its writes stay in the root, else they go to a throw-away overlay.

    `binds` (host folder -> its place) are read-only.
    """
    options = ["--pipe", "--as-pid2", "--private-network", "--keep-unit", "--register=no"]
    options += [] if keep else ["--volatile=overlay"]
    options += [f"--setenv={name}={value}" for name, value in env.items()]
    options += [f"--bind-ro={source}:{target}" for source, target in (binds or {}).items()]
    return subprocess.run(
        ["systemd-nspawn", "--quiet", f"--directory={root}", *options, "--", *command],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )


class Booted:
    """A container whose process 1 is the root's own systemd."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def run(self, *command: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run `command` as root in the container."""
        return subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", "--root", "--wd", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"},
        )

    def out(self, *command: str) -> str:
        """Return what `command` printed; AssertionError when it fails."""
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def show(self, unit_property: str) -> str:
        """Return one property of smearscope.service."""
        return self.out("systemctl", "show", "--value", f"--property={unit_property}", "smearscope.service")

    def journal(self) -> str:
        """Return what the service and systemd said of it, for messages of failed tests."""
        return self.run(
            "journalctl", "--unit=smearscope", "--no-pager", "--output=short-monotonic", "--lines=60"
        ).stdout


@contextmanager
def booted(root: Path, binds: Mapping[Path, str] | None = None) -> Iterator[Booted]:
    """Boot `root` over a throw-away overlay, and end it whatever happens; `binds` as for `run_in`."""
    name = f"smearscope-{os.getpid()}"
    command = ["systemd-nspawn", "--quiet", "--boot", f"--directory={root}", f"--machine={name}", "--volatile=overlay"]
    command += ["--private-network", "--keep-unit", "--register=no", "--console=pipe"]
    command += [f"--bind-ro={source}:{target}" for source, target in (binds or {}).items()]
    # The host may still have cgroup v1, which systemd 257 refuses.
    env = os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
    process = subprocess.Popen(
        [*command, "--", "systemd.journald.forward_to_console=no"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )
    try:
        machine = Booted(_leader(process))
        until(
            lambda: machine.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"),
            BOOT_S,
            lambda: "",
        )
        yield machine
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        if process.poll() is None:
            process.send_signal(SIGKILL)
            process.wait()


def until(condition: Callable[[], bool], limit_s: float, story: Callable[[], str]) -> float:
    """Ask `condition` until it holds; return the seconds it took.

    Raises:
        AssertionError: it does not hold within `limit_s`; the message is `story`.
    """
    begin_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - begin_s
        assert waited_s < limit_s, f"not within {limit_s:.0f} s\n{story()}"
        time.sleep(POLL_S)  # the pace of asking; nothing is assumed to be done by then
    return time.monotonic() - begin_s


def _leader(process: "subprocess.Popen[str]") -> int:
    """Return the container's process 1 as the host numbers it: the only child of systemd-nspawn."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found: list[str] = []

    def has_child() -> bool:
        assert process.poll() is None, f"systemd-nspawn ended: {process.stdout.read() if process.stdout else ''}"
        found[:] = children.read_text(encoding="ascii").split()
        return bool(found)

    until(has_child, BOOT_S, lambda: "systemd-nspawn has started no process")
    return int(found[0])
