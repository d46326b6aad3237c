"""`smearscope slides count`, `sign`, `amend` and `verify`, from the command line."""

import csv
import hashlib
import io
import json
import sqlite3
import zipfile
from contextlib import closing

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.store import Store
from device.store.database import DATABASE
from tests.device.findings import TOO_DARK, UNCERTAIN, finding, frame
from tests.device.store.review.signed import recorded, signed

CONCEDE = ("--short", "few cells on the slide", "--allow-unidentified")


@pytest.fixture
def data(tmp_path):  # type: ignore[no-untyped-def]
    """Slide 1, in which ann and bob have classified all eight cells; one is unidentified to ann."""
    with Store.record(tmp_path / "data") as store:
        cells = recorded(store, fields=4)
        store.classify("ann", cells[:5], "blast")
        store.classify("ann", cells[5:7], "smudge cell")
        store.classify("ann", cells[7:], "unidentified")
        store.classify("bob", cells, "blast")
    return tmp_path / "data"


def slides(data, *words, operator="ann", code=0, settings=None, columns=80):  # type: ignore[no-untyped-def]
    options = ["--config", str(settings)] if settings else []
    result = CliRunner().invoke(cli, ["slides", "--data", str(data), *options, *words], catch_exceptions=False,
                                env={"SMEARSCOPE_OPERATOR": operator, "COLUMNS": str(columns)})  # fmt: skip
    assert result.exit_code == code, result.output
    return result


def test_a_count_in_the_terminal_is_the_one_in_json(data):
    shown = slides(data, "count", "A-17").output
    found = json.loads(slides(data, "count", "A-17", "--json").output)
    assert (found["state"], list(found["counts"])) == ("open", ["ann"])
    count = found["counts"]["ann"]
    lines = {line.strip().split("  ")[0]: line.split() for line in shown.splitlines()}
    for each in count["classes"]:
        words = lines[each["name"]]
        assert str(each["n"]) in words
        if share := each["share"]:
            assert [f"{share['share']:.1%}", f"{share['low']:.1%}", "to", f"{share['high']:.1%}"] == words[-4:]
        elif each["per_100"] is not None:
            assert words[-4] == f"{each['per_100']:.1f}"
    assert f"Not complete: {'; '.join(count['shortfalls'])}" in shown
    assert "Research use only" in shown


def test_two_operators_are_compared_on_the_cells_of_both(data):
    shown = slides(data, "count", "1", "--compare", "ann", "bob").output
    assert "both classified 8 cells" in shown
    assert "agreement: 62.5% (30.6% to 86.3%)" in shown
    found = json.loads(slides(data, "count", "1", "--compare", "ann", "bob", "--json").output)
    assert found["agreement"]["agreed"]["n"] == 5
    assert found["agreement"]["classes"] == ["blast", "smudge cell", "unidentified"]


def test_who_counted_nothing_is_told_who_did(data):
    text = slides(data, "count", "1", operator="zoe", code=1).stderr
    assert text.startswith("smearscope: zoe has classified no cell of slide 1 (ann, bob has)")


def test_a_slide_is_signed_amended_and_verified(data):
    refused = slides(data, "sign", "1", code=1).stderr
    assert "6 of 200 leukocytes are counted (or --short REASON); cells unidentified: 4.1" in refused
    assert "version 1 signed by ann on" in slides(data, "sign", "1", *CONCEDE).output
    assert "slide 1 is signed and cannot change" in slides(data, "sign", "1", *CONCEDE, code=1).stderr
    walked = CliRunner().invoke(cli, ["cells", "classify", "1", "--keys", "--data", str(data)], input="b")
    assert (walked.exit_code, "slide 1 is signed and cannot change" in walked.stderr, walked.stdout) == (1, True, "")
    assert "holds, and the records agree" in slides(data, "verify", "1").output
    assert "version 2 is begun; version 1 stays" in slides(data, "amend", "1", "--reason", "recount").output
    assert slides(data, "sign", "1", "--target", "8", operator="bob").exit_code == 0
    first, second = map(json.loads, slides(data, "verify", "1", "--json").output.splitlines())
    assert (first["operator"], first["compared"], second["operator"], second["compared"]) == ("ann", False, "bob", True)
    with Store.record(data) as store:
        store.delete_slide(1, signed=True)
    assert slides(data, "verify", "1").output.count("holds, not compared: the slide was amended or deleted since") == 2


def test_a_result_that_does_not_hold_ends_with_an_error(data):
    slides(data, "sign", "1", *CONCEDE)
    with closing(sqlite3.connect(data / DATABASE)) as other, other:
        other.execute("UPDATE slides SET note = 'another'")
    result = slides(data, "verify", "1", code=1)
    assert "DOES NOT HOLD: the records say otherwise than was signed: slide note" in result.output
    assert "restore the last backup" in result.stderr


def test_a_slide_is_not_signed_before_the_quality_control_that_the_settings_ask_for(data, tmp_path):
    settings = tmp_path / "config.toml"
    settings.write_text("[qc]\nrequired = true\n")
    refused = slides(data, "sign", "1", *CONCEDE, code=1, settings=settings).stderr
    assert "quality control of the day is not cleared (no quality control was done yet)" in refused


def test_a_signed_slide_is_sent_to_the_laboratory_where_the_settings_say_so(data, tmp_path):
    settings = tmp_path / "config.toml"
    settings.write_text(f"[laboratory]\nhl7_folder = {str(tmp_path / 'hl7')!r}\n")
    assert "hl7: No such file" in slides(data, "sign", "1", *CONCEDE, code=1, settings=settings).stderr
    (tmp_path / "hl7").mkdir()
    assert "version 1 signed by ann" in slides(data, "sign", "1", *CONCEDE, settings=settings).output
    (message,) = (tmp_path / "hl7").iterdir()
    assert message.read_bytes().startswith(b"MSH|^~\\&|smearscope|")


def test_a_list_of_slides_says_how_far_the_work_on_each_is(data):
    with Store.record(data) as store:
        store.start_slide("B")
        listed = slides(data, "list").output
        assert [line.split()[-2:] for line in listed.splitlines()[2:]] == [["-", "recording"], ["-", "open"]]
        assert [json.loads(line)["state"] for line in slides(data, "list", "--json").output.splitlines()] == [
            "open"
        ] * 2
    settings = data / "config.toml"
    settings.write_text("[cells]\ntarget = 8\n")
    assert "counted" in slides(data, "list", settings=settings).output
    slides(data, "sign", "1", operator="bob", settings=settings)
    assert "signed" in slides(data, "list").output
    shown = slides(data, "show", "1").output.replace("\n", " ")
    found = json.loads(slides(data, "show", "1", "--json").output)
    assert found["state"] == "signed"
    assert "version 1 signed by bob on" in shown
    assert found["signatures"][0]["sha256"] in shown
    assert "counted by ann, not complete: 6 of 8 leukocytes, 1 unidentified" in shown
    assert "counted by bob, complete: 8 of 8 leukocytes" in shown


def test_every_count_refusal_and_mark_in_the_terminal_is_the_one_in_the_export(data, tmp_path):
    with Store.record(data) as store:
        slide = store.start_slide("B", simulated=True)
        for number, shown in enumerate((finding("Pro"), finding(None, cells=()), finding(None, (TOO_DARK, UNCERTAIN)))):
            store.add_field(slide, frame(number), shown, seen_again=2)
        store.set_review(5, wanted=False, label="Pre")
        store.set_review(7, wanted=False, label="")
        store.end_slide(slide)
        store.classify("ann", [(5, 0)], "gone")
    slides(data, "sign", "2", "--short", "x", "--allow-unidentified")
    slides(data, "export", "2", "--out", str(tmp_path / "2.zip"))
    with zipfile.ZipFile(tmp_path / "2.zip") as exported:
        said = json.loads(exported.read("manifest.json"))
        rows = list(csv.DictReader(io.StringIO(exported.read("fields.csv").decode())))
        signed = hashlib.sha256(exported.read("signed/version_1.json")).hexdigest()

    shown = slides(data, "show", "2", columns=300).output
    accepted, count = said["fields_accepted"], said["counts"]["ann"]
    lines = {" ".join(line.split()) for line in shown.splitlines()}
    assert {
        f"Slide 2 (B): {said['fields_total']} distinct fields, {accepted} accepted, {said['fields_refused']} refused, "
        f"{said['fields_empty']} empty; {said['seen_again']} seen again and not counted",
        f"{said['cells']} leukocytes in accepted fields",
        f"reviewed by a person: {said['reviewed']['none']} none of the classes, {said['reviewed']['Pre']} Pre",
        f"state: {said['state']}",
        f"counted by ann, not complete: {', '.join(count['shortfalls'])}",
        f"{accepted - said['fields_site_checked']} of {accepted} labels: not checked at this site "
        "('smearscope site show' says why)",
    } <= lines
    shares = {f"{each['n']} {each['share']:.1%} {each['low']:.1%} to {each['high']:.1%}"
              for each in said["classes"].values()}  # fmt: skip
    assert all(any(line.endswith(share) for line in lines) for share in shares)
    refused = {f"refused {n} x: {code.replace('_', ' ')}" for code, n in said["refusals"].items()}
    assert {line for line in lines if line.startswith("refused ")} == refused
    for row in rows:
        (line,) = (line for line in lines if line.startswith(f"{row['id']} "))
        assert line.split()[2] == (row["label"] or "-")
        assert row["refusals"] in line
    assert said["signatures"][0]["sha256"] == signed
    assert signed in shown
    marks = [line.split()[-1] for line in slides(data, "list").output.splitlines()[2:5]]  # one below the other
    assert marks == [said["state"], *(name for name in ("simulated", "keep") if said[name])]


@pytest.mark.parametrize(
    "name", ["[red]x[/red]", "<script>alert(1)</script>", "=HYPERLINK(1)", "a|b^c&d\\~", "../../x"]
)
def test_names_of_slides_operators_and_classes_are_shown_as_they_are(tmp_path, name):
    with Store.record(tmp_path) as store:
        signed(store, name, name, name)
    for words in (("count", name), ("verify", name), ("show", name), ("count", name, "--compare", name, name)):
        shown = slides(tmp_path, *words, operator=name, columns=300).output
        assert name in shown
        assert "\x1b" not in shown
    assert list(json.loads(slides(tmp_path, "count", name, "--json", operator=name).output)["counts"]) == [name]


@pytest.mark.parametrize("name", ["a\rb", "a\x1b[31m", "a\nMSH|", "\u202ea", " ", "x" * 41])
def test_a_name_that_moves_the_cursor_or_ends_a_line_signs_nothing(data, name):
    assert "an operator's name has 1 to 40" in slides(data, "sign", "1", "--operator", name, code=2).stderr
