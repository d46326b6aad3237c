"""The shipped units with a service that cannot start: it rests, says why, is tried again, and starts when it can."""

from collections.abc import Iterator

import pytest

from tests.virtual_device import container, debian

FAULT, RETRY = "smearscope-fault.service", "smearscope-retry.timer"
LIMIT_S = 180.0
SETUP = """
cp /units/*.service /units/*.timer /etc/systemd/system
systemd-sysusers /units/smearscope.sysusers
systemd-tmpfiles --create /units/smearscope.tmpfiles
mkdir /etc/systemd/system/smearscope.service.d /etc/systemd/system/smearscope-retry.timer.d
"""
QUICK = {  # the shipped minutes as seconds, and a command that fails as the daemon does
    "smearscope.service": """[Unit]
StartLimitIntervalSec=15
[Service]
RestartSec=100ms
ExecStart=
ExecStart=/bin/sh -c "echo kamera is not known; exit 1"
""",
    RETRY: "[Timer]\nOnActiveSec=\nOnActiveSec=20\n",
}
SOUND = "[Service]\nType=exec\nExecStart=\nExecStart=/bin/tail -f /dev/null\n"


@pytest.fixture(scope="module")
def machine() -> Iterator[container.Booted]:
    """A Debian with the units, but without what they start."""
    with container.booted(debian.system_root(), {debian.PROJECT / "systemd": "/units"}) as booted:
        booted.out("sh", "-euc", SETUP)
        for unit, text in QUICK.items():
            override(booted, unit, text)
        yield booted


def override(machine: container.Booted, unit: str, text: str) -> None:
    machine.out("sh", "-euc", f"printf '%s' '{text}' > /etc/systemd/system/{unit}.d/test.conf; systemctl daemon-reload")


def state(machine: container.Booted, unit: str) -> str:
    return machine.run("systemctl", "is-active", unit).stdout.strip()


def told(machine: container.Booted) -> str:
    """Return what the fault unit said; a container has no screen."""
    return machine.run("journalctl", f"--unit={FAULT}", "--no-pager", "--output=cat").stdout


def test_after_five_starts_it_rests_and_says_what_is_wrong_and_what_to_do(machine: container.Booted) -> None:
    machine.run("systemctl", "start", "smearscope.service")
    container.until(lambda: state(machine, FAULT) == "active", LIMIT_S, machine.journal)
    assert state(machine, "smearscope.service") == "failed"
    assert machine.show("NRestarts") == "5"
    assert told(machine).count("Smearscope does not run") == 1  # not at each of the five
    for text in ("kamera is not known", "status=1/FAILURE", "systemctl reset-failed smearscope"):
        assert text in told(machine)


def test_it_is_tried_again_for_ever(machine: container.Booted) -> None:
    assert state(machine, RETRY) == "active"
    for times in (2, 3):
        container.until(lambda: told(machine).count("does not run") == times, LIMIT_S, machine.journal)  # noqa: B023
    assert state(machine, RETRY) == "active"


def test_a_person_who_put_it_right_can_start_it_at_once(machine: container.Booted) -> None:
    override(machine, "smearscope.service", SOUND)
    machine.out("systemctl", "reset-failed", "smearscope.service")
    machine.out("systemctl", "start", "smearscope.service")
    assert [state(machine, unit) for unit in ("smearscope.service", FAULT, RETRY)] == ["active", "inactive", "inactive"]
