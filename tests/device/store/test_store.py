"""The store: nothing lost, nothing half-written, the rest of the disk never filled."""

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.quality_control.measurements import QcMeasurement
from device.store import Circumstances, DamagedStoreError, Retention, Store
from device.store.database import DATABASE
from device.store.database.schema import MIGRATIONS
from device.store.photographs import PHOTOGRAPHS
from device.system.clock import ManualClock
from smear.errors import StoreError
from smear.findings import Refusal, RefusalCode
from smear.site import SiteStatus
from tests.device.findings import OUT_OF_FOCUS, finding, frame


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path, clock=ManualClock(wall_s=1_700_000_000.0)) as opened:
        yield opened


def test_a_recorded_field_comes_back_whole(store):
    slide = store.start_slide("A-17", simulated=True)
    about = Circumstances(True, "cal-1", "boot-1", False, 0x50005, 61.5)
    number = store.add_field(slide, frame(3), finding("Pre"), about, review=True)
    record = store.field(number)
    assert (record.label, record.top, record.cell_count) == ("Pre", "Pre", 2)
    assert record.probabilities == {"Benign": 0.1, "Early": 0.1, "Pre": 0.7, "Pro": 0.1}
    assert (record.calibration_id, record.boot_id, record.clock_synced) == ("cal-1", "boot-1", False)
    assert (record.throttled, record.temperature_c) == (0x50005, 61.5)
    assert (record.monotonic_s, record.wall_time_s) == (3.0, 1_700_000_003.0)
    assert (record.ood_score, record.timing_ms) == (2.5, {"segment": 12.0})
    assert record.review
    assert not record.keep
    cells = store.cells(number)
    assert len(cells) == 2
    assert cells[0].bbox == (1, 2, 10, 12)
    assert cells[0].probabilities["Pre"] == 0.7
    photograph = store.image_path(record)
    assert photograph is not None
    assert photograph.stat().st_size > 0


def test_the_database_syncs_every_commit_and_writes_ahead(store):
    ask = store._database._connection.execute
    assert ask("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert ask("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_a_slide_counts_its_fields_by_label_and_reason(store):
    slide = store.start_slide("B")
    store.add_field(slide, frame(1), finding("Pre"))
    store.add_field(slide, frame(2), finding("Pro"))
    store.add_field(slide, frame(3), finding(None, (OUT_OF_FOCUS,)))
    tally = store.slide(slide).tally
    assert tally.labels == {"Pre": 1, "Pro": 1}
    assert tally.refusals == {"out_of_focus": 1}
    assert (tally.accepted, tally.refused, tally.cells) == (2, 1, 4)


def test_starting_a_slide_ends_the_one_a_killed_run_left_open(store):
    first = store.start_slide("first")
    store.add_field(first, frame(5), finding())
    second = store.start_slide("second")
    assert store.slide(first).ended_s == 1_700_000_005.0
    assert store.open_slide().id == second


def test_a_second_recorder_is_turned_away(store):
    with pytest.raises(StoreError, match="another smearscope is recording"):
        Store.record(store.folder)


def test_a_reader_may_look_and_mark_while_a_recorder_writes(store):
    slide = store.start_slide("C")
    number = store.add_field(slide, frame(1), finding())
    with Store.read(store.folder) as reader:
        reader.set_keep(True, field_id=number)
        assert reader.field(number).keep
    store.add_field(slide, frame(2), finding())


def test_reading_a_folder_without_a_store_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match="smearscope run"):
        Store.read(tmp_path)


def test_a_locked_database_is_a_clear_error_and_leaves_no_photograph(tmp_path):
    with Store.record(tmp_path, busy_timeout_s=0.05) as store:
        slide = store.start_slide("D")
        other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another process"):
            store.add_field(slide, frame(1), finding())
        assert not list((tmp_path / PHOTOGRAPHS).rglob("*.jpg"))
        other.execute("ROLLBACK")
        other.close()
        store.add_field(slide, frame(1), finding())
        assert store.slide(slide).tally.accepted == 1


def test_a_database_of_version_1_is_brought_forward_with_its_records(tmp_path):
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
    connection.execute("INSERT INTO slides VALUES (7, 'old', 1.0, 2.0, 0)")
    connection.execute(
        "INSERT INTO fields VALUES (9, 7, 1.5, 0.5, 'x', NULL, 4, 3, 'Pro', 'Pro', 0, 0, 0, 1, '[]', 0,"
        " 1, 0, 1, 0, 0, NULL, '{}', 'sha', 'int8', 'rt', NULL)"
    )
    connection.commit()
    connection.close()
    with Store.record(tmp_path) as store:
        record = store.field(9)
        assert (record.label, record.boot_id, record.clock_synced, record.keep) == ("Pro", "", None, False)
        assert store.slide(7).name == "old"
        assert store._database._connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)


def test_a_database_of_version_2_gets_codes_for_its_refusals_and_keeps_their_sentences(tmp_path):
    dark, odd = "too dark (glass at 9%): raise the lamp or the exposure", "what no version ever said: nothing"
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.executescript(MIGRATIONS[0] + MIGRATIONS[1] + "PRAGMA user_version = 2;")
    connection.execute("INSERT INTO slides VALUES (7, 'old', 1.0, 2.0, 0, 0)")
    counts = [("refusal", "no white cell found", 2), ("refusal", "too dark", 3), ("count", "refused", 5),
              ("refusal", "no white cell found clear of the scale bar's corner", 4), ("label", "Pro", 1)]  # fmt: skip
    connection.executemany("INSERT INTO slide_counts VALUES (7, ?, ?, ?)", counts)
    for number, refusals in ((9, json.dumps([dark, odd])), (10, "[]"), (11, '["x')):
        connection.execute(
            "INSERT INTO fields (id, slide_id, wall_time_s, monotonic_s, source, width, height, refusals, cell_count,"
            " focus, clipped, brightness, cell_share, colour_drift, timing_ms, bundle_sha256, level, runtime)"
            " VALUES (?, 7, 1.5, 0.5, 'x', 4, 3, ?, 0, 1, 0, 1, 0, 0, '{}', 'sha', 'int8', 'rt')",
            (number, refusals),
        )
    connection.commit()
    connection.close()
    with Store.record(tmp_path) as store:
        expected = (Refusal(RefusalCode.TOO_DARK, dark), Refusal(RefusalCode.OTHER, odd))
        assert store.field(9).refusals == expected
        assert store.field(10).refusals == ()
        assert [refusal.code for refusal in store.field(11).refusals] == [RefusalCode.DAMAGED_RECORD]
        tally = store.slide(7).tally
        assert tally.refusals == {"no_cells": 6, "too_dark": 3}
        assert (tally.labels, tally.refused) == ({"Pro": 1}, 5)


def test_a_database_of_version_3_gets_an_identity_and_loses_the_uncalibrated_counts(tmp_path):
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as old:
        for migration in MIGRATIONS[:3]:
            if callable(migration):
                migration(old)
            else:
                old.executescript(migration)
        old.execute("PRAGMA user_version = 3")
        old.execute("INSERT INTO slides VALUES (7, 'old', 1.0, NULL, 0, 0)")
        counts = [("label", "Pro", 2), ("count", "cells", 9), ("count", "cells_classified", 9), ("count", "blasts", 8)]
        old.executemany("INSERT INTO slide_counts VALUES (7, ?, ?, ?)", counts)
    with Store.record(tmp_path) as store:
        tally = store.open_slide().tally
        assert (tally.labels, tally.cells, tally.total) == ({"Pro": 2}, 9, 2)
        assert len(store.store_id()) == 8
        identity = store.store_id()
        store.add_field(7, frame(1), finding("Pro"), seen_again=3)
        assert (store.slide(7).tally.accepted, store.slide(7).tally.seen_again) == (3, 3)
    with Store.read(tmp_path) as store:
        assert store.store_id() == identity


def test_a_migration_that_fails_leaves_the_old_version_untouched(tmp_path, monkeypatch):
    Store.record(tmp_path).close()
    broken = (*MIGRATIONS, "CREATE TABLE extra (a);\nCREATE TABLE slides (b);\n")
    monkeypatch.setattr("device.store.database.schema.MIGRATIONS", broken)
    with pytest.raises(StoreError, match="already exists"):
        Store.record(tmp_path)
    connection = sqlite3.connect(tmp_path / DATABASE)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'extra'").fetchall()


def test_a_database_of_a_newer_version_is_not_touched(tmp_path):
    Store.record(tmp_path).close()
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer than this smearscope"):
        Store.record(tmp_path)


def test_a_file_that_is_no_database_is_moved_aside_and_said(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"not a database at all, but long enough to look like one" * 20)
    (tmp_path / PHOTOGRAPHS / "000001").mkdir(parents=True)
    (tmp_path / PHOTOGRAPHS / "000001" / "a.jpg").write_bytes(b"jpeg")
    with Store.record(tmp_path, clock=ManualClock(wall_s=0.0)) as store:
        assert "moved to" in store.notices[0]
        assert (tmp_path / "damaged/19700101T000000Z" / DATABASE).read_bytes().startswith(b"not a database")
        assert (tmp_path / "damaged/19700101T000000Z/photographs/000001/a.jpg").read_bytes() == b"jpeg"
        assert store.start_slide("new") == 1


def test_a_reader_of_a_damaged_database_is_told_what_will_happen(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"not a database" * 100)
    with pytest.raises(DamagedStoreError, match="moves it"):
        Store.read(tmp_path)


def test_damage_inside_is_found_after_an_unclean_end(tmp_path):
    store = Store.record(tmp_path)
    slide = store.start_slide("E")
    for number in range(40):
        store.add_field(slide, frame(number), finding())
    store._database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store._database.close()
    os.close(store._lock._file)  # as a kill leaves it: the lock is gone, its file still says open
    with (tmp_path / DATABASE).open("r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xff" * 4096 * 3)
    with Store.record(tmp_path) as again:
        assert "damaged" in again.notices[0]
        assert again.slides() == []


def test_a_photograph_without_its_record_is_cleaned_at_the_next_start(tmp_path):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("F")
        kept = store.image_path(store.field(store.add_field(slide, frame(1), finding())))
        orphan = kept.with_name("00000002-deadbeef.jpg")
        orphan.write_bytes(b"jpeg")
        part = kept.with_name(".00000003.jpg.1.part")
        part.write_bytes(b"half")
    with Store.record(tmp_path):
        assert kept.exists()
        assert not orphan.exists()
        assert not part.exists()


def test_a_nearly_full_disk_gives_up_the_oldest_photographs_but_no_record(tmp_path):
    free = [1000]
    retention = Retention(min_free_bytes=500, free_bytes=lambda _: free[0])
    with Store.record(tmp_path, retention) as store:
        slide = store.start_slide("G")
        numbers = [store.add_field(slide, frame(n), finding()) for n in range(4)]
        store.set_keep(True, field_id=numbers[0])
        store.set_review(numbers[1], wanted=True)
        paths = [store.image_path(store.field(n)) for n in numbers]
        free[0] = 100
        with pytest.raises(StoreError, match="must stay free"):
            store.add_field(slide, frame(9), finding())
        assert [path.exists() for path in paths] == [True, True, False, False]
        assert store.field(numbers[2]).image is None
        assert store.slide(slide).tally.accepted == 4
        free[0] = 1000
        store.add_field(slide, frame(9), finding())


def test_old_records_go_but_never_what_is_marked_and_the_slide_keeps_its_counts(tmp_path):
    clock = ManualClock(wall_s=1_700_000_000.0 + 86_400 * 10)
    with Store.record(tmp_path, Retention(max_age_days=5), clock) as store:
        slide = store.start_slide("H")
        old, kept, new = (
            store.add_field(slide, frame(n, wall_time_s=w), finding())
            for n, w in ((1, 1_700_000_000.0), (2, 1_700_000_000.0), (3, clock.wall_s()))
        )
        store.set_keep(True, field_id=kept)
        assert store.forget_old() == 1
        assert [record.id for record in store.all_fields(slide)] == [kept, new]
        assert store.cells(old) == []
        assert store.slide(slide).tally.accepted == 3


def test_a_kept_slide_passes_its_mark_to_new_fields(store):
    slide = store.start_slide("I")
    store.set_keep(True, slide_id=slide)
    assert store.field(store.add_field(slide, frame(1), finding())).keep
    with pytest.raises(StoreError, match="marked to keep"):
        store.delete_slide(slide)


def test_a_deleted_slide_takes_its_photographs_along(tmp_path):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("J")
        path = store.image_path(store.field(store.add_field(slide, frame(1), finding())))
        with pytest.raises(StoreError, match="being recorded"):
            store.delete_slide(slide)
        store.end_slide(slide)
        store.delete_slide(slide)
        assert not path.exists()
        assert store.slides() == []
        assert store.start_slide("K") != slide  # a number, and so a folder, is never used twice


def test_reviewed_fields_leave_the_queue_with_their_label(store):
    slide = store.start_slide("L")
    number = store.add_field(slide, frame(1), finding(), review=True)
    assert [record.id for record in store.to_review()] == [number]
    store.set_review(number, wanted=False, label="Benign")
    assert store.to_review() == []
    assert [record.reviewed_label for record in store.reviewed()] == ["Benign"]
    with pytest.raises(StoreError, match="not a class"):
        store.set_review(number, wanted=False, label="benign")


def test_a_clock_set_back_an_hour_loses_nothing(tmp_path):
    clock = ManualClock(wall_s=1_700_000_000.0)
    with Store.record(tmp_path, clock=clock) as store:
        slide = store.start_slide("M")
        first = store.add_field(slide, frame(1), finding())
        clock.jump(-3600)
        second = store.add_field(slide, frame(2, wall_time_s=clock.wall_s()), finding())
        store.end_slide(slide)
        assert [record.id for record in store.all_fields(slide)] == [first, second]


def _record_until_killed(folder: str, acknowledged: "multiprocessing.connection.Connection") -> None:
    store = Store.record(Path(folder))
    slide = store.start_slide("killed")
    for number in range(10_000):
        number = store.add_field(slide, frame(number), finding())
        store.add_qc("anna", [QcMeasurement("slide.focus", 1.0, True, slide_id=slide)], begin=number % 2 == 0)
        acknowledged.send(number)


@pytest.mark.parametrize("writes", [0, 3, 17])
def test_a_killed_recorder_keeps_every_acknowledged_record(tmp_path, writes):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_record_until_killed, args=(str(tmp_path), theirs))
    process.start()
    theirs.close()
    numbers = [ours.recv() for _ in range(writes + 1)]
    os.kill(process.pid, signal.SIGKILL)  # at whatever instruction the next write has reached
    process.join()
    while ours.poll():
        try:
            numbers.append(ours.recv())
        except EOFError:
            break
    with Store.record(tmp_path) as store:
        assert store.notices == ()
        slide = store.open_slide()
        records = list(store.all_fields(slide.id))
        assert {record.id for record in records} >= set(numbers)
        assert slide.tally.accepted == len(records)
        assert len(numbers) <= len(store.qc()) == len(store.events(slide.id)) <= len(records)
        images = {store.image_path(record) for record in records}
        assert all(path.stat().st_size for path in images)
        assert set((tmp_path / PHOTOGRAPHS).rglob("*.jpg")) == images


def test_a_record_that_the_disk_has_damaged_is_told_and_hides_no_other(tmp_path):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("rot")
        _, rotten, _ = (store.add_field(slide, frame(number), finding()) for number in range(3))
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as database:
        database.execute(
            "UPDATE fields SET refusals = '[\"x', focus = 'ab', wall_time_s = 1e300, label = 'Prf', source = x'c3',"
            " runtime = cast(x'ff41' AS TEXT), timing_ms = '7',"
            " width = 1 << 40 WHERE id = ?", (rotten,)
        )  # fmt: skip
        database.execute(
            "UPDATE cells SET area_px = x'00', p_pre = 'q', x = 2147483638.0 WHERE field_id = ?", (rotten,)
        )
    with Store.read(tmp_path) as store:
        assert [record.label for record in store.fields(slide)] == ["Pre", None, "Pre"]
        (refusal,) = store.field(rotten).refusals
        assert refusal.code == RefusalCode.DAMAGED_RECORD
        assert "(focus, width, source, label, refusals, timing_ms)" in refusal.advice
        assert store.image_path(store.field(rotten)).is_file()
        assert len(store.cells(rotten)) == 2
    shown = CliRunner().invoke(cli, ["slides", "--data", str(tmp_path), "show", str(slide)], catch_exceptions=False)
    assert "this record is" in shown.output
    for kind in ("zip", "csv", "json"):
        out = tmp_path / f"out.{kind}"
        words = ["slides", "--data", str(tmp_path), "export", str(slide), "--format", kind, "--out", str(out)]
        assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0
        assert out.stat().st_size


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_stops_recording_and_its_return_resumes_it(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with Store.record(disk, Retention(min_free_bytes=0, remove_oldest=False)) as store:
            slide = store.start_slide("N")
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(disk).free - 150_000))
            stored = []
            try:
                for number in range(1000):
                    stored.append(store.add_field(slide, frame(number), finding()))
            except StoreError as error:
                assert "full" in str(error) or "space" in str(error)
            assert 0 < len(stored) < 1000
            assert [record.id for record in store.all_fields(slide)] == stored
            ballast.unlink()
            stored.append(store.add_field(slide, frame(5000), finding()))
            assert [record.id for record in store.all_fields(slide)] == stored
            assert len(list((disk / PHOTOGRAPHS).rglob("*.jpg"))) == len(stored)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_record_names_the_site_certificate_that_held_and_none_where_none_did(tmp_path):
    checked = replace(finding("Pre"), site=SiteStatus("20260101T000000Z-00000000", ""))
    with Store.record(tmp_path) as store:
        slide = store.start_slide("A")
        found = [store.field(store.add_field(slide, frame(number), each)).site_certificate
                 for number, each in enumerate((checked, finding("Pre")))]  # fmt: skip
        assert found == ["20260101T000000Z-00000000", None]
        assert store.slide(slide).tally.site_checked == 1


def test_a_database_of_version_5_keeps_every_record_and_gives_its_cells_opinions(tmp_path):
    with closing(sqlite3.connect(tmp_path / DATABASE)) as old:
        for migration in MIGRATIONS[:5]:
            if callable(migration):
                migration(old)
            else:
                old.executescript(migration)
        old.executescript(
            "INSERT INTO slides (id, name, started_s, simulated) VALUES (4, 'old', 1.0, 0), (5, 'other', 2.0, 0);"
            "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 199)"
            "INSERT INTO fields (id, slide_id, wall_time_s, monotonic_s, source, width, height, label, refusals,"
            " cell_count, focus, clipped, brightness, cell_share, colour_drift, timing_ms, bundle_sha256, level,"
            " runtime) SELECT i + 9, 4 + i % 2, 1.0, 1.0, 's', 224, 224, iif(i % 4 < 2, 'Pre', NULL), '[]', 25, 1, 0,"
            " 1, 0.1, 0, '{}', 'ab', 'int8', 'litert' FROM n;"
            "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 4999)"
            "INSERT INTO cells SELECT i / 25 + 9, i % 25, 1, 2, 3, 4, 12.0, NULL, 0.5, 0.9, 0, 0.1, 0.2, i / 5e3, 0.1"
            " FROM n;"
            "UPDATE cells SET p_benign = NULL, p_early = NULL, p_pre = NULL, p_pro = NULL WHERE number = 1;"
            "UPDATE cells SET field_id = 999 WHERE field_id = 208;"  # what a damaged disk may leave
            "PRAGMA user_version = 5;"
        )
        kept = old.execute("SELECT * FROM cells ORDER BY field_id, number").fetchall()
    with Store.read(tmp_path) as store:
        assert [tuple(row)[:15] for row in store._database.rows("SELECT * FROM cells")] == kept
        first, second = store.cells(9)[:2]
        assert (first.slide_id, first.accepted, first.opinion, first.opinion_p) == (4, True, "Early", 0.2)
        assert (second.opinion, second.opinion_p, second.contour, second.cell_class) == (None, None, None, None)
        assert (store.cell(207, 24).opinion, store.cell(207, 24).accepted) == ("Pre", False)
        assert [len(store.browse(slide, limit=9999)) for slide in (4, 5)] == [50 * 25, 50 * 25]
        assert (store.slide(4).version, store.slide(4).bundles) == (1, ("ab",))


def test_a_cell_comes_back_with_its_outline_colours_and_opinion(store):
    slide = store.start_slide("outlines")
    found = finding("Pre")
    cell = store.cells(store.add_field(slide, frame(3), found))[0]
    assert cell.contour.tolist() == found.cells[0].contour.tolist()
    assert (cell.slide_id, cell.accepted, cell.opinion, cell.opinion_p) == (slide, True, "Pre", 0.7)


@pytest.mark.parametrize("table", ["events", "signatures"])
def test_the_audit_trail_and_signed_results_cannot_be_changed(store, table):
    with store._database.transaction() as connection:
        connection.execute("INSERT INTO events (wall_time_s, operator, action, slide_id) VALUES (0, 'ann', 'sign', 1)")
        connection.execute("INSERT INTO signatures VALUES (1, 1, 'ann', 0, '{}', 'ab')")
    for change in (f"UPDATE {table} SET operator = 'bob'", f"DELETE FROM {table}"):
        with pytest.raises(StoreError, match="never changes"), store._database.transaction() as connection:
            connection.execute(change)
