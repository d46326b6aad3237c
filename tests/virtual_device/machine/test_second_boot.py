"""The second boot, after a power cut under a busy writer: no acknowledged record is lost, late devices are used."""

import json
from collections.abc import Callable

from device.screen.navigation.page import Notice
from device.screen.pages.live import LivePage
from device.screen.pages.menu import MenuPage
from device.screen.pages.typed import TypedPage
from tests.device.screen.page_states import PAGES
from tests.virtual_device import container, frames, image
from tests.virtual_device.machine.conftest import SETTLE_S, WRITES, status, tap, until_active
from tests.virtual_device.qemu import Machine

PAGES_OF = {
    "slide": PAGES["open-slide"][0],
    **dict.fromkeys(("history", "cells", "export"), PAGES["history"][0]),
    "calibrate": PAGES["calibrate"][0],
    "objective": PAGES["objective"][0],
    **dict.fromkeys(("review", "qc"), TypedPage("Who is at work?", "Operator", Notice)),
    "settings": PAGES["settings"][0],
}
"""By the menu's entries: a page with its button "back" where it is on the one that opens."""
RESIDENT_MB = 220.0  # of the service with the screen, beside the libraries that draw where no GPU does


def faults(machine: Machine) -> dict[str, str]:
    """Return what the service says is wrong; nothing while it does not answer yet."""
    done = machine.run("python3", "/opt/guest/ask.py")
    return json.loads(done.stdout)["faults"] if done.returncode == 0 else {}


def test_every_acknowledged_record_survives_the_power_cut(second: Machine, acknowledged: list[int]) -> None:
    found = json.loads(second.out(image.PYTHON, "/opt/guest/recorded.py", "/var/lib/record"))
    assert len(acknowledged) >= WRITES
    assert found["integrity"] == "ok"
    assert found["notices"] == []
    assert set(acknowledged) <= set(found["fields"])
    assert found["counted"] == found["photographs"] == len(found["fields"])
    assert found["shapes"] == [[*frames.SIZE[::-1], 3]]


def test_without_a_screen_the_fields_are_examined_all_the_same(second: Machine) -> None:
    until_active(second)
    assert second.run("ls", "/dev/dri/card0").returncode != 0
    assert status(second)["fields"] >= 1
    query = "PRAGMA integrity_check"
    assert second.out("sqlite3", "-readonly", "/var/lib/smearscope/smearscope.sqlite3", query) == "ok"


def test_a_screen_that_comes_late_is_used(second: Machine, shows: Callable[[Machine, str], None]) -> None:
    second.out("modprobe", "virtio_gpu")
    shows(second, "examined")
    assert "display" not in status(second)["faults"]


def test_a_screen_on_its_side_that_is_plugged_in_late_shows_turned_pages_and_takes_touches(
    second: Machine, shows: Callable[..., None]
) -> None:
    connector = "/sys/class/drm/card0-Virtual-1/status"
    second.out("systemctl", "stop", "smearscope")
    second.out("sh", "-c", f"echo off > {connector}")
    second.out("sh", "-c", "printf '[display]\\nrotation = 90\\n' >> /etc/smearscope/config.toml")
    second.out("systemctl", "start", "--no-block", "smearscope")
    container.until(lambda: "display" in faults(second), SETTLE_S, second.journal)
    second.out("sh", "-c", f"echo on > {connector}")
    shows(second, "examined-turned", turned=True)
    assert "display" not in status(second)["faults"]
    for entry, page in PAGES_OF.items():
        tap(second, LivePage(), "menu", turned=True)
        tap(second, MenuPage(), entry, turned=True)
        tap(second, page, "back", turned=True)  # as soon as it is there
        tap(second, MenuPage(), "back", turned=True)


def test_the_service_with_the_screen_keeps_to_its_memory(second: Machine) -> None:
    found = json.loads(second.out("python3", "/opt/guest/resident.py"))
    assert found["resident"] - found["mesa"] <= RESIDENT_MB, found


def test_a_usb_microscope_changes_no_finding_of_the_pictures_it_shows(second: Machine) -> None:
    second.out("systemctl", "stop", "smearscope", "microscope@still")
    second.out("systemctl", "start", "microscope@smear")
    compared = json.loads(second.out(image.PYTHON, "/opt/guest/compare.py", image.CAMERA, "/opt/frames/smear"))
    assert len(compared) == len(frames.smears())
    for result in compared:
        assert result["camera"] == result["file"] == result["played"]


def test_a_dma_heap_whose_permissions_come_late_is_waited_for(second: Machine) -> None:
    # As the kernel makes them, before udev has seen them. libcamera takes udmabuf where there is no heap.
    second.run("sh", "-c", "chmod 600 /dev/dma_heap/* /dev/udmabuf")
    second.out("sed", "--in-place", f's|"{image.CAMERA}"|"picamera2:0"|', "/etc/smearscope/config.toml")
    second.out("systemctl", "start", "--no-block", "smearscope")
    container.until(lambda: "camera" in faults(second), SETTLE_S, second.journal)
    assert second.run("systemctl", "is-active", "smearscope").stdout == "activating\n"
    second.out("udevadm", "trigger", "--action=add", "--settle", "/dev/dma_heap/system")
    until_active(second)
    container.until(lambda: status(second)["faults"] == {}, SETTLE_S, second.journal)
