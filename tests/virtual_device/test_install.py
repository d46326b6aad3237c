"""The installer and its undoing, on a booted Debian 13; the tests follow each other on one machine, like its owner."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual_device import container, debian

INSTALL = ("/src/systemd/install.sh", "--wheels", "/wheels", "--no-start")
RECORD, SETTINGS = "/var/lib/smearscope/record", "/etc/smearscope/config.toml"


@pytest.fixture(scope="module")
def machine(wheels: Path) -> Iterator[container.Booted]:
    """A fresh machine with the work tree at /src and the wheels at /wheels."""
    with container.booted(debian.system_root(), {debian.PROJECT: "/src", wheels: "/wheels"}) as booted:
        yield booted


def test_it_installs_without_a_network_and_says_where_things_are(machine: container.Booted) -> None:
    told = machine.out(*INSTALL)
    assert "installed: smearscope" in told
    assert machine.out("smearscope", "--version").startswith("smearscope")
    assert machine.out("systemctl", "is-enabled", "smearscope.service") == "enabled"


def test_the_daemon_has_its_own_user_and_folders(machine: container.Booted) -> None:
    assert machine.out("stat", "--format=%U:%G %a", "/var/lib/smearscope") == "smearscope:smearscope 750"
    assert machine.out("stat", "--format=%U:%G %a", "/opt/smearscope") == "root:root 755"
    assert "nologin" in machine.out("getent", "passwd", "smearscope")


def test_what_is_installed_belongs_to_root_and_runs_for_the_daemon(machine: container.Booted) -> None:
    assert machine.out("find", "/opt/smearscope/", "-not", "-user", "root") == ""
    assert machine.out("runuser", "-u", "smearscope", "--", "/opt/smearscope/current/bin/smearscope", "--version")


def test_installing_again_keeps_records_and_settings_and_one_environment(machine: container.Booted) -> None:
    machine.out("sh", "-c", f"echo kept > {RECORD}; echo '[camera]' > {SETTINGS}")
    machine.out(*INSTALL)
    assert machine.out("cat", RECORD, SETTINGS) == "kept\n[camera]"
    assert machine.out("sh", "-c", "ls -d /opt/smearscope/venv-* | wc -l") == "1"
    assert machine.out("smearscope", "--version").startswith("smearscope")


def test_an_installation_that_fails_leaves_the_old_one_in_use(machine: container.Booted) -> None:
    machine.out("sh", "-c", "mkdir /tmp/few; cp /wheels/smearscope-*.whl /tmp/few")
    before = machine.out("readlink", "/opt/smearscope/current")
    assert machine.run("/src/systemd/install.sh", "--wheels", "/tmp/few", "--no-start").returncode != 0
    assert machine.out("readlink", "/opt/smearscope/current") == before
    assert machine.out("sh", "-c", "ls /opt/smearscope") == f"current\n{before}"
    assert machine.out("smearscope", "--version").startswith("smearscope")


def test_the_package_refuses_to_be_installed_over_the_installer(machine: container.Booted) -> None:
    refused = machine.run("sh", "/src/systemd/debian/preinst", "install")
    assert refused.returncode != 0
    assert "run systemd/uninstall.sh first" in refused.stderr


def test_uninstalling_keeps_records_settings_and_their_owner(machine: container.Booted) -> None:
    machine.out("/src/systemd/uninstall.sh")
    assert machine.out("cat", RECORD, SETTINGS) == "kept\n[camera]"
    assert machine.out("stat", "--format=%U", "/var/lib/smearscope") == "smearscope"
    left = "ls -d /opt/smearscope /usr/local/bin/smearscope /etc/systemd/system/smearscope.service 2>/dev/null"
    assert machine.run("sh", "-c", left).stdout == ""
    assert machine.run("systemctl", "cat", "smearscope.service").returncode != 0


def test_uninstalling_twice_is_no_fault(machine: container.Booted) -> None:
    machine.out("/src/systemd/uninstall.sh")
