"""`smearscope run`, `capture` and `doctor` from the command line, with a pipeline that always finds the same."""

import json
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from device.cli import cli
from device.store import Store
from device.store.slide_writer import SlideWriter
from smear import RESEARCH_USE_ONLY
from smear.errors import StoreError
from smear.findings import Frame
from smear.images import is_own_output, read_image, write_image
from smear.inference.frame_processor import Correction, Processed
from tests.device.findings import finding


class Always:
    """Finds Pre in every frame; `after` is called with each frame."""

    def __init__(self, after=lambda frame: None) -> None:  # type: ignore[no-untyped-def]
        self.after = after

    def process(self, frame: Frame) -> Processed:
        self.after(frame)
        return Processed(frame, finding("Pre"))

    def use(self, correction: Correction | None) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def pipeline(monkeypatch):  # type: ignore[no-untyped-def]
    always = Always()
    for command in ("run", "capture"):
        monkeypatch.setattr(f"device.commands.{command}.open_processor", lambda *_, **__: always)
    return always


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve different pictures."""
    (tmp_path / "fields").mkdir()
    for number in range(12):
        blocks = np.random.default_rng(number).integers(0, 256, (24, 24, 3), np.uint8)
        write_image(tmp_path / "fields" / f"{number}.png", np.kron(blocks, np.ones((10, 10, 1), np.uint8)))
    return tmp_path / "fields"


@pytest.fixture
def run(pipeline, folder, tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.delenv("SMEARSCOPE_CONFIG", raising=False)

    def invoke(*words, camera=f"files:{folder}"):  # type: ignore[no-untyped-def]
        display = f"png:{tmp_path / 'screen.png'}"
        where = ["--camera", camera, "--display", display, "--data", str(tmp_path / "data")]
        return CliRunner().invoke(cli, ["run", *where, *words], catch_exceptions=False)

    return invoke


def test_a_run_records_a_slide_and_says_where(run, tmp_path):
    result = run("--fields", "12", "--slide", "A-17", "--operator", "ann", "--stain", "Leishman", "--note", "thin")
    assert result.exit_code == 0, result.output
    assert "operator: ann; stain: Leishman; note: thin" in result.stdout
    assert "12 distinct fields, 12 accepted, 0 refused" in result.stdout
    assert "resemble Pre-B most" in result.stdout
    assert f"in {tmp_path / 'data'}" in result.stdout.replace("\n", "")
    assert str(tmp_path / "screen.png") in result.stdout.replace("\n", "")
    assert read_image(tmp_path / "screen.png").shape == (480, 800, 3)
    with Store.read(tmp_path / "data") as store:
        slide = store.slides()[0]
        assert (slide.name, slide.tally.accepted, slide.simulated) == ("A-17", 12, False)
        assert slide.ended_s is not None
        assert store.fields(slide.id)[0].boot_id


def test_a_folder_at_its_end_ends_the_run(run):
    result = run("--fields", "100")
    assert result.exit_code == 0, result.output
    assert "12 distinct fields" in result.stdout


def test_an_unreadable_picture_is_counted_at_the_end(run, folder):
    (folder / "3.png").write_bytes(b"x")
    result = run()
    assert result.exit_code == 1
    assert "1 pictures could not be read" in result.stderr
    assert "11 distinct fields" in result.stdout


@pytest.mark.parametrize(("number", "words", "code"), [
    (signal.SIGINT, [], 0),
    (signal.SIGINT, ["--fields", "1000"], 130),
    (signal.SIGTERM, [], 0),
])  # fmt: skip
def test_a_signal_ends_the_run_with_its_summary(run, pipeline, folder, number, words, code):
    seen = []

    def interrupt(frame: Frame) -> None:
        seen.append(frame)
        if len(seen) == 3:
            os.kill(os.getpid(), number)

    pipeline.after = interrupt
    usual = signal.getsignal(signal.SIGINT)  # ignored by what a shell started in the background
    result = run(*words, camera=f"files:{folder}?loop=1")
    assert result.exit_code == code, result.output
    assert "distinct fields" in result.stdout
    assert signal.getsignal(signal.SIGINT) is usual


def test_a_missing_camera_is_one_line(run, tmp_path):
    result = run(camera="v4l2:/dev/video99")
    assert result.exit_code == 1
    assert result.stderr.startswith("smearscope: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_second_run_on_the_same_store_is_turned_away(run, tmp_path):
    with Store.record(tmp_path / "data"):
        result = run("--fields", "1")
    assert result.exit_code == 1
    assert "another smearscope is recording" in result.stderr


def test_no_thread_is_left_behind(run):
    run("--fields", "3")
    assert [t.name for t in threading.enumerate() if t.name in {"camera", "model", "control", "bundle"}] == []


def test_capture_writes_photograph_overlay_and_result(pipeline, folder, tmp_path):
    words = ["capture", "--camera", f"files:{folder}", "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["label"], found["top"], found["level"]) == ("Pre", "Pre", "int8")
    assert found["cells"][0] == {"area_px": 95.0, "nc_ratio": 0.8, "bbox": [1, 2, 10, 12]}
    assert read_image(Path(found["image"])).shape == read_image(Path(found["overlay"])).shape == (240, 240, 3)
    assert json.loads(next((tmp_path / "out").glob("*.json")).read_text()) == found


def test_what_capture_writes_says_research_use_only(pipeline, folder, tmp_path):
    words = ["capture", "--camera", f"files:{folder}", "--out", str(tmp_path / "out"), "--json"]
    found = json.loads(CliRunner().invoke(cli, words, catch_exceptions=False).stdout)
    assert found["notice"] == RESEARCH_USE_ONLY
    assert is_own_output(Path(found["overlay"]).read_bytes()[:200])


def test_captures_three_files_are_no_stream(pipeline, folder):
    result = CliRunner().invoke(cli, ["capture", "--camera", f"files:{folder}", "--out", "-"])
    assert result.exit_code == 2
    assert "three files cannot be one stream" in result.stderr


def test_a_slides_name_that_is_not_utf8_is_recorded_as_escapes(run, tmp_path):
    result = run("--fields", "1", "--slide", os.fsdecode(b"\xff"))
    assert result.exit_code == 0, result.stderr
    with Store.read(tmp_path / "data") as store:
        assert store.slides()[0].name == r"\xff"


def test_what_cannot_be_said_of_a_slide_is_a_mistake_in_the_command(run, tmp_path):
    result = run("--fields", "1", "--note", "x" * 501)
    assert (result.exit_code, "a note has 0 to 500 printable characters" in result.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


def test_doctor_has_a_line_for_each_part_and_fails_without_a_model(folder, tmp_path):
    words = ["doctor", "--camera", f"files:{folder}", "--display", "none", "--data", str(tmp_path / "data"), "--json"]
    settings = tmp_path / "config.toml"
    settings.write_text(f'[model]\nbundle = "{tmp_path / "nowhere"}"\n')
    result = CliRunner().invoke(cli, [*words, "--config", str(settings)], catch_exceptions=False)
    checks = {check["name"]: check for check in map(json.loads, result.stdout.splitlines())}
    assert list(checks) == [
        "Python",
        "environment",
        "runtime",
        "camera",
        "camera kinds",
        "screen",
        "plugins",
        "model",
        "data folder",
        "backup",
        "board",
    ]
    assert checks["camera"]["state"] == "ok"
    assert checks["model"]["state"] == "not ok"
    assert "smearscope convert" in checks["model"]["text"]
    assert result.exit_code == 1


def test_a_terminal_that_goes_away_leaves_the_slide_open_and_the_next_run_goes_on_with_it(run, pipeline, tmp_path):
    seen = []

    def hang_up(frame: Frame) -> None:
        seen.append(frame)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGHUP)

    pipeline.after = hang_up
    usual = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and so it is by the product
    try:
        result = run("--slide", "A-17")
    finally:
        signal.signal(signal.SIGHUP, usual)
    assert result.exit_code == 0, result.output
    assert "The slide is still open" in result.stdout
    with Store.read(tmp_path / "data") as store:
        before = store.open_slide()
    assert before.tally.accepted >= 3
    pipeline.after = lambda frame: None
    result = run()
    assert "going on with slide 1 (A-17)" in result.stderr
    with Store.read(tmp_path / "data") as store:
        (slide,) = store.slides()
        assert (slide.tally.accepted, slide.tally.seen_again) == (12, before.tally.accepted)
        assert slide.ended_s is not None


def test_another_name_or_drawn_fields_do_not_go_on_with_an_open_slide(run, tmp_path):
    with Store.record(tmp_path / "data") as store:
        store.start_slide("left open", simulated=True)
    run("--fields", "1", "--slide", "another")
    with Store.record(tmp_path / "data") as store:
        assert [slide.name for slide in store.slides()] == ["another", "left open"]
        store.start_slide("open again", simulated=True)
    run("--fields", "1")
    with Store.read(tmp_path / "data") as store:
        assert len(store.slides()) == 4


def test_a_card_that_turns_read_only_in_a_run_is_one_line_and_a_summary(run, pipeline, monkeypatch):
    seen = []
    insert, end = SlideWriter.add_field, SlideWriter.end_slide

    def add_field(writer, *words, **options):  # type: ignore[no-untyped-def]
        seen.append(words)
        if len(seen) > 5:
            raise StoreError("store /data: Read-only file system; free some space, or check the disk")
        return insert(writer, *words, **options)

    def end_slide(writer, *words):  # type: ignore[no-untyped-def]
        if len(seen) > 5:
            raise StoreError("store /data: Read-only file system; free some space, or check the disk")
        end(writer, *words)

    monkeypatch.setattr(SlideWriter, "add_field", add_field)
    monkeypatch.setattr(SlideWriter, "end_slide", end_slide)
    result = run()
    assert result.exit_code == 1
    assert "5 distinct fields, 5 accepted" in result.stdout
    assert "7 fields were not stored: store /data: Read-only file system" in result.stderr
    assert "Traceback" not in result.output
    assert result.stderr.count("not stored: store") == 2  # once in the journal, once at the end
