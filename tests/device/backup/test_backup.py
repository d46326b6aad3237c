"""A data folder is backed up whole and restored whole; what is damaged, incomplete or foreign is named."""

import errno
import hashlib
import json
import os
import shutil
import socket
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.backup import targets
from device.backup.backup import LAST
from device.backup.manifest import backup_ids, read_manifest
from device.backup.targets import Target
from device.cli import cli
from device.diagnostics import State, check_backup
from device.store import Store
from device.store.database import DATABASE
from tests.device.findings import finding, frame

FIELDS = 3


def make_device(data: Path) -> None:
    """A data folder with something of everything that belongs to one, and with what does not."""
    with Store.record(data) as store:
        slide = store.start_slide("A")
        for n in range(FIELDS):
            store.add_field(slide, frame(n), finding())
    for name in ("calibration/40x.json", "models/b1/manifest.json", "damaged/2026/smearscope.sqlite3", "site.json",
                 "calibration/.lock", "models/.incoming-7/half", "screen.png"):  # fmt: skip
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    (data / "site.json").chmod(0o600)
    (data / "models/current").symlink_to("b1")
    (data / "models/elsewhere").symlink_to("/etc")


@pytest.fixture
def data(tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setenv("SMEARSCOPE_CONFIG", str(tmp_path / "config.toml"))
    make_device(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def dest(tmp_path):
    (tmp_path / "dest").mkdir()
    return tmp_path / "dest"


def run(*words: object, code: int = 0) -> str:
    ran = CliRunner().invoke(cli, [str(word) for word in words])
    assert ran.exit_code == code, ran.output
    return ran.output


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*") if path.is_file() and path.name != DATABASE
    }  # fmt: skip


@pytest.mark.parametrize("where", ["dest", "bucket"])
def test_all_that_belongs_to_the_data_folder_comes_back(data, tmp_path, where, request):
    place = request.getfixturevalue(where)
    assert "9 files, of which 9" in run("backup", place, "--data", data)
    assert "9 files, of which 0" in run("backup", place, "--data", data)
    assert "match their checksums" in run("backup", place, "--verify")
    run("restore", place, "--to", tmp_path / "new")
    expected = {name: content for name, content in files(data).items() if not name.startswith((".", "screen.png"))}
    for name in ("calibration/.lock", "models/.incoming-7/half"):
        del expected[name]
    assert files(tmp_path / "new") == expected | {"settings-of-the-backup.toml": b""}
    assert stat.S_IMODE((tmp_path / "new/site.json").stat().st_mode) == 0o600  # nobody else reads it here either
    assert (tmp_path / "new/models/current").readlink() == Path("b1")
    assert not (tmp_path / "new/models/elsewhere").is_symlink()
    with Store.read(data) as before, Store.read(tmp_path / "new") as after:
        assert list(after.all_fields(1)) == list(before.all_fields(1))
        assert after.store_id() == before.store_id()


def test_a_folder_that_holds_a_link_alone_can_be_restored(data, dest, tmp_path):
    (data / "spare").mkdir()
    (data / "spare/current").symlink_to("b2")
    run("backup", dest, "--data", data)
    run("restore", dest, "--to", tmp_path / "new")
    assert str((tmp_path / "new/spare/current").readlink()) == "b2"


def test_only_what_is_new_is_copied_and_devices_share_a_folder(data, dest, tmp_path):
    run("backup", dest, "--data", data)
    with Store.record(data) as store:
        store.add_field(store.start_slide("B"), frame(9), finding())
    assert "10 files, of which 2" in run("backup", dest, "--data", data)  # the photograph and the database
    make_device(tmp_path / "other")
    assert "9 files, of which 1" in run("backup", dest, "--data", tmp_path / "other")  # it photographed the same
    assert len(run("backup", dest, "--list").split()) == 3
    assert "which backup" in run("restore", dest, "--to", tmp_path / "new", code=1)
    chosen = backup_ids(Target(dest))[-1]
    assert chosen in run("restore", dest, "--to", tmp_path / "new", "--backup", chosen[:30])


def test_nothing_is_restored_over_what_is_there(data, dest, tmp_path):
    run("backup", dest, "--data", data)
    before = files(data)
    assert "not empty" in run("restore", dest, "--to", data, code=1)
    assert files(data) == before
    (tmp_path / "empty").mkdir()
    (tmp_path / ".empty.restoring").mkdir()  # of a restore that was killed
    run("restore", dest, "--to", tmp_path / "empty")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("damage", "said"), [
    (flip, "does not match its checksum"),
    (Path.unlink, "is missing"),
    (lambda path: path.write_bytes(path.read_bytes()[:-1]), "does not match its checksum"),
])  # fmt: skip
def test_each_damaged_or_missing_file_is_named_and_nothing_is_restored(data, dest, tmp_path, damage, said):
    run("backup", dest, "--data", data)
    manifest = read_manifest(Target(dest), backup_ids(Target(dest))[0])
    damaged = sorted(name for name in manifest.files if name.startswith("photographs/"))[:2]
    for name in damaged:
        damage(dest / manifest.files[name].object)
    for command in (("backup", dest, "--verify"), ("restore", dest, "--to", tmp_path / "new")):
        output = run(*command, code=1)
        assert [line.split()[1] for line in output.splitlines() if said in line] == damaged
        assert "2 files are damaged or missing" in output
    assert not (tmp_path / "new").exists()
    assert list(tmp_path.glob(".*")) == []


def test_what_a_photograph_lost_in_the_target_is_copied_again(data, dest):
    run("backup", dest, "--data", data)
    manifest = read_manifest(Target(dest), backup_ids(Target(dest))[0])
    (dest / manifest.files[DATABASE].object).write_bytes(b"cut")  # as by a disk that was full: its size says so
    assert "of which 1 " in run("backup", dest, "--data", data)
    run("backup", dest, "--verify")


def rewritten(dest: Path, **changes: object) -> None:
    (path,) = dest.glob("*.json")
    content = json.dumps(json.loads(path.read_text()) | changes).encode()
    path.unlink()
    name = path.stem[:-8] + hashlib.sha256(content).hexdigest()[:8]
    (dest / f"{name}.json").write_bytes(content)


@pytest.mark.parametrize(("change", "said"), [
    ({"format": "another"}, "none that this smearscope reads"),
    ({"schema_version": 2}, "upgrade"),
    ({"files": {"../escaped": ["0" * 64, 1]}}, "none that this smearscope reads"),
    ({"files": {"a": ["../../x", 1]}}, "none that this smearscope reads"),
    ({"links": {"models/current": "../.."}}, "none that this smearscope reads"),
    ({"links": {"../escaped": "x"}}, "none that this smearscope reads"),
])  # fmt: skip
def test_a_foreign_manifest_is_refused_and_leads_nowhere_else(data, dest, tmp_path, change, said):
    run("backup", dest, "--data", data)
    rewritten(dest, **change)
    assert said in run("restore", dest, "--to", tmp_path / "new", code=1)
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "new").exists()


def test_a_damaged_manifest_and_a_folder_without_one_are_said(data, dest, tmp_path):
    assert "holds no backup" in run("restore", dest, "--to", tmp_path / "new", code=1)
    run("backup", dest, "--data", data)
    flip(next(dest.glob("*.json")))
    assert "is damaged" in run("restore", dest, "--to", tmp_path / "new", code=1)


def test_a_photograph_that_the_device_has_lost_is_named_and_the_rest_is_backed_up(data, dest, tmp_path):
    lost = sorted((data / "photographs").rglob("*.jpg"))[0]
    lost.unlink()
    assert f"{lost.relative_to(data)} is lost" in run("backup", dest, "--data", data)
    run("restore", dest, "--to", tmp_path / "new")


def test_a_photograph_that_is_removed_while_it_is_copied_goes_with_its_record(data, dest, tmp_path, monkeypatch):
    keep, removed = targets.Target.write, []

    def slow(self, name, content):
        if not removed:
            with Store.read(data) as store:
                store.delete_slide(1)
            removed.append(name)
        keep(self, name, content)

    with Store.record(data) as store:
        store.end_slide(1)
        store.add_field(store.start_slide("B"), frame(8), finding())
        store.end_slide(2)
    monkeypatch.setattr(targets.Target, "write", slow)
    assert "is lost" not in run("backup", dest, "--data", data)
    run("restore", dest, "--to", tmp_path / "new")
    with Store.read(tmp_path / "new") as store:
        assert [slide.name for slide in store.slides()] == ["B"]
    assert len(list((tmp_path / "new/photographs").rglob("*.jpg"))) == 1


def test_a_folder_that_may_not_be_read_is_named_and_never_left_out(data, dest, monkeypatch):
    scandir = os.scandir

    def refused(path):
        if str(path).endswith("/models"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert f"cannot read {data}/models: Permission denied" in run("backup", dest, "--data", data, code=1)
    assert backup_ids(Target(dest)) == []


def test_a_model_that_is_removed_while_it_is_copied_is_passed_over(data, dest, tmp_path, monkeypatch):
    scandir = os.scandir

    def late(path):
        if str(path).endswith("/models/b1"):
            shutil.rmtree(path, ignore_errors=True)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", late)
    run("backup", dest, "--data", data)
    run("restore", dest, "--to", tmp_path / "new")


def test_a_large_file_that_is_still_written_makes_no_backup_that_is_damaged(data, dest, monkeypatch):
    write = Target.write

    def while_it_grows(self, name, content):
        if isinstance(content, Path) and content.name == "site.json":
            content.write_text("more than before")
        write(self, name, content)

    monkeypatch.setattr("device.backup.backup._IN_MEMORY", 1)
    monkeypatch.setattr(Target, "write", while_it_grows)
    assert "site.json was changed while it was copied" in run("backup", dest, "--data", data, code=1)
    assert backup_ids(Target(dest)) == []


def test_a_damaged_backup_is_no_obstacle_to_the_next_one(data, dest, tmp_path):
    run("backup", dest, "--data", data)
    damaged = next(dest.glob("*.json"))
    flip(damaged)
    (data / "site.json").write_text("another")
    assert "9 files, of which 1" in run("backup", dest, "--data", data)
    sound = next(each for each in backup_ids(Target(dest)) if each != damaged.stem)
    run("restore", dest, "--to", tmp_path / "new", "--backup", sound)


def test_of_a_file_that_grew_no_more_is_read_than_belongs_to_it(data, dest, tmp_path, monkeypatch):
    run("backup", dest, "--data", data)
    manifest = read_manifest(Target(dest), backup_ids(Target(dest))[0])
    (dest / manifest.files["site.json"].object).write_bytes(bytes(10 * targets._CHUNK))
    reads, read = [], Target.read

    def counted(self, name):
        for part in read(self, name):
            reads.append(name)
            yield part

    monkeypatch.setattr(Target, "read", counted)
    assert "does not match its checksum" in run("restore", dest, "--to", tmp_path / "new", code=1)
    assert reads.count(manifest.files["site.json"].object) == 1


def test_a_mounted_disk_is_no_folder_to_restore_to(data, dest, tmp_path, monkeypatch):
    run("backup", dest, "--data", data)
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda self: self.name == "disk")
    assert "give a folder in it" in run("restore", dest, "--to", tmp_path / "disk", code=1)


@pytest.mark.parametrize(("dest", "said"), [
    ("/proc", "cannot write into /proc"),
    ("no/such", "is no folder; attach its disk"),
    ("data/inside", "lies in the data folder"),
])  # fmt: skip
def test_a_wrong_destination_is_one_sentence(data, tmp_path, dest, said):
    (data / "inside").mkdir()
    assert said in run("backup", tmp_path / dest, "--data", data, code=1)


def test_a_bucket_that_is_not_there_is_one_sentence(data, bucket):
    assert "s3://nobody" in run("backup", "s3://nobody/x", "--data", data, code=1)


def test_a_bucket_that_breaks_off_is_one_sentence(data, bucket, monkeypatch):
    run("backup", bucket, "--data", data)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        threading.Thread(target=break_off, args=(server,), daemon=True).start()
        assert "s3://laboratory/scope: Response payload" in run("backup", bucket, "--verify", code=1)


@pytest.mark.parametrize(("where", "endpoint", "said"), [
    ("s3://b/x", "http://lab:s3cret@", "Invalid endpoint: http://; check the address"),
    ("s3://b/x", "nonsense", "Invalid endpoint: nonsense; check the address"),
    ("s3://", "http://127.0.0.1:9", "s3:// names no bucket; write s3://BUCKET/PATH"),
])  # fmt: skip
def test_an_address_that_is_none_is_one_sentence_without_its_password(monkeypatch, where, endpoint, said):
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'smearscope[s3]'")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    output = run("backup", where, "--list", code=1)
    assert said in output
    assert "s3cret" not in output


LISTED = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false
</IsTruncated><Contents><Key>scope/20260101T000000Z-00000000-00000000.json</Key><Size>500</Size>
<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"a"</ETag></Contents></ListBucketResult>"""


def break_off(server: socket.socket) -> None:
    """Answer as a bucket with one backup, of which only the first byte comes."""
    head = b'HTTP/1.1 200 OK\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: "a"\r\nConnection: close\r\n'
    with suppress(OSError):  # the test is over
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                asked = lines.readline()
                while lines.readline() not in {b"\r\n", b""}:
                    pass
                body, length = (LISTED, len(LISTED)) if b"list-type" in asked else (b"{", 500)
                answer = b"" if asked.startswith(b"HEAD") else body
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % length + answer)


def test_without_the_extra_it_says_what_to_install(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert "pip install 'smearscope[s3]'" in run("backup", "s3://a/b", "--data", data, code=1)


def test_what_a_killed_backup_left_is_removed_once_it_is_old(data, dest):
    for name in (".snapshot-a", "objects/00"):
        (dest / name).mkdir(parents=True)
    parts = [dest / "objects/00" / f".{n}.part" for n in (1, 2)]
    for part in parts:
        part.touch()
    for old in (dest / ".snapshot-a", parts[0]):
        os.utime(old, (1, 1))
    run("backup", dest, "--data", data)
    assert [path.exists() for path in (dest / ".snapshot-a", *parts)] == [False, False, True]


def test_a_damaged_database_is_no_backup(data, dest):
    with (data / DATABASE).open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)
    assert "damaged" in run("backup", dest, "--data", data, code=1)
    assert backup_ids(Target(dest)) == []


def test_the_doctor_says_when_there_is_no_backup_or_an_old_one(data, dest, tmp_path):
    assert check_backup(tmp_path / "none").state is State.OK
    assert "none was taken yet" in check_backup(data).text
    run("backup", dest, "--data", data)
    assert check_backup(data).state is State.OK
    os.utime(data / LAST, (1, 1))
    assert check_backup(data).state is State.WORKS_WITHOUT
