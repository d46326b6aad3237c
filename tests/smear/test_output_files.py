"""Writing files: whole or not at all, below their folder, and over nothing but regular files."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smear.errors import StoreError
from smear.output_files import OutputFolder, printable, write_atomic


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"a long old content")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_where_nothing_can_be_written_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"cannot write into .*No such file or directory; make it or choose another folder$"
    ):
        write_atomic(tmp_path / "missing" / "a", b"")


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    write_atomic(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device; free some space"):
        write_atomic(tmp_path / "a", b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def test_a_file_system_without_folder_sync_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("n" * 255), b"new")
    assert (tmp_path / ("n" * 255)).is_file()


@pytest.mark.parametrize("name", ["../a", "/etc/a", "x/../../a", "", "a\0b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    with OutputFolder(tmp_path / "in") as folder:
        for call in (folder.check, lambda name: folder.write(name, b"")):
            with pytest.raises(StoreError, match="leads out of"):
                call(name)
    assert [p.name for p in tmp_path.rglob("*")] == ["in"]


def test_folders_on_the_way_are_made_but_no_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    with OutputFolder(tmp_path / "new" / "in", create=True) as folder:
        folder.write("deep/er/a", b"1")
        assert (tmp_path / "new/in/deep/er/a").read_bytes() == b"1"
        (tmp_path / "new/in/link").symlink_to(tmp_path / "outside")
        for call in (folder.check, lambda name: folder.write(name, b"")):
            with pytest.raises(StoreError, match="a folder on the way is a symbolic link"):
                call("link/a")
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize(
    ("kind", "words"), [("link", "is a symbolic link"), ("pipe", "no regular file"), ("folder", "no regular file")]
)
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, kind: str, words: str) -> None:
    target = tmp_path / "target"
    if kind == "link":
        (tmp_path / "other").write_bytes(b"kept")
        target.symlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target.mkdir()
    before = os.lstat(target)
    with pytest.raises(StoreError, match=f"{words} and is not replaced"):
        write_atomic(target, b"new")
    assert os.lstat(target).st_ino == before.st_ino


def test_a_device_node_is_not_replaced() -> None:
    with pytest.raises(StoreError, match="/dev/full is no regular file and is not replaced"):
        write_atomic(Path("/dev/full"), b"new")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_file_that_may_not_be_replaced_stays(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"the only one")
    with OutputFolder(tmp_path) as folder:
        for call in (folder.check, lambda *given: folder.write(given[0], b"new", given[1])):
            with pytest.raises(StoreError, match="was not written by smearscope and is not replaced"):
                call("photo.png", lambda head: head.startswith(b"mine"))
        folder.check("other.png", lambda head: False)  # not there: nothing is replaced
    assert (tmp_path / "photo.png").read_bytes() == b"the only one"


def test_every_descriptor_is_given_back(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with OutputFolder(tmp_path) as folder:
        folder.write("a/b", b"")
        for name in ("link/a", "a", "../x"):
            with pytest.raises(StoreError):
                folder.write(name, b"")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@given(st.binary(min_size=1, max_size=40))
def test_any_name_is_printable(name: bytes) -> None:
    shown = printable(os.fsdecode(name))
    assert shown.encode("utf-8")
    assert shown.isprintable()


def test_an_ordinary_name_stays_as_it_is() -> None:
    assert printable(Path("Ausstrich/Präparat 7.jpg")) == "Ausstrich/Präparat 7.jpg"


def test_a_reader_never_sees_half_a_file_however_many_write_it(tmp_path: Path) -> None:
    path, contents = tmp_path / "a", [bytes([number]) * 50_000 for number in range(8)]
    write_atomic(path, contents[0])

    def write(content: bytes) -> None:
        for _ in range(10):
            write_atomic(path, content)

    with ThreadPoolExecutor(8) as writers:
        done = [writers.submit(write, content) for content in contents]
        while not all(each.done() for each in done):
            assert path.read_bytes() in contents
        for each in done:
            each.result()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
