"""What leaves the store: for good, also on a full disk, and never what a person marked or what lies elsewhere."""

import os
import shutil
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from device.store import Circumstances, Retention, Store
from device.store.database import DATABASE
from device.store.photographs import PHOTOGRAPHS
from device.system.clock import ManualClock, boot_id
from smear.errors import StoreError
from tests.device.findings import finding, frame

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0
SECRET = "patient 4711"


def test_a_record_from_before_the_clock_was_set_is_not_forgotten_by_its_date(tmp_path):
    clock = ManualClock(monotonic_s=20.0, wall_s=NOW_S - 365 * DAY_S)  # a Pi without a battery, just booted
    with Store.record(tmp_path, Retention(max_age_days=30), clock) as store:
        slide = store.start_slide("today")
        unset = store.add_field(
            slide, frame(1, wall_time_s=clock.wall_s()), finding(), Circumstances(clock_synced=False)
        )
        old = store.add_field(slide, frame(2, wall_time_s=clock.wall_s()), finding(), Circumstances(clock_synced=True))
        clock.jump(365 * DAY_S)
        assert store.forget_old() == 1
        assert [record.id for record in store.all_fields(slide)] == [unset]
        assert old != unset


@pytest.mark.skipif(not boot_id(), reason="this system has no boot id")
def test_a_record_of_this_boot_is_forgotten_by_the_clock_of_the_boot(tmp_path):
    clock = ManualClock(monotonic_s=10.0, wall_s=0.0)
    with Store.record(tmp_path, Retention(max_age_days=5), clock) as store:
        slide = store.start_slide("no time server")
        here, before = (Circumstances(boot_id=boot, clock_synced=False) for boot in (boot_id(), "an earlier boot"))
        store.add_field(slide, frame(1), finding(), here)
        other = store.add_field(slide, frame(2), finding(), before)
        clock.advance(4 * DAY_S)
        assert store.forget_old(date_is_known=False) == 0
        clock.advance(2 * DAY_S)
        assert store.forget_old(date_is_known=False) == 1
        assert [record.id for record in store.all_fields(slide)] == [other]


def test_a_deleted_slide_is_in_no_file_any_more(tmp_path):
    with Store.record(tmp_path) as store:
        for name in ("stays", SECRET):
            slide = store.start_slide(name)
            store.add_field(slide, frame(1), finding())
        store.end_slide(slide)
        (tmp_path / "screen.png").write_bytes(b"the last field")
        (tmp_path / PHOTOGRAPHS / f"{slide:06d}" / ".1-ab.part").write_bytes(b"half a photograph")
        assert any(SECRET.encode() in path.read_bytes() for path in tmp_path.glob("smearscope*"))
        store.delete_slide(slide)
        assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert not (tmp_path / "screen.png").exists()
        assert [path.name for path in (tmp_path / PHOTOGRAPHS).iterdir()] == ["000001"]


def test_a_photograph_that_cannot_be_removed_stops_nothing_and_goes_later(tmp_path):
    with Store.record(tmp_path, Retention(max_age_days=1), ManualClock(wall_s=NOW_S + 9 * DAY_S)) as store:
        slide = store.start_slide("odd")
        store.add_field(slide, frame(1, wall_time_s=NOW_S), finding())
        path = store.image_path(store.fields(slide)[0])
        path.unlink()
        path.mkdir()  # cannot be unlinked
        assert store.forget_old() == 1
        store.add_field(slide, frame(2, wall_time_s=NOW_S + 9 * DAY_S), finding())
    with Store.record(tmp_path) as store:  # starting is not stopped either
        store.add_field(store.start_slide("next"), frame(3), finding())
        path.rmdir()
    with Store.record(tmp_path) as store:
        assert store._database.rows("SELECT * FROM doomed") == []


def test_where_removing_makes_no_room_no_more_photographs_are_given_up(tmp_path):
    free = [1000]
    with Store.record(tmp_path, Retention(min_free_bytes=500, free_bytes=lambda _: free[0])) as store:
        slide = store.start_slide("stuck")
        for number in range(40):
            store.add_field(slide, frame(number), finding())
        for path in tmp_path.rglob("*.jpg"):
            path.unlink()
            path.mkdir()
        free[0] = 100
        with pytest.raises(StoreError, match="must stay free"):
            store.add_field(slide, frame(99), finding())
        assert sum(record.image is not None for record in store.all_fields(slide)) == 8


@pytest.mark.parametrize("image", [
    "../outside.jpg", "photographs/../../outside.jpg", "/etc/passwd", "photographs/000001/../../../outside.jpg",
    "photographs/000009/link.jpg",
])  # fmt: skip
def test_a_name_that_leads_elsewhere_is_neither_read_nor_removed(tmp_path, image):
    data, outside = tmp_path / "data", tmp_path / "outside.jpg"
    outside.write_bytes(b"not ours")
    with Store.record(data) as store:
        slide = store.start_slide("x")
        number = store.add_field(slide, frame(1), finding())
        store.end_slide(slide)
    (data / PHOTOGRAPHS / "000009").symlink_to(tmp_path)
    (tmp_path / "link.jpg").write_bytes(b"not ours either")
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as database:
        database.execute("UPDATE fields SET image = ?", (image,))
    with Store.record(data) as store:
        assert store.photographs.read(image) is None
        record = store.field(number)
        assert record.image is None or image.endswith("link.jpg")
        store.delete_slide(slide)
    assert outside.read_bytes() == b"not ours"
    assert (tmp_path / "link.jpg").exists()
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_no_other_user_may_read_photographs_and_database(tmp_path, umask):
    before = os.umask(umask)
    try:
        with Store.record(tmp_path / "data") as store:
            slide = store.start_slide("private")
            store.add_field(slide, frame(1), finding())
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*")}
    finally:
        os.umask(before)
    others = {name: oct(mode) for name, mode in modes.items() if mode & 0o007 and not name.startswith(".")}
    assert others == {}
    assert all(mode & 0o020 == 0 for name, mode in modes.items() if name.endswith((".jpg", ".sqlite3", "-wal")))


def test_an_older_store_that_all_could_read_is_closed_to_others(tmp_path):
    Store.record(tmp_path).close()
    (tmp_path / DATABASE).chmod(0o644)
    (tmp_path / PHOTOGRAPHS).mkdir(mode=0o755)
    Store.record(tmp_path).close()
    assert stat.S_IMODE((tmp_path / DATABASE).stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / PHOTOGRAPHS).stat().st_mode) == 0o750


@pytest.fixture
def small_disk(tmp_path):  # type: ignore[no-untyped-def]
    """A file system of its own, with 8 MB and 128 files."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting a small file system needs root and mkfs.ext4")
    image, disk = tmp_path / "image", tmp_path / "disk"
    image.write_bytes(bytes(8_000_000))
    disk.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", "128", image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no loop mount here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def test_on_a_full_disk_the_store_opens_lists_and_deletes(small_disk):
    data = small_disk / "data"
    with Store.record(data, Retention(min_free_bytes=0)) as store:
        slide = store.start_slide("full")
        for number in range(30):
            store.add_field(slide, frame(number), finding())
        store.end_slide(slide)
    _fill(small_disk)
    with Store.read(data) as store:
        assert [each.id for each in store.slides()] == [slide]
    _fill(small_disk)
    with Store.read(data) as store:
        store.delete_slide(slide)
        assert store.slides() == []
    assert list(data.rglob("*.jpg")) == []


def test_on_a_disk_that_others_filled_unmarked_photographs_make_room_for_new_ones(small_disk):
    data = small_disk / "data"
    with Store.record(data, Retention(min_free_bytes=0)) as store:
        slide = store.start_slide("first")
        for number in range(60):
            store.add_field(slide, frame(number), finding())
        store.end_slide(slide)
    _fill(small_disk)
    with Store.record(data, Retention(min_free_bytes=100_000)) as store:
        assert store.add_field(store.start_slide("second"), frame(99), finding())
        assert store.slide(slide).tally.accepted == 60


def test_on_a_disk_with_no_file_left_the_store_opens_lists_and_deletes(small_disk):
    data = small_disk / "data"
    with Store.record(data, Retention(min_free_bytes=0)) as store:
        slide = store.start_slide("many files")
        for number in range(20):
            store.add_field(slide, frame(number), finding())
        store.end_slide(slide)
    with pytest.raises(OSError, match="No space left"):  # noqa: PT012 - it is one of the files that fails
        for number in range(200):
            (small_disk / str(number)).touch()
    with Store.read(data) as store:
        assert [each.id for each in store.slides()] == [slide]
    with Store.record(data, Retention(min_free_bytes=0)) as store:
        with pytest.raises(StoreError, match="No space left on device"):
            store.add_field(store.start_slide("one more"), frame(99), finding())
        store.delete_slide(slide)
        assert store.add_field(store.open_slide().id, frame(99), finding())
    assert len(list(data.rglob("*.jpg"))) == 1


def test_on_a_disk_that_has_become_read_only_the_records_can_be_read(small_disk):
    data = small_disk / "data"
    with Store.record(data, Retention(min_free_bytes=0)) as store:
        store.add_field(store.start_slide("read-only"), frame(1), finding())
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with Store.read(data) as store:
        (slide,) = store.slides()
        assert len(store.photographs.read(store.fields(slide.id)[0].image)) > 0
        with pytest.raises(StoreError, match="may not be opened or written"):
            store.set_keep(True, slide_id=slide.id)
    with pytest.raises(StoreError, match="Read-only file system"):
        Store.record(data)


def test_what_people_said_of_records_that_go_by_age_goes_along_and_the_trail_says_so(tmp_path):
    clock = ManualClock(wall_s=NOW_S + 9 * DAY_S)
    with Store.record(tmp_path, Retention(max_age_days=5), clock) as store:
        slide = store.start_slide("H")
        for number, taken_s in enumerate([NOW_S, NOW_S, NOW_S, clock.wall_s()]):
            store.add_field(slide, frame(number, wall_time_s=taken_s), finding())
        store.classify("ann", [(1, 0), (1, 1), (4, 0)], "blast")
        store.set_review(2, wanted=False, label="Pre", operator="ann")
        assert store.forget_old() == 3
        assert store.class_counts(slide, "ann") == store.class_totals(slide) == {"blast": 1}
        assert [(each.operator, each.action, each.old) for each in store.events(slide)[-1:]] == [("", "forget", "2")]
        assert [store.undo("ann", slide).number, store.undo("ann", slide)] == [0, None]
