"""What holds for every format."""

import csv
import errno
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.exports.base import FileFormat
from device.exports.registry import EXPORTS, export_slide
from device.quality_control.measurements import QcMeasurement
from device.store import Store
from device.system.clock import SystemClock
from smear.errors import StoreError
from tests.device.exports.conftest import record
from tests.device.findings import finding, frame

FILES = [kind.name for kind in EXPORTS.all() if isinstance(kind, FileFormat) and kind.name != "hl7"]  # of signed slides
ZIPS = [kind.name for kind in EXPORTS.all() if isinstance(kind, FileFormat) and kind.suffix == "zip"]
SAFE = re.compile(r"(photographs/|images/|annotations/)?[a-z_]*[0-9a-f-]*"
                  r"(instances_default|fields|cells|report|manifest)?"
                  r"(\.jpg|\.zip|\.geojson|\.ome\.tif|\.tsv|\.csv|\.json|\.html)")  # fmt: skip


def slides(data: Path, *words: str) -> str:
    return CliRunner().invoke(cli, ["slides", "--data", str(data), *words]).output


@pytest.fixture
def copy(data, tmp_path):
    return Path(shutil.copytree(data, tmp_path / "copy"))


@pytest.mark.parametrize("name", ZIPS)
def test_no_name_in_a_zip_comes_from_a_person_and_every_file_has_its_checksum(exported, name):
    with zipfile.ZipFile(io.BytesIO(exported(name))) as packed:
        assert [each for each in packed.namelist() if not SAFE.fullmatch(each)] == []
        sums = json.loads(packed.read("manifest.json"))["files"]
        assert sums == {
            each: hashlib.sha256(packed.read(each)).hexdigest() for each in packed.namelist() if each != "manifest.json"
        }
        for inner in (each for each in packed.namelist() if each.endswith(".zip")):
            with zipfile.ZipFile(packed.open(inner)) as rois:
                assert all(re.fullmatch(r"[0-9.]+ [A-Za-z0-9-]+\.roi", each) for each in rois.namelist())


def test_a_zip_holds_the_quality_control_that_was_in_force(tmp_path):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("A")
        for value in (0.5, 1.0):  # of two controls
            found = QcMeasurement("slide.focus", value, True, "=L1", details={"limit": 0.3}, slide_id=slide)
            store.add_qc("ann", [found], begin=True)
        out = io.BytesIO()
        export_slide(store, slide, "zip", out)
    with zipfile.ZipFile(out) as packed:
        (row,) = csv.DictReader(io.StringIO(packed.read("qc.csv").decode()))
    assert (row["measure"], row["value"], row["passed"], row["lot"]) == ("slide.focus", "1.0", "True", "'=L1")
    assert (json.loads(row["details"]), row["operator"], row["run"]) == ({"limit": 0.3}, "ann", "2")


@pytest.mark.parametrize("name", FILES)
def test_an_export_is_of_one_moment(copy, name, monkeypatch):
    """Between its questions another process classifies a cell, records a field and deletes the slide."""
    monkeypatch.setattr(SystemClock, "wall_s", lambda _: 1_800_000_000.0)  # at which both say they were made
    before, during = io.BytesIO(), io.BytesIO()
    with Store.read(copy) as store, Store.record(copy) as other:

        def meanwhile() -> None:
            if other.slides():
                other.classify("somebody", [(1, 2)], "monocyte")
                other.delete_slide(1)

        export_slide(store, 1, name, before)
        export_slide(store, 1, name, during, step=meanwhile)
        assert other.slides() == []
    assert contents(during.getvalue()) == contents(before.getvalue())


def contents(exported: bytes) -> object:
    """What is in a file, without the names and times that each writing of a TIFF or zip has of its own."""
    if not zipfile.is_zipfile(io.BytesIO(exported)):
        return exported
    with zipfile.ZipFile(io.BytesIO(exported)) as packed:
        manifest = json.loads(packed.read("manifest.json"))
        names = list(manifest.pop("files"))
        return manifest, names, [packed.read(each) for each in names if not each.endswith((".zip", ".tif"))]


@pytest.mark.parametrize("name", ZIPS)
def test_a_photograph_that_was_removed_or_damaged_is_left_out_and_counted(copy, name):
    (photograph,) = (copy / "photographs").rglob("*.jpg")
    photograph.write_bytes(b"\xff\xd8 no picture")
    for what in ("photographs_unreadable", "photographs_removed"):
        out = io.BytesIO()
        with Store.read(copy) as store:
            export_slide(store, 1, name, out)
        with zipfile.ZipFile(out) as packed:
            pictures = [each for each in packed.namelist() if each.endswith((".jpg", ".tif"))]
            if name in {"ome-tiff", "ecotaxa"} or what == "photographs_removed":  # the others pass the bytes on
                assert pictures == []
                assert json.loads(packed.read("manifest.json"))[what] == 1
        photograph.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["zip", "json", "coco", "ecotaxa"])
def test_memory_does_not_grow_with_the_slide(tmp_path, name):
    peaks = []
    for fields in (4, 60):
        record(tmp_path / str(fields), fields)
        with Store.read(tmp_path / str(fields)) as store, (tmp_path / "out").open("wb") as out:
            tracemalloc.start()
            export_slide(store, 1, name, out)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 60 * 12_000  # a photograph is 30 kB, its pixels 37 kB


def test_an_export_that_fails_half_way_leaves_the_last_one(data, tmp_path, monkeypatch):
    def fail(store, slide_id, name, out, *_):
        out.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("device.commands.slides.export.export_slide", fail)
    (tmp_path / "slide.csv").write_text("whole")
    assert "No space left on device" in slides(
        data, "export", "1", "--format", "csv", "--out", str(tmp_path / "slide.csv")
    )
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("slide.csv", "whole")]


def test_a_format_that_is_none_and_one_that_is_a_folder_are_refused(data):
    assert "'xls' is no format of exports; write one of: zip, csv" in slides(data, "export", "1", "--format", "xls")
    with Store.read(data) as store, pytest.raises(StoreError, match="is no file"):
        export_slide(store, 1, "training", io.BytesIO())


@pytest.mark.parametrize(("name", "said"), [("csv", None), ("imagej", "'roifile'"), ("zip", "'markupsafe'")])
def test_only_a_format_that_needs_a_library_fails_without_it(data, name, said):
    """In a process of its own, which has not imported them yet."""
    words = ["slides", "--data", str(data), "export", "1", "--format", name, "--out", "-"]
    lacks = ["jinja2", "markupsafe", "roifile", "tifffile", "hl7apy"]
    code = f"import sys; sys.modules.update(dict.fromkeys({lacks})); from device.cli import cli; cli({words})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode == 0) == (said is None), done.stderr
    if said:
        assert f"'slides' needs the Python package {said}" in done.stderr.decode()


def test_a_slide_named_is_the_only_one_in_a_training_folder(tmp_path):
    with Store.record(tmp_path / "data") as store:
        for number in (1, 2):
            field = store.add_field(store.start_slide(f"slide {number}"), frame(number), finding())
            store.set_review(field, wanted=False, label="Pre")
    for words, count in ((("slide 2",), 1), ((), 2)):
        out = tmp_path / str(count)
        slides(tmp_path / "data", "export", *words, "--format", "training", "--out", str(out))
        assert len(list(out.rglob("*.jpg"))) == count


def test_a_format_gives_its_file_a_name(data, tmp_path):
    for name, file in (("geojson", "slide-1-geojson.zip"), ("csv", "slide-1.csv"), ("zip", "slide-1.zip")):
        slides(data, "export", "1", "--format", name, "--out", str(tmp_path))
        assert (tmp_path / file).is_file()
    assert len(list(csv.reader((tmp_path / "slide-1.csv").open()))) == 2
