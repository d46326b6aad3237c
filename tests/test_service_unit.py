"""The service's unit files as they are in the work tree: what the virtual device need not be built for."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device.cameras.registry import camera_drop_in

SYSTEMD = Path(__file__).parent.parent / "systemd"
UNIT = SYSTEMD / "smearscope.service"
HIGHEST_EXPOSURE = 0.6
HIGHEST_EXPOSURE_WEB = 1.2  # it has a network, and no device


def exposure(unit: Path) -> float:
    """Return how open systemd finds `unit`, from 0 to 10."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert score, done.stdout + done.stderr
    return float(score[1])


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of Debian's package systemd"
)
def test_systemd_finds_the_unit_closed() -> None:
    assert exposure(UNIT) <= HIGHEST_EXPOSURE
    assert exposure(SYSTEMD / "smearscope-web.service") <= HIGHEST_EXPOSURE_WEB


def test_below_sys_the_service_may_write_the_backlight_alone() -> None:
    writable = re.findall(r"^ReadWritePaths=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert " ".join(writable).split() == ["-/run/media", "-/media", "-/run/smearscope-backlight"]
    (rule,) = re.findall('.*SUBSYSTEM=="backlight".*', (SYSTEMD / "70-smearscope.rules").read_text())
    assert rule.endswith('RUN{program}+="/usr/bin/ln -sfn /sys%p /run/smearscope-backlight"')
    assert rule.count("/brightness") == 2, "its owner's group, and its mode; nothing else of it is given"


def test_the_drop_in_for_a_network_camera_opens_what_the_unit_closes() -> None:
    text = camera_drop_in("http://192.0.2.20/video")
    shown = re.findall(r"```ini\n(.*?)```", (SYSTEMD / "README.md").read_text(), re.DOTALL)
    assert text in [re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in shown]
    drop_in = configparser.ConfigParser(strict=False)
    drop_in.optionxform = str  # type: ignore[assignment,method-assign]
    drop_in.read_string(text)
    opened = dict(drop_in["Service"])
    unit = UNIT.read_text()
    for closed, opening in (
        ("PrivateNetwork=yes", "PrivateNetwork"),
        ("IPAddressDeny=any", "IPAddressAllow"),
        ("RestrictAddressFamilies=AF_UNIX AF_NETLINK", "RestrictAddressFamilies"),
    ):
        assert f"\n{closed}\n" in unit
        assert opening in opened
    assert opened["PrivateNetwork"] == "no"


def test_all_unit_files_are_installed_and_removed_by_both_ways() -> None:
    names = [path.name for path in SYSTEMD.iterdir() if path.suffix in {".service", ".timer", ".rules"}]
    assert len(names) == 6
    for script in ("install.sh", "build-deb.sh", "uninstall.sh"):
        text = (SYSTEMD / script).read_text()
        assert [name for name in names if name not in text] == [], script


def test_it_rests_for_longer_than_its_starts_are_counted() -> None:
    (counted,) = re.findall(r"^StartLimitIntervalSec=(\d+)min$", UNIT.read_text(), re.MULTILINE)
    (rests,) = re.findall(r"^OnActiveSec=(\d+)min$", (SYSTEMD / "smearscope-retry.timer").read_text(), re.MULTILINE)
    assert 0 < int(counted) < int(rests)  # else the try itself would be refused, and never another follow
