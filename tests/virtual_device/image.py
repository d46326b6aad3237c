"""The machine's disk: Debian 13 with a kernel, Mesa, a loopback camera, and Smearscope from its package."""

import shutil
from pathlib import Path

from PIL import Image

from tests import tiny_bundle
from tests.virtual_device import contract, debian, frames

GUEST = debian.HERE / "machine" / "guest"
SIZE = "3G"  # sparse; about half of it is used
PYTHON = "/opt/smearscope/current/bin/python"
CAMERA = "v4l2:/dev/video10"
STILL = 2  # of `frames.smears()`: what the microscope shows from the boot on
SETTINGS = f"""\
[camera]
name = "{CAMERA}"
pixel_size_um = {frames.PIXEL_SIZE_UM}
[model]
bundle = "/opt/tiny"
level = "{tiny_bundle.LEVEL}"
[store]
min_free_mb = 0
"""
# An emulated processor needs a minute to start what a Pi starts in seconds.
PATIENCE = """\
[Service]
TimeoutStartSec=900
WatchdogSec=600
TimeoutStopSec=60
Environment=VIRTUAL_FPS=5
"""
FILES = {
    "etc/smearscope/config.toml": SETTINGS,
    "etc/systemd/system/smearscope.service.d/patience.conf": PATIENCE,
    "etc/fstab": "/dev/vda / ext4 defaults,errors=remount-ro 0 1\n",
    "etc/modules-load.d/microscope.conf": "v4l2loopback\n",
    "etc/modprobe.d/microscope.conf": "options v4l2loopback video_nr=10 card_label=Microscope exclusive_caps=0\n",
    # One webcam and nothing else: no radio, no tuner, no output.
    "etc/modprobe.d/webcam.conf": "options vivid vid_cap_nr=20 node_types=0x1 num_inputs=1 input_types=0x0\n",
}
NOT_NEEDED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer")


def furnish(root: Path, tools_root: Path) -> None:
    """Add to `root`, in which Smearscope is installed, what makes it a machine with a microscope."""
    shutil.copytree(tools_root / "usr/lib/modules", root / "usr/lib/modules", symlinks=True, dirs_exist_ok=True)
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    units = root / "etc/systemd/system"
    for timer in NOT_NEEDED:
        (units / timer).symlink_to("/dev/null")
    shutil.copytree(GUEST, root / "opt/guest", ignore=shutil.ignore_patterns("__pycache__"))
    for probe in (debian.GUEST / "probes").glob("*.py"):
        shutil.copy(probe, root / "opt/guest")
    shutil.copy(GUEST / "microscope@.service", units)
    (units / "multi-user.target.wants").mkdir(parents=True, exist_ok=True)
    (units / "multi-user.target.wants/microscope@still.service").symlink_to("/etc/systemd/system/microscope@.service")
    tiny_bundle.make(root / "opt/tiny")
    contract.furnish(root / "opt/contract")
    still = root / "opt/frames/still"
    still.mkdir(parents=True)
    Image.fromarray(frames.smears()[STILL]).save(still / "0.jpg", **frames.JPEG)


def write_disk(root: Path, disk: Path) -> None:
    """Write the file system `root` into the new image `disk`."""
    debian.run(["truncate", f"--size={SIZE}", disk])
    debian.run(["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", root, disk])
