"""The page of a slide: what stands in it, that no name breaks out of it, and how large it may become."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.settings import Settings
from device.slide_report import report as module
from device.slide_report.field_digest import digest, spaced
from device.slide_report.pictures import Pictures
from device.slide_report.report import slide_report
from device.store import Store
from device.store.database import DATABASE
from device.system.clock import ManualClock
from smear.templating import render
from tests.device.findings import UNCERTAIN, finding, frame
from tests.device.slide_report.conftest import ACCEPTED, REFUSED, SETTINGS

MADE_S = 1_700_100_000.0


def page_of(data: Path, settings: Settings = SETTINGS) -> str:
    with Store.read(data) as store:
        return slide_report(store, 1, settings, ManualClock(wall_s=MADE_S))


def text_of(page: str) -> str:
    """What a reader sees, on one line."""
    body = page[page.index("<body>") :]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_a_report_holds_what_was_counted_seen_refused_and_done(data):
    text = text_of(page_of(data))
    for part in (
        "Research use only: not a medical device, not for diagnosis.",
        "signed, version 1",
        "Not complete: 20 of 25 leukocytes; 1 unidentified",
        "unidentified cells: 9.1; fewer leukocytes than the target: hypocellular &lt;u&gt;marrow&lt;/u&gt;",
        "b blast 17 85.0 64.0 to 94.8",  # Wilson's interval
        "Not complete: 10 of 25 leukocytes",
        "0 of 10 cells that both classified have the same class",
        f"{ACCEPTED + REFUSED} distinct fields: {ACCEPTED} accepted, {REFUSED} refused",
        "uncertain not certain enough (51%, at least 80% needed): look at more fields (field 16) 2",
        "field 2 Pre-B Early Pre-B",  # what the network and what a person said
        "1 more waits for a person.",
        "opinion: Pro",
        "ab" * 32,
        "gate.min_focus",
        "1 of 1 measures failed.",
        "cells &lt;i&gt;lot&lt;/i&gt; 16.9 12 ± 1.5 failed 1-3s",
        "slide: cells, lot &lt;i&gt;lot&lt;/i&gt;",  # the chart
        "sign version 1",
    ):
        assert part in text


def test_a_report_of_a_slide_that_nobody_touched_says_so(tmp_path):
    with Store.record(tmp_path) as store:
        store.start_slide("A-17")
        text = text_of(slide_report(store, 1, Settings()))
    for part in ("open, not signed", "No cell of this slide has been classified", "No field was refused",
                 "The slide is still open", "No photograph of this slide is left"):  # fmt: skip
        assert part in text


def test_a_photograph_that_is_gone_or_damaged_leaves_a_gap_and_no_error(data):
    first, second, *_ = sorted((data / "photographs").rglob("*.jpg"))
    first.unlink()
    second.write_bytes(b"no JPEG")
    assert "no photograph" in page_of(data)


def test_times_that_the_disk_has_damaged_do_not_stop_a_report(data):
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        for table in ("events", "signatures", "fields", "qc_runs", "slides"):
            for name in ("never_change", "never_changes"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_{name}")
            column = "started_s" if table == "slides" else "wall_time_s"
            connection.execute(f"UPDATE {table} SET {column} = 'x'")
    assert "1970-01-01" in page_of(data)


def test_a_signed_statement_that_the_disk_has_damaged_is_said_so(data, monkeypatch):
    monkeypatch.setattr("device.store.review.statement.Signature.intact", False)
    assert "does not match its sha256" in page_of(data)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@example('"; } </style><script>')
@example("\\")
def test_a_name_in_the_style_sheet_stays_inside_its_quotes(name):
    style = render("device.slide_report", "slide.css", marks=[], running_name=name, running_foot="")
    inside = re.search(r'@top-left { content: "((?:[A-Za-z0-9]|\\[0-9a-f]{1,6} )*)";', style)
    assert re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), inside[1]) == name


@pytest.mark.parametrize(("numbers", "count", "chosen"), [
    (range(5), 9, [0, 1, 2, 3, 4]), (range(100), 4, [0, 33, 66, 99]), ([], 3, []), (range(7), 1, [0])
])  # fmt: skip
def test_what_is_shown_is_evenly_spaced(numbers, count, chosen):
    assert spaced(list(numbers), count) == chosen


def test_a_slide_of_any_length_has_a_page_of_bounded_size(tmp_path, monkeypatch):
    asked: list[int] = []

    def taken(store, fields, cells, marks, quiet):  # type: ignore[no-untyped-def]
        asked.extend((len(fields), len(cells)))
        return Pictures()

    monkeypatch.setattr(module, "take_pictures", taken)
    with Store.record(tmp_path) as store:
        slide = store.start_slide("A-17")
        for n in range(300):
            store.add_field(slide, frame(n), finding() if n % 3 else finding(None, (UNCERTAIN,)))
        for each in SETTINGS.cells.classes:
            store.classify("ann", [(c.field_id, c.number) for c in store.browse(slide, unclassified=True, limit=20)],
                           each.name)  # fmt: skip
        text = text_of(slide_report(store, slide, SETTINGS))
    assert asked == [module.MAX_ACCEPTED + module.MAX_REFUSED, module.MAX_CELLS * (len(SETTINGS.cells.classes) + 1)]
    assert "12 of 200, evenly spaced" in text
    assert "and 4 more" in text


def test_the_report_in_the_documentation_is_of_this_page(data):
    shown = (Path(__file__).parents[3] / "docs/report.html").read_text()
    headings = re.compile(r"<h2>.*?</h2>")
    assert headings.findall(shown) == headings.findall(page_of(data))


def test_measures_are_the_middle_and_the_bounds_of_nine_fields_in_ten(data):
    with Store.read(data) as store:
        fields = [replace(each, calibration_id="of the scale alone") for each in store.all_fields(1)]
    found = digest(fields).spreads()
    assert found["Focus at the rims of cells"] == (1.0, 1.0, 1.0)
    drift = "Colour of the background, CIE76 from the calibrated one"
    assert drift not in found  # no white was calibrated
    assert digest(replace(each, colour_drift=2.0) for each in fields).spreads()[drift] == (2.0, 2.0, 2.0)
