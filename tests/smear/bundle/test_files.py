"""Files that somebody else may have written: regular ones alone, and no more of them than agreed."""

import os
from pathlib import Path

import pytest

from smear.bundle.files import FileFault, check_files, checksum, read_file


def test_a_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345678")
    assert read_file(tmp_path / "a", 8) == b"12345678"
    with pytest.raises(FileFault, match="more than 7 bytes"):
        read_file(tmp_path / "a", 7)
    with pytest.raises(FileFault, match="more than 7 bytes"):
        checksum(tmp_path / "a", 7)


@pytest.mark.parametrize("read", [read_file, checksum])
def test_links_pipes_and_folders_are_refused_without_waiting(tmp_path: Path, read) -> None:
    (tmp_path / "file").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("link", "symbolic link"),
        ("pipe", "no regular file"),
        (".", "no regular file"),
        ("-", "miss"),
    ):
        with pytest.raises(FileFault, match=words):
            read(tmp_path / name)


def test_a_path_that_the_owner_wrote_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"key")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", follow=True) == b"key"


def test_what_a_file_manager_leaves_in_a_folder_is_no_fault_and_anything_else_is(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"litter")
    assert check_files(tmp_path, {}) == []
    for name in (".DS_Store.py", "thumbs.db.exe", ".hidden"):
        (tmp_path / name).write_bytes(b"not litter")
    (tmp_path / "Thumbs.db").unlink()
    (tmp_path / "Thumbs.db").symlink_to(tmp_path / ".hidden")
    assert [fault.split()[0] for fault in check_files(tmp_path, {})] == [
        ".DS_Store.py", ".hidden", "Thumbs.db", "thumbs.db.exe",
    ]  # fmt: skip
