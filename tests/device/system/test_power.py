"""Shutting down, with a stand-in for systemd's programs."""

import subprocess

import pytest

from device.system import power
from smear.errors import SmearscopeError


def stand_in(monkeypatch: pytest.MonkeyPatch, code: int, out: str = "", err: str = "") -> None:
    monkeypatch.setattr(power, "_run", lambda *words: subprocess.CompletedProcess(words, code, out, err))


@pytest.mark.parametrize(
    ("code", "out", "can"), [(0, 's "yes"\n', "yes"), (0, 's "challenge"\n', "challenge"), (1, "", "no")]
)
def test_logind_is_asked_whether_it_is_allowed(monkeypatch: pytest.MonkeyPatch, code: int, out: str, can: str) -> None:
    stand_in(monkeypatch, code, out)
    assert power.can_power_off() == can


def test_without_systemd_it_is_not_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert power.can_power_off() == "no"


def test_a_shutdown_that_is_refused_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, 1, err="Interactive authentication required.\n")
    with pytest.raises(SmearscopeError, match=r"Interactive authentication required\.; in a terminal: sudo poweroff"):
        power.power_off()
