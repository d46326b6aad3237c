"""`smearscope slides review`, `keep`, `edit`, `rename`, `merge`, `history` and `delete`: each says what happened."""

import csv
import io
import json

import click
import pytest
from click.testing import CliRunner

from device.cli import cli
from device.commands.slides import review as review_module
from device.store import Store
from device.store.records import SlideDetails
from tests.device.findings import UNCERTAIN, finding, frame


@pytest.fixture
def data(tmp_path):  # type: ignore[no-untyped-def]
    """Slides 1, A-17, and 2, B-18, of two fields each, one of which waits for review; they share one field."""
    with Store.record(tmp_path / "data") as store:
        for name, seeds in (("A-17", (1, 2)), ("B-18", (2, 3))):
            slide = store.start_slide(name, details=SlideDetails(stain="Leishman", note=f"of {name}"))
            for seed in seeds:
                doubtful = seed == 3
                found = finding(None, (UNCERTAIN,)) if doubtful else finding("Pre")
                store.add_field(slide, frame(seed, seed=seed), found, review=doubtful)
            store.end_slide(slide)
    return tmp_path / "data"


def slides(data, *words, code=0, stdin=None):  # type: ignore[no-untyped-def]
    environment = {"SMEARSCOPE_OPERATOR": "ann"}
    words = ["slides", "--data", str(data), *words]
    result = CliRunner().invoke(cli, words, input=stdin, env=environment, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_reviews_and_marks_answer_what_happened(data):
    assert slides(data, "review", "4", "--label", "pro").output == "field 4: waiting for review -> Pro (by ann)\n"
    assert slides(data, "review", "4", "--label", "Pro").output == "field 4: as it was; nothing changed\n"
    assert slides(data, "review", "4", "--none").output == "field 4: Pro -> none of the classes (by ann)\n"
    assert "slide 1 (A-17) with 2 fields: kept, and never removed to make room\n" in slides(data, "keep", "A-17").output
    assert slides(data, "keep", "1").output.endswith("to make room, as before\n")
    assert "field 1: may be removed" in slides(data, "keep", "1", "--field", "1", "--off").output
    assert "is not of slide 1" in slides(data, "keep", "1", "--field", "3", code=1).stderr


@pytest.mark.parametrize("screen", [None, "DISPLAY", "WAYLAND_DISPLAY"])
def test_a_field_to_review_is_opened_where_there_is_a_screen(data, monkeypatch, screen):
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if screen:
        monkeypatch.setenv(screen, ":0")

    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    monkeypatch.setattr(review_module.sys, "stdout", Terminal())
    with Store.read(data) as store:
        photograph = store.image_path(store.field(4))
        review_module._open(photograph)
    assert opened == ([str(photograph)] if screen else [])


def test_a_field_alone_is_shown_with_what_is_known_of_it(data):
    shown = slides(data, "review", "4").output
    assert UNCERTAIN.advice in shown
    assert "waits" in shown
    assert "slides review 4 --label CLASS" in shown
    assert "1 waiting; look at one: smearscope slides review FIELD" in slides(data, "review").output


def test_a_slide_is_edited_renamed_and_found_again_and_its_history_says_who_did_it(data):
    assert "slide 1 (A-17): specimen nothing -> marrow\n" in slides(data, "edit", "A-17", "--specimen", "marrow").output
    assert "nothing changed" in slides(data, "edit", "1", "--specimen", "marrow").output
    assert "stain: Leishman; specimen: marrow; note: of A-17" in slides(data, "show", "1").output
    assert "rename A-17 -> C-19" in slides(data, "rename", "1", "C-19").output
    assert "C-19" in slides(data, "list", "--search", "MARROW").output
    assert "B-18" not in slides(data, "list", "--search", "marrow").output
    assert "no slide with 'zzz' in" in slides(data, "list", "--search", "zzz").output
    lines = slides(data, "history", "C-19").output.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "ann  specimen  nothing -> marrow", "ann  rename  A-17 -> C-19"
    ]  # fmt: skip
    assert json.loads(slides(data, "history", "1", "--json").output.splitlines()[0])["action"] == "specimen"


def test_one_field_is_no_plural(data):
    with Store.record(data) as store:
        store.add_field(store.start_slide("C"), frame(77), finding())
    assert slides(data, "keep", "C").output.startswith("slide 3 (C) with 1 field: kept")


def test_merging_asks_and_says_what_became_of_the_fields(data):
    asked = slides(data, "merge", "A-17", "B-18", stdin="n\n", code=1).output
    assert "merge slide 2 (B-18) with 2 fields into slide 1 (A-17)?" in asked
    merged = slides(data, "merge", "A-17", "B-18", "--yes").output
    assert merged == ("slide 2 is now part of slide 1 (A-17): fields moved: 1; second views of a field removed: 1\n")
    assert "3 distinct fields, 2 accepted, 1 refused, 0 empty; 1 seen again" in slides(data, "show", "1").output
    assert "no slide 'B-18'" in slides(data, "show", "B-18", code=1).stderr


def test_the_history_of_a_deleted_slide_stays(data):
    slides(data, "edit", "1", "--note", "")
    slides(data, "delete", "1", "--yes")
    history = slides(data, "history", "1").output.splitlines()
    assert [line.split()[3] for line in history] == ["note", "delete"]
    assert "nobody has changed anything" in slides(data, "history", "2").output
    assert "no slide 9" in slides(data, "history", "9", code=1).stderr


def test_what_people_said_of_cells_is_in_the_summary_and_every_export(data):
    with Store.read(data) as store:
        store.classify("ann", [(1, 0), (1, 1)], "blast")
        store.classify("bob", [(2, 1), (1, 0)], "monocyte")
    shown = slides(data, "show", "1").output
    assert "cells classified by a person: 1 blast, 2 monocyte" in shown
    assert "2/2" in shown  # cells of field 1
    said = {"blast": 1, "monocyte": 2}
    assert json.loads(slides(data, "show", "1", "--json").output)["classified"] == said
    whole = json.loads(slides(data, "export", "1", "--format", "json", "--out", "-").output)
    assert whole["classified"] == said
    assert [cell["cell_class"] for field in whole["fields"] for cell in field["cells"]] == [
        "monocyte", "blast", None, "monocyte"
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(slides(data, "export", "1", "--format", "csv", "--out", "-").output)))
    assert len(rows) == 2
