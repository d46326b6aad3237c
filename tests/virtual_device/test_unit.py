"""The shipped unit before it runs: hardening, syntax, and exactly the devices it needs."""

import re
from pathlib import Path

import pytest

from tests.virtual_device import container

HIGHEST_EXPOSURE = 0.6
FAULT, RETRY = "smearscope-fault.service", "smearscope-retry.timer"
DEVICES = {
    "char-video4linux rw",  # USB microscopes, and the sensor's nodes under libcamera
    "char-media rw",
    "char-drm rw",
    "char-dma_heap rw",
    "/dev/udmabuf rw",
    "char-input r",  # the touch screen
    "char-usb_device rw",  # Edge TPU
    "char-apex rw",
}


@pytest.fixture(scope="module")
def unit(device: Path) -> str:
    """The unit's text as it is installed, continuation lines joined."""
    text = (device / "usr/lib/systemd/system/smearscope.service").read_text(encoding="utf-8")
    return text.replace("\\\n", " ")


def test_the_unit_is_hardened_to_a_low_exposure(device: Path) -> None:
    done = container.run_in(
        device, ["systemd-analyze", "security", "--offline=true", "--no-pager", "smearscope.service"], env={}
    )
    score = re.search(r"Overall exposure level for smearscope.service: ([\d.]+)", done.stdout)
    assert score, done.stdout + done.stderr
    assert float(score[1]) <= HIGHEST_EXPOSURE, done.stdout


def test_systemd_finds_nothing_to_object_to_in_the_unit(device: Path) -> None:
    units = [f"/usr/lib/systemd/system/{name}" for name in ("smearscope.service", FAULT, RETRY)]
    done = container.run_in(device, ["systemd-analyze", "verify", *units], env={})
    objections = [line for line in (done.stdout + done.stderr).splitlines() if "smearscope" in line]
    assert done.returncode == 0, done.stderr
    assert objections == []


def test_the_device_policy_is_closed_but_for_the_devices_it_names(unit: str) -> None:
    assert re.findall(r"^DevicePolicy=(.*)$", unit, re.MULTILINE) == ["closed"]
    assert set(re.findall(r"^DeviceAllow=(.*)$", unit, re.MULTILINE)) == DEVICES


def test_the_drivers_behind_the_device_policy_are_loaded_before_the_service(unit: str) -> None:
    for key in ("Wants", "After"):
        named = " ".join(re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)).split()
        assert {"modprobe@videodev.service", "modprobe@mc.service", "modprobe@drm.service"} <= set(named)


def test_the_service_is_supervised(unit: str) -> None:
    for line in ("Type=notify", "WatchdogSec=20", "Restart=on-failure", "TimeoutStopSec=5"):
        assert re.search(rf"^{line}$", unit, re.MULTILINE), line


def test_it_rests_after_five_starts_and_is_tried_again_when_the_limit_has_passed(device: Path, unit: str) -> None:
    for line in ("StartLimitIntervalSec=4min", "StartLimitBurst=5", f"OnFailure={FAULT}"):
        assert re.search(rf"^{line}$", unit, re.MULTILINE), line
    units = device / "usr/lib/systemd/system"
    assert f"\nWants={RETRY}\n" in (units / FAULT).read_text(encoding="utf-8")
    assert "\nOnActiveSec=5min\n" in (units / RETRY).read_text(encoding="utf-8")  # longer than the limit's four


def test_of_usb_and_input_it_may_open_the_edge_tpu_cameras_and_what_a_person_at_the_screen_uses(
    device: Path, unit: str
) -> None:
    assert re.findall(r"^SupplementaryGroups=(.*)$", unit, re.MULTILINE) == ["video render"]
    rules = (device / "usr/lib/udev/rules.d/70-smearscope.rules").read_text(encoding="utf-8").splitlines()
    usb = [line for line in rules if line.startswith('SUBSYSTEM=="usb"')]
    assert all('GROUP="smearscope"' in line for line in usb)
    named = [line for line in usb if 'ATTR{idProduct}=="' in line]
    assert len(named) == 2  # the Edge TPU before and after its firmware is loaded
    assert ['ENV{ID_USB_INTERFACES}=="*:ef05??:*"' in line for line in usb if line not in named] == [
        True
    ]  # USB3 Vision
    pointers = [re.findall(r'ENV\{ID_INPUT_(\w+)\}=="1"', line) for line in rules if 'SUBSYSTEM=="input"' in line]
    assert pointers == [["TOUCHSCREEN"], ["TABLET"], ["MOUSE"], ["KEYBOARD"]]


def test_no_sleep_stands_between_the_boot_and_the_service(unit: str) -> None:
    assert "sleep" not in re.sub(r"^#.*$", "", unit, flags=re.MULTILINE)


def test_the_udev_rules_are_understood(device: Path) -> None:
    done = container.run_in(device, ["udevadm", "verify", "/usr/lib/udev/rules.d/70-smearscope.rules"], env={})
    assert done.returncode == 0, done.stdout + done.stderr
