"""`smearscope cells`, from the command line."""

import json
import os
import pty
import subprocess
import sys
import termios
from dataclasses import replace

import cv2
import pytest
from click.testing import CliRunner

from device.cli import cli
from device.counting.cell_classes import CellClass
from device.store import Store
from smear.images import read_image
from tests.device.findings import OUT_OF_FOCUS, cell, finding, frame


@pytest.fixture
def data(tmp_path):  # type: ignore[no-untyped-def]
    """Slide 1, A-17: three accepted fields of two cells, and a refused one, 4."""
    with Store.record(tmp_path / "data") as store:
        slide = store.start_slide("A-17")
        for number in range(3):
            store.add_field(slide, replace(frame(number), pixel_size_um=0.25), finding())
        store.add_field(slide, frame(9), finding(None, (OUT_OF_FOCUS,)))
        store.end_slide(slide)
    return tmp_path / "data"


def cells(data, *words, keys=None, code=0):  # type: ignore[no-untyped-def]
    words = ["cells", "--data", str(data), *words]
    if words[3] in {"classify", "undo"} and "--operator" not in words:
        words += ["--operator", "ann"]
    result = CliRunner().invoke(cli, words, input=keys, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def classes(data):  # type: ignore[no-untyped-def]
    with Store.read(data) as store:
        return {each.name: each.cell_class for each in store.browse(1)}


def test_cells_are_listed_by_class_and_page_by_page(data):
    cells(data, "classify", "1.0", "2.1", "--class", "Blast")
    assert [line.split()[0] for line in cells(data, "list", "A-17", "--class", "b").output.splitlines()[3:5]] == [
        "1.0", "2.1"
    ]  # fmt: skip
    listed = [
        json.loads(line)["name"] for line in cells(data, "list", "1", "--unclassified", "--json").output.splitlines()
    ]
    assert listed == ["1.1", "2.0", "3.0", "3.1"]
    page = cells(data, "list", "1", "--limit", "2", "--after", "1.1", "--order", "opinion").output
    assert "more cells: the same command with --after 2.1" in page
    assert "no such cells after 3.1" in cells(data, "list", "1", "--after", "3.1").output


def test_the_list_of_cells_fits_a_terminal_of_80_columns(data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with Store.read(data) as store:
        store.classify("ann", [(1, 0)], "x" * 40)
    lines = cells(data, "list", "1").output.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("x") for line in lines[3:5]) == 40


def test_a_cell_is_shown_with_its_measures_its_trail_and_its_picture(data, tmp_path):
    cells(data, "classify", "1.0", "--class", "blast")
    cells(data, "classify", "1.0", "--class", "monocyte", "--operator", "bob")
    shown = cells(data, "show", "1.0", "--out", str(tmp_path / "cell.png")).output
    assert "class: monocyte (ann: blast, bob: monocyte)" in shown
    assert "10 x 12 px (2.5 x 3.0 µm)" in shown
    assert "bob  classify  cell 1.0: nothing -> monocyte" in shown
    picture = read_image(tmp_path / "cell.png")
    assert picture.shape == (480, 480, 3)
    outline = cv2.inRange(picture, (250, 250, 250), (255, 255, 255))
    assert 0 < outline.mean() < 100
    whole = json.loads(cells(data, "show", "1.0", "--json").output)
    assert (whole["said"], len(whole["events"])) == ({"ann": "blast", "bob": "monocyte"}, 2)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_cell_whose_photograph_is_gone_says_so_and_the_walk_goes_on(data, tmp_path, recorded):
    picture = tmp_path / "cell.png"
    with Store.read(data) as store, store._database.transaction() as connection:
        store.image_path(store.field(1)).unlink()
        if not recorded:
            connection.execute("UPDATE fields SET image = NULL WHERE id = 1")
    error = cells(data, "show", "1.0", "--out", str(picture), code=1).stderr
    assert error.startswith("smearscope: cell 1.0: the photograph of its field")
    walk = cells(data, "classify", "1", "--keys", "--picture", str(picture), keys="bb")
    assert (walk.stderr.count("the photograph of its field"), picture.is_file()) == (2, True)
    cells(data, "classify", "1", "--keys", "--class", "b", "--picture", str(picture), keys=".")
    assert not picture.exists()  # rather than the picture of another cell


def test_a_page_after_a_cell_of_another_slide_is_refused(data):
    with Store.record(data) as store:
        slide = store.start_slide("B")
        store.add_field(slide, frame(7), finding())
    assert "cell 5.0 is not of slide 1, but of slide 2" in cells(data, "list", "1", "--after", "5.0", code=1).stderr


def test_a_script_of_keys_classifies_cell_by_cell(data):
    said = cells(data, "classify", "A-17", "--keys", keys="bl\n?s-x .").output.splitlines()
    assert classes(data) == {
        "1.0": "blast",
        "1.1": "lymphocyte",
        "2.0": "artefact",
        "2.1": None,
        "3.0": None,
        "3.1": None,
    }
    assert [line for line in said if "'?'" in line] == [
        "no class has the key '?'; the keys are b h l n a m e p s r x u, space, - and ."
    ]
    assert "2.0: smudge cell taken back" in said
    assert said[-1] == "ann: 4 cells classified, 1 passed over, 1 taken back; more cells are left"


def test_no_key_is_lost_however_fast_it_is_pressed_at_a_terminal(data):
    terminal, theirs = pty.openpty()
    words = ["-m", "device", "cells", "--data", str(data), "classify", "1", "--keys", "--operator", "ann"]
    walk = subprocess.Popen([sys.executable, *words], stdin=theirs, stdout=subprocess.PIPE, text=True)
    os.write(terminal, b"bl\x1b[As-x ")
    said = [next(walk.stdout) for _ in range(2)]  # it has begun
    os.write(terminal, b"\x7f\x1b")
    said += walk.communicate(timeout=60)[0].splitlines()
    assert walk.returncode == 0
    assert [each for each in classes(data).values() if each] == ["blast", "lymphocyte"]
    assert said[-1] == "ann: 4 cells classified, 1 passed over, 2 taken back; more cells are left"
    assert termios.tcgetattr(theirs)[3] & termios.ICANON


def test_keys_go_on_where_the_operator_left_off_whatever_others_said(data):
    cells(data, "classify", "1", "--keys", keys="bb")
    cells(data, "classify", "1", "--keys", "--operator", "bob", keys="mmmmmm")
    said = cells(data, "classify", "1", "--keys", keys="--llllll").output
    assert "1.1: blast taken back" in said
    assert "6 cells classified" in said
    assert "no cell is left" in said
    assert set(classes(data).values()) == {"lymphocyte"}


def test_cells_of_one_class_are_walked_again(data):
    cells(data, "classify", "1.1", "3.0", "--class", "unidentified")
    cells(data, "classify", "1", "--keys", "--class", "unidentified", keys="bm")
    assert {name: each for name, each in classes(data).items() if each} == {"1.1": "blast", "3.0": "monocyte"}


def test_the_walk_says_when_the_target_is_met_and_keeps_the_picture_of_the_present_cell(data, tmp_path):
    (tmp_path / "config.toml").write_text("[cells]\ntarget = 2\n")
    words = (
        "classify",
        "1",
        "--keys",
        "--config",
        str(tmp_path / "config.toml"),
        "--picture",
        str(tmp_path / "now.png"),
    )
    said = cells(data, *words, keys="sbbb").output
    assert [line for line in said.splitlines() if "target is met" in line] == [
        "2.0: blast (2 of 2 leukocytes: the target is met)"
    ]
    assert read_image(tmp_path / "now.png").shape == (480, 480, 3)


def test_undo_tells_what_it_took_back(data):
    cells(data, "classify", "1.0", "--class", "blast")
    assert cells(data, "undo", "A-17").output == "cell 1.0: blast -> nothing (taken back by ann)\n"
    assert cells(data, "undo", "A-17").output == "slide 1 (A-17): ann has nothing to take back\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["classify", "4.0", "--class", "blast"], 1, "in a field without a label"),
        (["classify", "1.0", "--class", "blst"], 1, "no class of cells is called 'blst'; choose one of: blast (b)"),
        (["classify", "1.0"], 2, "what are they?"),
        (["classify", "A-17", "--class", "blast"], 2, "'A-17' is no cell; its name is FIELD.NUMBER"),
        (["classify", "1", "1", "--keys"], 2, "give one slide"),
        (["classify", "1.0", "--class", "blast", "--operator", "a\tb"], 2, "an operator's name"),
        (["show", "9.9"], 1, "no cell 9.9"),
        (["show", "1.0", "--out", "cell.jpg"], 2, "cell.jpg: the picture is a PNG"),
        (["classify", "1.0", "--class", "b", "--picture", "cell.png"], 2, "--picture goes with --keys"),
        (["list", "1", "--class", "b", "--unclassified"], 2, "not both"),
    ],
)
def test_a_mistake_is_one_clear_line(data, words, code, message):
    assert message in cells(data, *words, code=code).stderr
    assert set(classes(data).values()) == {None}


def test_a_class_that_the_settings_no_longer_have_can_still_be_listed(data):
    with Store.read(data) as store:
        store.classify("ann", [(1, 0)], CellClass("myelocyte", "y").name)
    assert "myelocyte" in cells(data, "list", "1", "--class", "myelocyte").output


def test_names_from_outside_move_no_cursor(tmp_path):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("A")
        store.add_field(slide, frame(), finding(cells=(cell(),)))
        with store._database.transaction() as connection:
            connection.execute("UPDATE cells SET cell_class = 'x' || char(27) || '[2J', opinion = char(27) || 'c'")
            connection.execute("INSERT INTO classifications VALUES (1, char(27) || 'o', 1, 0, char(27) || 'p')")
    for words in (["list", "1"], ["show", "1.0"]):
        assert "\x1b" not in cells(tmp_path, *words).output
