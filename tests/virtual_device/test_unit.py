"""The shipped unit before it runs: hardening, syntax, and exactly the devices it needs."""

import re
from pathlib import Path

import pytest

from tests.virtual_device import container

HIGHEST_EXPOSURE = 1.0
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


def test_the_unit_is_hardened_to_an_exposure_of_at_most_one(device: Path) -> None:
    done = container.run_in(
        device, ["systemd-analyze", "security", "--offline=true", "--no-pager", "smearscope.service"], env={}
    )
    score = re.search(r"Overall exposure level for smearscope.service: ([\d.]+)", done.stdout)
    assert score, done.stdout + done.stderr
    assert float(score[1]) <= HIGHEST_EXPOSURE, done.stdout


def test_systemd_finds_nothing_to_object_to_in_the_unit(device: Path) -> None:
    done = container.run_in(device, ["systemd-analyze", "verify", "/usr/lib/systemd/system/smearscope.service"], env={})
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


def test_the_service_is_supervised_and_never_given_up(unit: str) -> None:
    for line in ("Type=notify", "WatchdogSec=20", "Restart=on-failure", "StartLimitIntervalSec=0", "TimeoutStopSec=5"):
        assert re.search(rf"^{line}$", unit, re.MULTILINE), line


def test_no_sleep_stands_between_the_boot_and_the_service(unit: str) -> None:
    assert "sleep" not in re.sub(r"^#.*$", "", unit, flags=re.MULTILINE)


def test_the_udev_rules_are_understood(device: Path) -> None:
    done = container.run_in(device, ["udevadm", "verify", "/usr/lib/udev/rules.d/70-smearscope.rules"], env={})
    assert done.returncode == 0, done.stdout + done.stderr
