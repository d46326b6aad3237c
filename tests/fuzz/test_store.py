"""A database that somebody else has written to: every command answers in text or in one line, and JSON stays JSON."""

import json
import os
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.cli import cli
from device.store import Store
from device.store.database import DATABASE
from tests.device.findings import UNCERTAIN, finding, frame

INPUTS = int(os.environ.get("SMEARSCOPE_FUZZ") or 40)  # rounds of up to four altered columns, through ten commands
COLUMNS = {
    "slides": ("name", "started_s", "ended_s", "simulated", "keep", "operator", "stain", "note", "version"),
    "slide_counts": ("kind", "name", "n"),
    "fields": (
        "wall_time_s", "monotonic_s", "source", "pixel_size_um", "width", "height", "label", "top", "p_benign", "p_pro",
        "refusals", "cell_count", "focus", "ood_score", "timing_ms", "bundle_sha256", "level", "runtime", "image",
        "calibration_id", "boot_id", "clock_synced", "throttled", "temperature_c", "review", "reviewed_label", "keep",
    ),
    "cells": (
        "x", "width", "area_px", "area_um2", "nc_ratio", "circularity", "touches_edge", "p_early", "slide_id",
        "accepted", "opinion", "opinion_p", "nucleus_hue", "contour", "cell_class",
    ),
    "classifications": ("operator", "cell_class"),
    "doomed": ("image",),
}  # fmt: skip
TEXTS = st.sampled_from([
    "", "../../escape.jpg", "/etc/passwd", "photographs/000001/../../x.jpg", "\x1b[2J\x07", "\u202e", "=1+1", "{}",
    "[]", "[[[[", '[{"code": 7}]', '{"total": NaN}', '{"total": "x"}', "[" * 5000, "nan", "Pre", "a\0b", "ü" * 300,
])  # fmt: skip
VALUES = (
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=True) | TEXTS | st.text(max_size=40)
    | st.binary(max_size=40)
)  # fmt: skip
CELL = st.sampled_from([(table, column) for table, columns in COLUMNS.items() for column in columns])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two slides, a refused field and a reviewed one."""
    folder = tmp_path_factory.mktemp("fuzz") / "whole"
    with Store.record(folder) as store:
        for name in ("A-17", "B-2"):
            slide = store.start_slide(name)
            store.add_field(slide, frame(1), finding("Pre"))
            store.set_review(store.add_field(slide, frame(2), finding("Pro")), wanted=False, label="Early")
            store.add_field(slide, frame(3), finding(None, (UNCERTAIN,)), review=True)
            store.classify("ann", [(1, 0), (2, 1)], "blast")
        store.end_slide(slide)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        database.execute("INSERT INTO doomed VALUES ('photographs/000009/00000001-00000000.jpg')")
    return folder


def altered(whole: Path, copy: Path, changes: list[tuple[tuple[str, str], Any]]) -> None:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    with closing(sqlite3.connect(copy / DATABASE, isolation_level=None)) as database:
        for (table, column), value in changes:
            try:
                database.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
            except (sqlite3.IntegrityError, UnicodeEncodeError):
                continue  # the database itself refuses it


def no_constant(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


@settings(max_examples=INPUTS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(CELL, VALUES), min_size=1, max_size=4))
def test_whatever_stands_in_the_database_every_command_answers(
    whole: Path, tmp_path: Path, changes: list[tuple[tuple[str, str], Any]]
) -> None:
    data, out = tmp_path / "data", tmp_path / "in" / "out"
    altered(whole, data, changes)
    out.mkdir(parents=True, exist_ok=True)
    for words in (
        ["list"], ["list", "--json"], ["show", "1"], ["show", "1", "--json"], ["review"],
        ["export", "1", "--out", f"{out}/"], ["export", "1", "--format", "csv", "--out", "-"],
        ["export", "1", "--format", "json", "--out", "-"], ["export", "--format", "training", "--out", str(out)],
        ["history", "1"], ["cells", "list", "1", "--json"], ["cells", "list", "1", "--unclassified"],
        ["cells", "list", "1", "--order", "opinion", "--after", "1.0"], ["cells", "show", "1.0"],
        ["cells", "classify", "1.1", "--class", "blast"], ["cells", "undo", "1"], ["delete", "1", "--yes"],
    ):  # fmt: skip
        group = [] if words[0] == "cells" else ["slides"]
        done = CliRunner().invoke(cli, [*group, *words, "--data", str(data)])
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
        assert done.exit_code in {0, 1}, (words, done.output)
        assert done.exit_code == 0 or len(done.stderr.splitlines()) == 1, (words, done.stderr)
        assert "\x1b[2J" not in done.stdout
        if "json" in words or "--json" in words:
            for line in [done.stdout] if "json" in words else done.stdout.splitlines():
                json.loads(line or "{}", parse_constant=no_constant)
    assert all(zipfile.is_zipfile(path) for path in out.glob("*.zip"))
    strays = {path.name for path in tmp_path.iterdir()} - {"data", "in"}
    assert strays == set()
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    assert Path("/etc/passwd").exists()
