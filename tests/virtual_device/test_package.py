"""The Debian package: removed and installed again on a booted device, with everything that was recorded still there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual_device import container

RECORD, SETTINGS = "/var/lib/smearscope/record", "/etc/smearscope/config.toml"


@pytest.fixture(scope="module")
def machine(device: Path, package: Path) -> Iterator[container.Booted]:
    """The installed device, booted, with the package at /package."""
    with container.booted(device, {package.parent: "/package"}) as booted:
        booted.out("systemctl", "stop", "smearscope.service")
        booted.out("sh", "-c", f"echo kept > {RECORD}")
        yield booted


def test_the_package_enables_the_service_and_puts_the_command_on_the_path(machine: container.Booted) -> None:
    assert machine.out("systemctl", "is-enabled", "smearscope.service") == "enabled"
    assert machine.out("/usr/bin/smearscope", "--version").startswith("smearscope")


def test_a_service_that_was_disabled_stays_so_through_an_upgrade(machine: container.Booted, package: Path) -> None:
    machine.out("systemctl", "disable", "smearscope.service")
    machine.out("dpkg", "--install", f"/package/{package.name}")
    assert machine.run("systemctl", "is-enabled", "smearscope.service").stdout.strip() == "disabled"
    machine.out("systemctl", "enable", "smearscope.service")


def test_removing_the_package_keeps_records_and_settings(machine: container.Booted) -> None:
    machine.out("apt-get", "remove", "--yes", "smearscope")
    assert machine.out("cat", RECORD) == "kept"
    assert "picamera2:0" in machine.out("cat", SETTINGS)
    assert machine.run("ls", "/opt/smearscope").returncode != 0


def test_purging_it_keeps_them_too(machine: container.Booted) -> None:
    machine.out("apt-get", "purge", "--yes", "smearscope")
    assert machine.out("cat", RECORD) == "kept"
    assert "picamera2:0" in machine.out("cat", SETTINGS)


def test_installing_it_after_removal_enables_it_again(machine: container.Booted, package: Path) -> None:
    machine.out("dpkg", "--install", f"/package/{package.name}")
    assert machine.out("systemctl", "is-enabled", "smearscope.service") == "enabled"
    assert machine.out("cat", RECORD) == "kept"
