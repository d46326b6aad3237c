"""One disk and two boots on it, the second after a power cut; the tests follow each other, like an owner's day."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.screen.arrangement import arrange
from device.screen.layout import ScreenState
from device.screen.navigation.composition import compose
from device.screen.navigation.page import Page
from smear.images import read_image, write_image
from tests.golden import LOCAL_DIFFERENCE, largest_local_difference
from tests.virtual_device import container, debian, image, tools
from tests.virtual_device.conftest import install
from tests.virtual_device.qemu import SCREEN, Machine

GOLDEN = debian.HERE / "golden"
START_S = 1800.0  # from the agent's first answer to the first examined field; 60 to 90 s on an idle machine
SETTLE_S = 600.0  # for a screen or a state to come about; seconds on an idle machine
WRITES = 100  # acknowledged before the power goes


@pytest.fixture(scope="session", autouse=True)
def _bootable(_able: None) -> None:
    if reason := tools.missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def tools_root() -> Path:
    """QEMU and the kernel."""
    return tools.root()


@pytest.fixture(scope="session")
def disk(package: Path, workshop: Path, tools_root: Path) -> Path:
    """The machine's disk, with what its owner installed and recorded on it; there is one, as on a Pi."""
    root = workshop / "machine"
    install(package, debian.system_root(screen=True), root)
    image.furnish(root, tools_root)
    image.write_disk(root, workshop / "disk.img")
    shutil.rmtree(root)
    return workshop / "disk.img"


@pytest.fixture(scope="session")
def first(disk: Path, workshop: Path, tools_root: Path) -> Iterator[Machine]:
    """The first boot, up to the first examined field."""
    machine = Machine(tools_root, disk, workshop / "first")
    try:
        until_active(machine)
        yield machine
    finally:
        machine.cut_power()


@pytest.fixture(scope="session")
def acknowledged(first: Machine) -> list[int]:
    """The numbers of the records that the store had acknowledged when the power was cut under a busy writer."""
    unit = ["systemd-run", "--unit=record", "--property=Type=exec"]
    port = "/dev/virtio-ports/told"
    first.out(*unit, image.PYTHON, "/opt/guest/record.py", "/var/lib/record", "/opt/frames/still", port)
    story = lambda: first.run("journalctl", "--unit=record", "--no-pager", "--lines=30").stdout  # noqa: E731
    container.until(lambda: first.told.read_bytes().count(b"\n") >= WRITES, START_S, story)
    first.cut_power()
    return [int(line) for line in first.told.read_text().splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture(scope="session")
def second(disk: Path, workshop: Path, tools_root: Path, acknowledged: list[int]) -> Iterator[Machine]:
    """The second boot, after the power cut; the graphics driver is held back, so that the screen comes late."""
    assert acknowledged
    machine = Machine(tools_root, disk, workshop / "second", "modprobe.blacklist=virtio_gpu")
    try:
        yield machine
    finally:
        machine.cut_power()


def until_active(machine: Machine) -> None:
    """Wait for the service's first examined field."""
    active = lambda: machine.run("systemctl", "is-active", "smearscope").stdout == "active\n"  # noqa: E731
    container.until(active, START_S, machine.journal)


def status(machine: Machine) -> Any:
    """Return what the service answers over its control socket."""
    return json.loads(machine.out("python3", "/opt/guest/ask.py"))


def seen_upright(machine: Machine) -> np.ndarray:
    """Return what a person sees who has turned the screen a quarter to the left, as display.rotation = 90 wants it."""
    return np.ascontiguousarray(np.rot90(machine.screen()))


def tap(machine: Machine, page: Page, control: str, value: object = None, *, turned: bool = False) -> None:
    """Touch the middle of a control of `page` as soon as it is on the screen."""
    composed = compose(page, ScreenState(slide=""), SCREEN[::-1] if turned else SCREEN)
    box = next(each.box for each in composed.controls if each.name == control and value in (None, each.value))
    area = np.s_[box.y : box.y + box.height, box.x : box.x + box.width]
    seen = lambda: (seen_upright(machine) if turned else machine.screen())[area]  # noqa: E731
    is_there = lambda: largest_local_difference(seen(), composed.canvas.pixels[area]) <= LOCAL_DIFFERENCE  # noqa: E731
    container.until(is_there, SETTLE_S, machine.journal)
    x, y = box.x + box.width // 2, box.y + box.height // 2
    machine.tap(*((SCREEN[0] - 1 - y, x) if turned else (x, y)))


@pytest.fixture
def shows(tmp_path: Path) -> Callable[..., None]:
    """Return a check that the screen comes to look like the golden picture of this name."""

    def check(machine: Machine, name: str, turned: bool = False) -> None:
        golden = GOLDEN / f"{name}.png"

        def alike() -> bool:
            seen = seen_upright(machine) if turned else machine.screen()
            places = arrange((seen.shape[1], seen.shape[0]))
            # Fields a second; the focus of the last fields; the slide's name, its start's time; milliseconds.
            for box in (places.header, places.meters, places.slide.rows((1, 2))[0], places.state):
                seen[box.y : box.y + box.height, box.x : box.x + box.width] = 0
            write_image(tmp_path / golden.name, seen)
            return golden.exists() and largest_local_difference(seen, read_image(golden)) <= LOCAL_DIFFERENCE

        try:
            container.until(alike, SETTLE_S, lambda: f"compare {golden} with {tmp_path}\n{machine.journal()}")
        except AssertionError:
            if not os.environ.get("SMEARSCOPE_WRITE_GOLDEN"):  # then look at them before they are committed
                raise
            shutil.copy(tmp_path / golden.name, golden)

    return check
