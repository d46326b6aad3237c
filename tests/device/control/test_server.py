"""The control socket: who may use it, what it does, and that no client can hurt the daemon."""

import json
import socket
import stat
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cameras.calibration import ProfileStore
from device.cli import cli
from device.control.client import ask
from device.control.handlers import ControlHandlers
from device.control.protocol import FALLBACK, REQUEST_BYTES, ControlError
from device.control.server import ControlServer
from device.session.supervisor import Part, Turn
from device.store.review.audit_trail import Action
from device.system.clock import SystemClock
from smear.output_files import printable
from tests.device.faults import DEADLINE_S, Bench


def parts(bench):
    desk = ControlHandlers(bench.feed, bench.examiner, bench.recorder, bench.faults, bench.folder, bench.clock)
    return [Part("control", ControlServer(bench.folder / FALLBACK, desk.answers()).work)]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("SMEARSCOPE_CONFIG", raising=False)
    with Bench(tmp_path / "d", parts=parts, count_once=True) as running:
        running.fields()
        running.until((tmp_path / "d" / FALLBACK).exists)
        yield running


def smearscope(bench, *words):
    return CliRunner().invoke(cli, [*words, "--data", str(bench.folder)], catch_exceptions=False)


def test_the_socket_is_for_the_owner_and_the_group(bench):
    assert stat.S_IMODE((bench.folder / FALLBACK).stat().st_mode) == 0o660


def test_status_says_how_it_goes(bench):
    found = json.loads(smearscope(bench, "status", "--json").stdout)
    assert found["fields"] >= 1
    assert (found["slide"], found["camera"], found["camera_lost"]) == ("faults", "v4l2:/dev/test", False)
    shown = smearscope(bench, "status")
    assert shown.exit_code == 0
    assert "examined in" in shown.stdout


def test_status_tells_a_lost_camera_and_exits_with_1(bench):
    bench.camera.plugged = False
    bench.until(lambda: bench.feed.lost and bool(bench.faults.current))
    shown = smearscope(bench, "status")
    assert shown.exit_code == 1
    assert "NO PICTURE" in shown.stdout
    assert "check its cable" in shown.stdout


def test_a_slide_is_started_and_ended_from_a_terminal(bench):
    assert "started: B-2" in smearscope(bench, "slide", "start", "B-2").stdout
    bench.until(lambda: bench.seen[-1].recorded.slide == "B-2")
    assert "ended" in smearscope(bench, "slide", "end").stdout
    bench.until(lambda: bench.seen[-1].recorded.slide is None)
    again = smearscope(bench, "slide", "end")
    assert again.exit_code == 1
    assert "no slide is open" in again.stderr


def test_capture_takes_a_field_from_the_running_device(bench, tmp_path):
    done = smearscope(bench, "capture", "--out", str(tmp_path / "out"), "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["label"], found["camera"]) == ("Pre", "v4l2:/dev/test")
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_scale_typed_in_is_used_from_the_next_field_on_and_named_in_its_record(bench):
    done = smearscope(bench, "calibrate", "scale", "--pixel-size-um", "0.25")
    assert done.exit_code == 0, done.stderr
    (known,), _ = ProfileStore(bench.folder).read()
    assert (known.camera, known.size, known.objective) == ("v4l2:/dev/test", (128, 96), "default")
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um == 0.25)
    assert bench.processors.corrector.applied_id == known.id


def test_the_objective_that_is_in_the_light_path_chooses_the_calibration(bench):
    for objective, scale in (("40x", "0.25"), ("100x", "0.1")):
        smearscope(bench, "calibrate", "scale", "--pixel-size-um", scale, "--objective", objective)
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um == 0.1)
    assert smearscope(bench, "calibrate", "use", "40x").exit_code == 0
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um == 0.25)
    assert smearscope(bench, "calibrate", "use", "10x").exit_code == 0
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um is None)
    bench.until(lambda: any("x, not 10x" in text for text in bench.seen[-1].warnings))
    shown = json.loads(smearscope(bench, "status", "--json").stdout)
    assert (shown["calibration"], shown["objective"]) == (None, "10x")
    assert any("is not applied" in text for text in shown["warnings"])
    assert "is not applied" in smearscope(bench, "status").stdout
    assert "is not applied" in smearscope(bench, "capture", "--out", str(bench.folder / "out")).stderr


def test_a_switched_objective_is_marked_at_the_first_field_under_it_and_each_record_carries_its_profile(bench):
    smearscope(bench, "calibrate", "scale", "--pixel-size-um", "0.25", "--objective", "40x")
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um == 0.25 and bench.seen[-1].recorded.field_id)
    assert smearscope(bench, "calibrate", "use", "100x").exit_code == 0
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um is None and bench.seen[-1].recorded.field_id)
    bench.fields(3)
    slide = bench.recorder.slide_id
    events = [each for each in bench.store.events(slide) if each.action == Action.OBJECTIVE]
    assert [(each.old, each.new) for each in events] == [(None, "40x"), ("40x", "100x")]
    (known,), _ = ProfileStore(bench.folder).read()
    first, second = (each.field_id for each in events)
    for field in bench.store.all_fields(slide):
        assert field.calibration_id == (known.id if first <= field.id < second else None)
    shown = smearscope(bench, "slides", "history", str(slide)).stdout
    assert f"objective  field {second}: 40x -> 100x" in shown


def test_a_deleted_calibration_is_not_applied_to_the_next_field(bench):
    smearscope(bench, "calibrate", "scale", "--pixel-size-um", "0.25")
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um == 0.25)
    assert "deleted" in smearscope(bench, "calibrate", "reset", "--all").stdout
    bench.until(lambda: bench.seen[-1].frame.pixel_size_um is None)


def test_a_field_with_cells_is_no_blank_field(bench):
    done = smearscope(bench, "calibrate", "white")
    assert done.exit_code == 1
    assert "not empty" in done.stderr


def test_without_a_device_it_says_how_to_start_one(tmp_path):
    done = CliRunner().invoke(cli, ["status", "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "no device is running here" in done.stderr
    with_camera = CliRunner().invoke(cli, ["calibrate", "white", "--data", str(tmp_path)])
    assert "no device is running here" in with_camera.stderr
    assert "no camera found" in with_camera.stderr


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"not json\n", "not a line of JSON"),
        (b"[1]\n", "not a JSON object"),
        (b"{}\n", "no such command"),
        (b'{"command": "reboot"}\n', "no such command"),
        (b'{"command": ["status"]}\n', "no such command"),
        (b'{"command": "slide start", "name": "\\u0007"}\n', "printable"),
        (b'{"command": "slide start", "name": 7}\n', "printable"),
        (b'{"command": "calibrate", "kind": "moon"}\n', "white, flat, scale or focus"),
        (b'{"command": "calibrate", "kind": []}\n', "white, flat, scale or focus"),
        (b'{"command": "calibrate", "kind": "use", "objective": "../x"}\n', "an objective's name has"),
        (b'{"command": "calibrate", "kind": "reset", "profile": "2020"}\n', "no calibration has an id"),
        (b'{"command": "calibrate", "kind": "scale", "pixel_size_um": -1}\n', "none of a microscope"),
        (b'{"command": "calibrate", "kind": "scale", "pixel_size_um": 1e999}\n', "no finite number"),
        (b'{"command": "calibrate", "kind": "scale", "pixel_size_um": NaN}\n', "no finite number"),
        (b'{"command": "calibrate", "kind": "scale", "pixel_size_um": 1' + b"0" * 400 + b"}\n", "too large a number"),
        (b'{"command": "capture", "jpeg_quality": "high"}\n', "whole number from 1 to 100"),
        (b'{"command": "capture", "jpeg_quality": 101}\n', "whole number from 1 to 100"),
        (b'{"command": "status"', "the line has no end"),
        (b"\xff\xfe\x00\n", "not a line of JSON"),
        (b"[" * 4000 + b"\n", "not a line of JSON"),
        (b"x" * (REQUEST_BYTES + 1), "at most"),
    ],
)
def test_a_bad_request_is_answered_and_the_daemon_goes_on(bench, sent, said):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE_S)
        client.connect(str(bench.folder / FALLBACK))
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        answer = json.loads(client.makefile("rb").readline())
    assert answer["ok"] is False
    assert said in answer["error"]
    bench.fields()


def test_the_socket_of_a_killed_daemon_is_replaced_and_the_own_one_removed(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    turn = Turn(SystemClock())
    server = ControlServer(path, {"status": lambda _: {"n": 1}})
    thread = threading.Thread(target=server.work, args=(turn,))
    turn.stop.set()
    thread.start()
    thread.join(DEADLINE_S)
    assert not path.exists()


def test_a_socket_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ControlError, match="check the owner"):
        ControlServer(tmp_path / "file" / FALLBACK, {}).work(Turn(SystemClock()))


def test_a_photograph_travels_whole(bench):
    found = ask(bench.folder, "capture", only=True)
    assert found["photograph"][:2] == b"\xff\xd8"
    assert found["overlay"][1:4] == b"PNG"


@pytest.mark.parametrize("folder", [Path(*["long" * 50] * 2), Path("gr\udcfcn"), Path("\x1b[31m")])
def test_status_works_with_any_data_path(tmp_path, monkeypatch, folder):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("SMEARSCOPE_CONFIG", raising=False)
    with Bench(tmp_path / folder, parts=parts) as running:
        running.fields()
        running.until((tmp_path / folder / FALLBACK).exists)
        for words in (["status"], ["status", "--json"]):
            done = smearscope(running, *words)
            assert done.exit_code == 0, done.stderr
            assert done.stdout.replace("\n", "").isprintable()
        assert json.loads(done.stdout)["data"] == printable(tmp_path / folder)
        assert "started" in smearscope(running, "slide", "start", "B-2").stdout


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "two\nlines", "\x1b[2J", None, 7])
def test_a_slide_name_that_is_no_line_is_refused(bench, name):
    with pytest.raises(ControlError, match="name"):
        ask(bench.folder, "slide start", only=True, name=name)
