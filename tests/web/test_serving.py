"""The server as a process beside the device: live pictures, slow clients, and what its end costs the device."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import httpx
import pytest

from device.actions.base import Role
from device.cameras.calibration import ProfileStore
from device.control.handlers import ControlHandlers
from device.control.protocol import FALLBACK
from device.control.record_answers import record_answers
from device.control.server import ControlServer
from device.session.supervisor import Part
from device.settings import Settings
from tests.device.faults import DEADLINE_S, Bench
from web import live, server, shield
from web.accounts import Accounts
from web.app import create_app
from web.certificate import own_certificate
from web.server import Listening, server_of
from web.site import Site


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)

    def parts(bench):
        desk = ControlHandlers(bench.feed, bench.examiner, bench.recorder, bench.faults, bench.folder, bench.clock)
        mirror = bench.display.mirror
        screen = {"screen": lambda asked: mirror.picture(asked.get("known")),
                  "screen touch": lambda asked: mirror.touch(bench.recorder.store, asked)}  # fmt: skip
        answers = record_answers(bench.folder, Settings()) | desk.answers() | screen
        return [Part("control", ControlServer(bench.folder / FALLBACK, answers).work)]

    with Bench(tmp_path / "d", parts=parts) as running:
        running.fields()
        running.until((tmp_path / "d" / FALLBACK).exists)
        yield running


@contextmanager
def served(folder, state, certificate=None):
    """Serve `folder` in a thread; give its address and accounts."""
    accounts = Accounts(state)
    app = create_app(Site(folder, Settings(), accounts, secure=False))
    running = server_of(app, Listening("127.0.0.1", 0, certificate))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname(), accounts
        finally:
            running.should_exit = True
            thread.join(DEADLINE_S)


@pytest.fixture
def address(bench, tmp_path):
    with served(bench.folder, tmp_path / "state") as (where, accounts):
        token = accounts.add_token("t", Role.OPERATOR, 1)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{where[1]}", headers={"authorization": f"Bearer {token}"}, timeout=DEADLINE_S
        ) as client:
            yield where, client


def test_two_who_look_get_the_same_pictures_drawn_once(address, monkeypatch):
    _, client = address
    drawn = []
    monkeypatch.setattr(
        "device.control.handlers.live_picture", lambda examined: drawn.append(1) or b"\xff\xd8" + bytes(9)
    )
    with client.stream("GET", "/api/v1/live.mjpeg") as one, client.stream("GET", "/api/v1/live.mjpeg") as other:
        parts = [b"", b""]
        for first, second in zip(one.iter_bytes(), other.iter_bytes(), strict=False):
            parts = [parts[0] + first, parts[1] + second]
            if min(part.count(b"\xff\xd8") for part in parts) >= 3:
                break
        assert len(drawn) <= max(part.count(b"\xff\xd8") for part in parts) + 3
    assert client.get("/api/v1/live.jpg").content[:2] == b"\xff\xd8"
    seen = len(drawn)
    assert client.get("/api/v1/status").status_code == 200
    assert len(drawn) <= seen + 1  # nobody looks any more


def test_events_hold_the_state_and_the_newest_result(address, monkeypatch):
    _, client = address
    with client.stream("GET", "/api/v1/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        data = next(line for line in stream.iter_lines() if line.startswith("data: "))
    found = json.loads(data.removeprefix("data: "))
    assert (found["camera"], found["result"]["label"], found["result"]["number"] > 0) == ("v4l2:/dev/test", "Pre", True)
    monkeypatch.setattr(live, "VIEWERS", 0)
    assert client.get("/api/v1/events").status_code == 503
    assert client.get("/api/v1/live.jpg").status_code == 503


def test_what_the_device_does_is_asked_of_it_with_the_name_of_who_asks(address, bench):
    _, client = address
    started = client.post("/api/v1/slide/start", json={"name": "W-1", "note": "from the next room"}).json()
    assert bench.recorder.store.slide(started["slide"]).operator == "t (token)"
    assert client.post("/api/v1/slide/end", json={}).json() == {"slide": started["slide"]}
    assert client.post("/api/v1/slide/end", json={}).status_code == 409
    switched = client.post("/api/v1/calibrate", json={"kind": "use", "objective": "100x oil"}).json()
    assert (switched["objective"], switched["in use"]) == ("100x oil", None)
    assert ProfileStore(bench.folder).objective() == "100x oil"


def test_where_no_device_runs_records_are_changed_and_the_device_is_missed(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    folder, state = tmp_path / "e", tmp_path / "state"
    with Bench(folder):
        pass
    with served(folder, state) as ((_, port), accounts):
        token = accounts.add_token("t", Role.OPERATOR, 1)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {token}"}) as client:
            assert client.post("/api/v1/slides/rename", json={"slide": "1", "name": "n"}).status_code == 200
            answer = client.get("/api/v1/status")
            assert (answer.status_code, "no device is running" in answer.json()["error"]) == (409, True)
            with client.stream("GET", "/api/v1/events") as stream:
                assert "no device is running" in next(each for each in stream.iter_lines() if "data:" in each)


def test_a_stream_ends_with_the_session_of_who_looks(bench, tmp_path):
    with served(bench.folder, tmp_path / "state") as ((_, port), accounts):
        for name, role in (("ada", Role.ADMIN), ("vera", Role.VIEWER)):
            accounts.add_user(name, role, "a long password")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as client:
            client.post("/login", data={"name": "vera", "password": "a long password"})
            with client.stream("GET", "/api/v1/events") as stream:
                lines = stream.iter_lines()
                assert next(lines) == "event: result"
                accounts.remove_user("vera")
                assert sum(1 for _ in lines) < 100  # and then no more
            assert client.get("/api/v1/events").status_code == 401


def closed_by_server(connection):
    connection.settimeout(DEADLINE_S)
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_who_sends_slowly_is_cut_off_while_others_are_served(address, monkeypatch):
    where, client = address
    monkeypatch.setattr(server, "REQUEST_S", 3.0)  # also for the one who is served, on a busy machine
    monkeypatch.setattr(shield, "BODY_S", 3.0)
    slow = [socket.create_connection(where) for _ in range(50)]
    head = b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n"
    for number, each in enumerate(slow):
        each.sendall((b"", b"GET / HT", head)[number % 3])
    assert client.get("/api/v1/status").status_code == 200
    began_s = time.monotonic()
    for each in slow:
        with closing(each):
            assert closed_by_server(each)
    assert time.monotonic() - began_s < DEADLINE_S


def test_handshakes_that_hang_keep_nobody_out_and_are_cut_off(bench, tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    certificate = own_certificate(tmp_path / "state")
    known = ssl.create_default_context(cafile=certificate[0])
    with served(bench.folder, tmp_path / "state", certificate) as (where, accounts), httpx.Client(
        base_url=f"https://localhost:{where[1]}", verify=known, timeout=DEADLINE_S,
        headers={"authorization": f"Bearer {accounts.add_token('t', Role.VIEWER, 1)}"},
    ) as client, client.stream("GET", "/api/v1/events") as stream:  # fmt: skip
        lines = stream.iter_lines()
        next(lines)
        hanging = [socket.create_connection(where) for _ in range(150)]
        for each in hanging[::2]:
            each.sendall(b"\x16\x03\x01\x02\x00")  # the head of a hello
        assert client.get("/api/v1/status").status_code == 200  # on a connection of its own: the first one is busy
        next(lines)
        for each in hanging[: -server.SILENT]:
            assert closed_by_server(each)
        monkeypatch.setattr(server, "REQUEST_S", 0.1)
        late = socket.create_connection(where)
        assert closed_by_server(late)
        for each in (late, *hanging):
            each.close()


@contextmanager
def ended(process):
    """End `process` also where the test fails: leaving it to itself would wait for it without end."""
    try:
        yield
    finally:
        process.kill()


def test_a_flooded_hung_and_killed_server_costs_the_device_no_field(bench, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "device", "web", "serve", "--port", str(port), "--data", str(bench.folder),
               "--state", str(tmp_path / "state")]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "INVOCATION_ID"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process, ended(process):
        said = "".join(process.stdout.readline() for _ in range(3))
        password = re.search(r"the password (\S+)", said)[1]
        fingerprint = re.search(r"SHA-256 of the certificate: (\S+)", said)[1]
        certificate = ssl.create_default_context(cafile=str(tmp_path / "state/certificate.pem"))
        with httpx.Client(base_url=f"https://localhost:{port}", verify=certificate, timeout=DEADLINE_S) as client:
            give_up_s = time.monotonic() + DEADLINE_S
            while True:
                try:
                    answer = client.post("/login", data={"name": "admin", "password": password})
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < give_up_s
            assert answer.status_code == 303
            assert len(fingerprint.split(":")) == 32
            flood = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
            with client.stream("GET", "/api/v1/live.mjpeg") as stream:
                assert stream.status_code == 200
                bench.fields(5)
                process.send_signal(signal.SIGSTOP)
                bench.fields(5)
                process.send_signal(signal.SIGKILL)
        for each in flood:
            each.close()
    bench.fields(5)
    assert (bench.recorder.not_stored, bench.faults.current) == (0, {})
