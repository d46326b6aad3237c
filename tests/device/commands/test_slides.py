"""`smearscope slides`, from the command line."""

import csv
import hashlib
import io
import json
import zipfile

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.store import Store
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


def test_a_missing_slide_is_one_clear_line(data):
    assert slides(data, "show", "9", code=1).stderr.startswith("smearscope: no slide 9 in ")


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
