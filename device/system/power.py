"""Shutting the machine down through systemd-logind, which asks polkit whether this user may."""

import subprocess

from smear.errors import SmearscopeError

_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_TIMEOUT_S = 10.0


def can_power_off() -> str:
    """Return what logind answers: yes, no, challenge (a password is needed) or na; no where there is no logind."""
    try:
        done = _run("busctl", "call", *_LOGIND, "CanPowerOff")
    except (OSError, subprocess.TimeoutExpired):
        return "no"
    return done.stdout.strip().removeprefix("s ").strip('"') if done.returncode == 0 else "no"


def power_off() -> None:
    """Shut the machine down.

    Raises:
        SmearscopeError: it was not allowed.
    """
    done = _run("systemctl", "--no-ask-password", "poweroff")
    if done.returncode != 0:
        raise SmearscopeError(f"the machine does not shut down: {done.stderr.strip()}; in a terminal: sudo poweroff")


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
