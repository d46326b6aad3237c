"""Which mounted drives are USB sticks."""

from pathlib import Path

import pytest

from device.system.removable_drives import removable_drives


@pytest.mark.parametrize(
    ("block", "removable", "options", "found"),
    [
        ("devices/pci/usb1/1-1/block/sda/sda1", "0", "rw,nosuid", True),
        ("devices/mmc/block/sda/sda1", "1", "rw", True),
        ("devices/nvme/block/sda/sda1", "0", "rw", False),
        ("devices/pci/usb1/1-1/block/sda/sda1", "1", "ro", False),
    ],
)
def test_a_drive_counts_if_it_can_be_taken_away_and_written_to(
    tmp_path: Path, block: str, removable: str, options: str, found: bool
) -> None:
    (tmp_path / block).mkdir(parents=True)
    (tmp_path / block).parent.joinpath("removable").write_text(removable)
    names, stick = tmp_path / "class", tmp_path / "STICK"
    names.mkdir()
    stick.mkdir()
    (names / "sda1").symlink_to(tmp_path / block)
    drives = removable_drives(lambda: [("/dev/sda1", str(stick), options)], names)
    assert [(each.path, each.label, each.free_bytes > 0) for each in drives] == [(stick, "STICK", True)] * found
