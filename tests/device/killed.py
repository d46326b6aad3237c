"""A process that is killed in the middle of an installation; apart, so that a new process can import it."""

import multiprocessing
import os
import signal
from pathlib import Path

from device import bundles
from smear.bundle.folder import Bundle

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.device.killed"])


def kill_at(step: int, action: str, models_folder: Path, source: Path, log: Path) -> str | None:
    """Run `action` in a process that kills itself at `step`; return the step's name, None when it ended first."""
    log.unlink(missing_ok=True)
    process = FORKS.Process(target=_act, args=(step, action, models_folder, source, log))
    process.start()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return log.read_text() if process.exitcode else None


def _no_proof(bundle: Bundle) -> None:
    """Prove nothing: what is killed here are the steps on disk."""


def _act(asked: int, action: str, models_folder: Path, source: Path, log: Path) -> None:
    taken: list[str] = []

    def step(name: str) -> None:
        if len(taken) == asked:
            log.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)
        taken.append(name)

    if action == "install":
        bundles.install(source, models_folder, prove=_no_proof, step=step)
    else:
        bundles.rollback(models_folder, prove=_no_proof, step=step)
