"""A V4L2 device passes the suite of every kind of camera: the kernel's own test driver, on a boot of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual_device import contract, debian, image
from tests.virtual_device.qemu import Machine


@pytest.fixture(scope="module")
def machine(disk: Path, workshop: Path, tools_root: Path) -> Iterator[Machine]:
    """A boot without the service, on a copy of the disk."""
    copy = workshop / "contract.img"
    debian.run(["cp", "--sparse=always", disk, copy])
    machine = Machine(tools_root, copy, workshop / "contract", "systemd.mask=smearscope.service")
    try:
        yield machine
    finally:
        machine.cut_power()
        copy.unlink()


def test_a_v4l2_device_passes_the_suite_of_every_kind_of_camera(machine: Machine) -> None:
    machine.out("modprobe", "vivid")
    done = machine.run(*contract.command(image.PYTHON, "/opt/contract", "Vivid"), timeout_s=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n20 passed" in done.stdout, done.stdout
