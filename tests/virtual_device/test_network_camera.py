"""The service and a camera in the network: out of reach as shipped, reached with the drop-in, and nothing beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual_device import container, debian

PORT = 8080
NAME = f"http://127.0.0.1:{PORT}/field.jpg"
SMEARSCOPE = "/opt/smearscope/current/bin/smearscope"
DATABASE = "/var/lib/smearscope/smearscope.sqlite3"
START_S = 90.0
DROP_IN = "/etc/systemd/system/smearscope.service.d/camera.conf"
CONNECT = f"import socket; socket.create_connection(('%s', {PORT}), 5)"


@pytest.fixture(scope="module")
def machine(device: Path) -> Iterator[container.Booted]:
    """The device, booted beside a camera in its network, which the service is told to use."""
    with container.booted(device, {debian.GUEST / "probes": "/mnt"}) as booted:
        booted.out("systemd-run", "--unit=network-camera", "python3", "/mnt/network_camera.py")
        booted.out("sed", "-i", f's|^name = "picamera2:0"|name = "{NAME}"|', "/etc/smearscope/config.toml")
        booted.out("systemctl", "restart", "--no-block", "smearscope")
        yield booted


def fields(machine: container.Booted) -> int:
    query = f"SELECT count(*) FROM fields WHERE source = '{NAME}';"
    return int(machine.run("sqlite3", "-readonly", DATABASE, query).stdout or 0)


def test_as_shipped_it_reaches_nothing_and_says_what_to_do(machine: container.Booted) -> None:
    said = f"camera {NAME} does not answer"
    container.until(lambda: said in machine.journal(), START_S, machine.journal)
    assert "'smearscope cameras allow" in machine.journal()
    assert fields(machine) == 0


def test_with_the_drop_in_it_examines_what_the_camera_sends(machine: container.Booted) -> None:
    machine.out("sh", "-c", f"{SMEARSCOPE} cameras allow {NAME} > {DROP_IN}")
    machine.out("systemctl", "daemon-reload")
    machine.out("systemctl", "restart", "--no-block", "smearscope")
    container.until(lambda: fields(machine) > 2, START_S, machine.journal)


def test_the_drop_in_opens_that_address_alone(machine: container.Booted) -> None:
    rules = ["--property=IPAddressDeny=any", "--property=IPAddressAllow=127.0.0.1"]
    other = ["systemd-run", "--wait", "--quiet", *rules, "python3", "-c"]
    assert machine.run(*other, CONNECT % "127.0.0.1").returncode == 0
    if machine.run(*other, CONNECT % "127.0.0.2").returncode == 0:
        pytest.skip("this kernel does not let a container filter addresses (BPF for control groups)")
