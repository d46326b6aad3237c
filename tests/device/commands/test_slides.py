"""`smearscope slides`, from the command line."""

import csv
import hashlib
import io
import json
import os
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.exports.registry import export_slide
from device.store import Store
from device.store.database import DATABASE
from tests.device.findings import UNCERTAIN, finding, frame


@pytest.fixture
def data(tmp_path):  # type: ignore[no-untyped-def]
    """A store with one ended slide of three fields: Pre, Pro and a doubtful one."""
    with Store.record(tmp_path / "data") as store:
        slide = store.start_slide("A-17")
        store.add_field(slide, frame(1), finding("Pre"))
        store.add_field(slide, frame(2), finding("Pro"))
        store.add_field(slide, frame(3), finding(None, (UNCERTAIN,)), review=True)
        store.end_slide(slide)
    return tmp_path / "data"


def slides(data, *words, code=0):  # type: ignore[no-untyped-def]
    result = CliRunner().invoke(cli, ["slides", "--data", str(data), *words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_slides_are_listed_and_shown(data):
    assert "A-17" in slides(data, "list").output
    shown = slides(data, "show", "1").output
    assert "3 distinct fields, 2 accepted, 1 refused" in shown
    assert "No class is named for the slide: fewer than 10 accepted fields." in shown
    assert "Research use only" in shown


def test_slides_speak_json(data):
    listed = json.loads(slides(data, "list", "--json").output)
    assert (listed["name"], listed["fields_accepted"], listed["refusals"]) == ("A-17", 2, {"uncertain": 1})
    shown = json.loads(slides(data, "show", "1", "--json").output)
    assert [field["label"] for field in shown["fields"]] == ["Pre", "Pro", None]


def test_what_is_not_there_is_said(data):
    assert slides(data, "list", "--before", "1").output == "no slide older than slide 1\n"
    assert slides(data, "list", "--before", "9", "--search", "x").output.startswith("no slide older than slide 9 with")
    assert "slide 1 (A-17): no fields after 3" in slides(data, "show", "1", "--after", "3").output
    assert slides(data, "show", "B 2", code=1).stderr.startswith("smearscope: no slide 'B 2' in ")
    assert slides(data, "show", "9", code=1).stderr.startswith("smearscope: no slide 9 in ")


def test_the_fields_of_a_slide_are_readable_in_60_columns(data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    slides(data, "review", "1", "--label", "Early")
    shown = slides(data, "show", "1").output
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 60


def test_an_export_into_a_file_of_messages_draws_no_progress(data, tmp_path):
    assert slides(data, "export", "1", "--out", str(tmp_path / "s.zip")).stderr == ""


def test_csv_and_json_go_to_the_terminal_or_a_file(data, tmp_path):
    rows = list(csv.DictReader(io.StringIO(slides(data, "export", "1", "--format", "csv", "--out", "-").output)))
    assert [row["label"] for row in rows] == ["Pre", "Pro", ""]
    assert float(rows[0]["p_Pre"]) == 0.7
    slides(data, "export", "1", "--format", "json", "--out", str(tmp_path / "s.json"))
    whole = json.loads((tmp_path / "s.json").read_text())
    assert len(whole["fields"]) == 3
    assert len(whole["fields"][0]["cells"]) == 2
    assert whole["notice"].startswith("Research use only")


def test_a_zip_carries_the_photographs_and_the_checksum_of_every_file(data, tmp_path):
    slides(data, "export", "1", "--out", str(tmp_path / "s.zip"))
    with zipfile.ZipFile(tmp_path / "s.zip") as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert set(manifest["files"]) == set(bundle.namelist()) - {"manifest.json"}
        for name, sha256 in manifest["files"].items():
            assert hashlib.sha256(bundle.read(name)).hexdigest() == sha256
        assert len([name for name in bundle.namelist() if name.endswith(".jpg")]) == 3
        assert len(list(csv.DictReader(io.TextIOWrapper(bundle.open("cells.csv"))))) == 6


def test_a_training_folder_of_a_slide_without_answers_says_where_they_come_from(data, tmp_path):
    shown = slides(data, "export", "1", "--format", "training", "--out", str(tmp_path / "reviewed"))
    assert "no field has a person's answer" in shown.stderr


def test_reviewed_fields_become_a_training_folder(data, tmp_path):
    assert UNCERTAIN.advice in slides(data, "review").output
    slides(data, "review", "3", "--label", "Early")
    slides(data, "review", "2", "--none")
    assert "0 waiting" in slides(data, "review").output
    out = slides(data, "export", "--format", "training", "--out", str(tmp_path / "reviewed")).output
    assert "1 Early" in out
    assert len(list((tmp_path / "reviewed/Original/Early").glob("*.jpg"))) == 1
    assert not (tmp_path / "reviewed/Original/Pro").exists()


def test_kept_slides_cannot_be_deleted_until_the_mark_is_taken_away(data):
    slides(data, "keep", "1")
    assert "marked to keep" in slides(data, "delete", "1", "--yes", code=1).stderr
    slides(data, "keep", "1", "--off")
    slides(data, "delete", "1", "--yes")
    assert "no slides yet" in slides(data, "list").output


def test_deleting_asks_first(data):
    result = CliRunner().invoke(cli, ["slides", "--data", str(data), "delete", "1"], input="n\n")
    assert result.exit_code == 1
    assert "A-17" in slides(data, "list").output


def test_help_needs_no_store(tmp_path):
    assert "Write a slide" in slides(tmp_path / "none", "export", "--help").output


@pytest.mark.parametrize(
    "words",
    [["list"], ["show", "1"], ["show", "A-17"], ["review"], ["export", "A-17", "--format", "csv", "--out", "-"]],
)
def test_the_data_folder_may_be_given_in_either_place(data, words):
    after = CliRunner().invoke(cli, ["slides", *words, "--data", str(data)], catch_exceptions=False)
    assert (after.exit_code, after.output) == (0, slides(data, *words).output)


def test_a_slide_is_found_by_its_name_unless_several_have_it(data):
    assert "Slide 1 (A-17)" in slides(data, "show", "A-17").output
    with Store.record(data) as store:
        store.start_slide("A-17")
        store.start_slide("1")
    assert "several slides are called 'A-17': 2, 1" in slides(data, "show", "A-17", code=1).stderr
    assert "Slide 1 (A-17)" in slides(data, "show", "1").output
    assert "no slide 'B-2' in " in slides(data, "show", "B-2", code=1).stderr


@pytest.mark.parametrize("words", [["review", str(2**63), "--none"], ["keep", "1", "--field", str(2**64)],
                                   ["list", "--before", "9" * 30], ["show", "1", "--after", "nan"]])  # fmt: skip
def test_a_number_that_no_database_holds_is_a_mistake_in_the_command(data, words):
    assert "Error: Invalid value" in slides(data, *words, code=2).stderr


@pytest.mark.parametrize("words", ["show", "history", "verify"])
def test_a_number_beyond_a_database_is_no_slide(data, words):
    assert "no slide 99999999999999999999 in" in slides(data, words, "9" * 20, code=1).stderr


def test_a_zip_can_be_a_stream_and_a_training_folder_cannot(data):
    out = slides(data, "export", "1", "--out", "-").stdout_bytes
    with zipfile.ZipFile(io.BytesIO(out)) as bundle:
        assert bundle.testzip() is None
        assert "manifest.json" in bundle.namelist()
    assert "is a folder, and no stream" in slides(data, "export", "--format", "training", "--out", "-", code=2).stderr


def test_an_export_into_a_folder_gets_its_name_there(data, tmp_path):
    assert (
        f"wrote {tmp_path / 'slide-1.csv'}"
        in slides(data, "export", "1", "--format", "csv", "--out", str(tmp_path)).output
    )
    slides(data, "export", "1", "--out", f"{tmp_path}/")
    assert zipfile.is_zipfile(tmp_path / "slide-1.zip")


def test_tables_of_a_zip_name_the_photographs_in_it(data, tmp_path):
    with Store.read(data) as store:
        gone = store.fields(1)[1]
        store.image_path(gone).unlink()
    slides(data, "export", "1", "--out", str(tmp_path / "s.zip"))
    with zipfile.ZipFile(tmp_path / "s.zip") as bundle:
        rows = list(csv.DictReader(io.TextIOWrapper(bundle.open("fields.csv"), "utf-8")))
        assert [row["image"] for row in rows if row["image"]] == [n for n in bundle.namelist() if n.endswith(".jpg")]
        assert json.loads(bundle.read("manifest.json"))["photographs_removed"] == 1


def test_an_export_is_of_one_moment(data, monkeypatch):
    """Between its questions another process deletes the slide and records a new one."""
    out = io.BytesIO()
    with Store.read(data) as store, Store.record(data) as other:

        def meanwhile() -> None:
            if other.slides()[0].id == 1:
                other.start_slide("another")
                other.delete_slide(1)

        export_slide(store, 1, "zip", out, step=meanwhile)
        assert [slide.name for slide in other.slides()] == ["another"]
    with zipfile.ZipFile(out) as bundle:
        assert len(bundle.read("fields.csv").splitlines()) == 1 + 3
        manifest = json.loads(bundle.read("manifest.json"))
    assert (manifest["name"], manifest["fields_total"]) == ("A-17", 3)


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_a_text_that_a_spreadsheet_would_run_is_none_in_csv(tmp_path, text):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("formulas")
        store.add_field(slide, replace(frame(1), source=text), finding())
    (row,) = csv.DictReader(io.StringIO(slides(tmp_path, "export", "1", "--format", "csv", "--out", "-").output))
    assert row["source"] == f"'{text}"
    assert float(row["focus"]) == 1.0


def test_answers_of_people_are_in_the_summary_and_every_export(data, tmp_path):
    slides(data, "review", "3", "--label", "early")
    slides(data, "review", "2", "--none")
    shown = slides(data, "show", "1").output
    assert "reviewed by a person: 1 none of the classes, 1 Early" in shown
    assert json.loads(slides(data, "show", "1", "--json").output)["reviewed"] == {"none": 1, "Early": 1}
    rows = list(csv.DictReader(io.StringIO(slides(data, "export", "1", "--format", "csv", "--out", "-").output)))
    assert [row["reviewed_label"] for row in rows] == ["", "", "Early"]
    whole = json.loads(slides(data, "export", "1", "--format", "json", "--out", "-").output)
    assert whole["reviewed"] == {"none": 1, "Early": 1}


def test_reviewed_fields_of_two_devices_and_of_a_store_begun_anew_fit_into_one_folder(tmp_path):
    for number in range(3):
        with Store.record(tmp_path / str(number)) as store:
            store.set_review(store.add_field(store.start_slide("s"), frame(number), finding()), False, "Pre")
        slides(tmp_path / str(number), "export", "--format", "training", "--out", str(tmp_path / "all"))
    assert len(list((tmp_path / "all/Original/Pre").iterdir())) == 3


def test_a_corrected_answer_leaves_no_copy_under_the_first(data, tmp_path):
    for label in ("Pre", "Pro"):
        slides(data, "review", "1", "--label", label)
        slides(data, "export", "--format", "training", "--out", str(tmp_path / "all"))
    assert [path.parent.name for path in (tmp_path / "all").rglob("*.jpg")] == ["Pro"]


def test_drawn_fields_do_not_become_training_pictures_by_accident(tmp_path):
    with Store.record(tmp_path / "data") as store:
        store.set_review(store.add_field(store.start_slide("s", simulated=True), frame(1), finding()), False, "Pre")
    slides(tmp_path / "data", "export", "--format", "training", "--out", str(tmp_path / "all"))
    assert not (tmp_path / "all/Original").exists()
    assert len(list((tmp_path / "all/simulated/Original/Pre").iterdir())) == 1


def test_a_label_of_a_tampered_database_leads_nowhere(data, tmp_path):
    with closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as database:
        database.execute("UPDATE fields SET reviewed_label = '../../../escaped' WHERE id = 1")
    slides(data, "export", "--format", "training", "--out", str(tmp_path / "in" / "all"))
    assert not list(tmp_path.rglob("*escaped*"))


def test_seen_again_is_shown_afterwards_too(data):
    with Store.record(data) as store:
        store.count_seen_again(1, 7)
    assert "7 seen again and not counted" in " ".join(slides(data, "show", "1").output.split())


def test_the_list_fits_a_terminal_of_80_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with Store.record(tmp_path) as store:
        slide = store.start_slide("2026-01-28 14:03:55", simulated=True)
        for number in range(12):
            store.add_field(slide, frame(number), finding("Benign"))
    lines = slides(tmp_path, "list").output.splitlines()
    (line,) = [line for line in lines if "14:03:55" in line]
    assert "12" in line
    assert "Benign" in line
    assert max(map(len, lines)) <= 80


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_member_of_the_group_reads_while_no_daemon_runs():
    group = 54321
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        with Store.record(data) as store:
            store.start_slide("A-17")
        Path(scratch).chmod(0o755)
        for path in (data, *data.rglob("*")):
            os.chown(path, 0, group)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(group)
                os.setuid(group)
                with Store.read(data) as store:
                    os.write(write, store.slides()[0].name.encode())
            except BaseException as error:  # noqa: BLE001 - handed to the test
                os.write(write, repr(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 1000) == b"A-17"


def test_a_slide_that_was_examined_with_two_bundles_says_so_everywhere(tmp_path):
    first, second = "ab" * 32, "cd" * 32
    data = tmp_path / "data"
    with Store.record(data) as store:
        slide = store.start_slide("swapped")
        for number, bundle in enumerate([first, first, second], 1):
            store.add_field(slide, frame(number), replace(finding("Pre"), bundle_sha256=bundle))
        store.end_slide(slide)
        store.add_field(store.start_slide("other"), frame(9), finding("Pre"))
    said = f"examined with 2 bundles: {first[:12]}, {second[:12]}"
    assert said in slides(data, "show", "1").output
    assert "bundles:" not in slides(data, "show", "2").output
    assert json.loads(slides(data, "show", "1", "--json").stdout)["bundles"] == [first, second]
    with Store.read(data) as store, tempfile.TemporaryFile() as out:
        export_slide(store, 1, "zip", out)
        with zipfile.ZipFile(out) as packed:
            assert json.loads(packed.read("manifest.json"))["bundles"] == [first, second]
