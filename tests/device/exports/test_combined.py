"""One table of several exports: each slide of each device once, from its newest export; contradictions are named."""

import csv
import io
import json
import shutil
import zipfile

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.exports.registry import export_slide
from device.store import Store
from device.system.clock import SystemClock
from tests.device.findings import finding, frame


@pytest.fixture
def export(tmp_path, monkeypatch):
    """Add a field to the slide of a device and export it at a time."""

    def made(device: str, at_s: float, out: str, seed: int = 0) -> str:
        monkeypatch.setattr(SystemClock, "wall_s", lambda _: at_s)
        with Store.record(tmp_path / device) as store:
            slide = store.open_slide()
            number = slide.id if slide else store.start_slide(f"of {device}")
            with_fields = sum(1 for _ in store.all_fields(number))
            store.add_field(number, frame(with_fields + seed), finding())
            with (tmp_path / out).open("wb") as file:
                export_slide(store, number, "zip", file)
        return str(tmp_path / out)

    return made


def combine(*words: str, code: int = 0) -> tuple[str, str]:
    ran = CliRunner().invoke(cli, ["slides", "combine", *words])
    assert ran.exit_code == code, ran.output
    return ran.stdout, ran.stderr


def rows(*words: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(combine(*words)[0])))


def test_each_slide_is_there_once_from_its_newest_export_in_any_order(export):
    older, newer, other = export("a", 10, "1.zip"), export("a", 20, "2.zip"), export("b", 5, "3.zip")
    found = rows(newer, other, older, newer)
    assert sorted(row["slide"] for row in found) == ["of a", "of a", "of b"]
    assert len({(row["device"], row["slide_id"], row["id"]) for row in found}) == 3
    assert len(rows(older, other)) == 2
    assert len(rows(older, newer, "--table", "cells")) == 4


def test_json_has_the_values_of_the_csv_with_their_types(export, tmp_path):
    paths = export("a", 10, "1.zip"), export("b", 10, "2.zip")
    combine(*paths, "--json", "--out", str(tmp_path / "all.json"))
    found = [json.loads(line) for line in (tmp_path / "all.json").read_text().splitlines()]
    assert [row["slide"] for row in found] == [row["slide"] for row in rows(*paths)]
    row = found[0]
    assert (row["width"], row["keep"], row["pixel_size_um"], row["label"]) == (64, False, None, "Pre")
    assert isinstance(row["device"], str)


def test_a_restored_device_that_went_on_beside_the_first_is_a_conflict(export, tmp_path):
    export("a", 10, "1.zip")
    shutil.copytree(tmp_path / "a", tmp_path / "restored")
    first = export("a", 20, "2.zip", seed=2)
    second = export("restored", 30, "3.zip", seed=3)
    assert "is two slides" in combine(first, second, code=1)[1]


def altered(path: str, out: str, **head: object) -> str:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                content = json.dumps(json.loads(content) | head).encode()
            new.writestr(name, content)
    return out


@pytest.mark.parametrize(("head", "said"), [
    ({"started_s": 7.0}, "is two slides"), ({"files": {"fields.csv": "other"}}, "neither is the newer"),
])  # fmt: skip
def test_exports_that_contradict_each_other_are_named_and_nothing_is_written(export, tmp_path, head, said):
    first = export("a", 10, "1.zip")
    second = altered(first, str(tmp_path / "2.zip"), **head)
    _, error = combine(first, second, "--out", str(tmp_path / "all.csv"), code=1)
    assert all(text in error for text in (said, first, second))
    assert not (tmp_path / "all.csv").exists()


def test_columns_that_an_older_version_lacked_are_empty(export, tmp_path):
    new, path = export("a", 10, "1.zip"), export("b", 10, "2.zip")
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(tmp_path / "old.zip", "w") as old:
        old.writestr("manifest.json", packed.read("manifest.json"))
        lines = csv.reader(io.StringIO(packed.read("fields.csv").decode()))
        old.writestr("fields.csv", "\n".join(",".join(line[:5]) for line in lines))
    found = rows(str(tmp_path / "old.zip"), new)
    assert sorted(row["label"] for row in found) == ["", "Pre"]


@pytest.mark.parametrize("content", [None, b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_export_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "x.zip").write_bytes(content)
    assert "x.zip is missing, damaged or no zip" in combine(str(tmp_path / "x.zip"), code=1)[1]
