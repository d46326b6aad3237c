"""Many clients of one control socket: idle, slow, greedy and gone, none of them keeps another one out."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from device.control import server as control_server
from device.control.client import ask
from device.control.protocol import FALLBACK, ControlError, message_line
from device.control.server import AT_ONCE, CLIENTS, HELD, Answer, ControlServer
from device.session.supervisor import Turn
from device.system.clock import SystemClock
from tests.device.faults import DEADLINE_S

LONG = 4_000_000  # bytes of a photograph


class Desk:
    """Answers of a device that has no camera: `capture` and `wait` last until `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)

    def answers(self) -> dict[str, Answer]:
        return {
            "status": lambda _: {"fields": 7},
            "capture": lambda _: {"photograph": bytes(LONG), "overlay": b"o", "camera": "none"},
            "talk": lambda _: {"words": "x" * LONG},
            "wait": self.wait,
        }

    def wait(self, _: Mapping[str, object]) -> dict[str, object]:
        self.begun.release()
        assert self.go_on.wait(DEADLINE_S)
        return {"waited": True}


class Serving:
    """One server in a thread, and clients that are closed at the end."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.folder, self.desk, self._opened = folder, Desk(), opened
        turn = Turn(SystemClock())
        thread = threading.Thread(target=ControlServer(folder / FALLBACK, self.desk.answers()).work, args=(turn,))
        thread.start()
        opened.callback(thread.join, DEADLINE_S)
        opened.callback(turn.stop.set)
        opened.callback(self.desk.go_on.set)
        while ask(folder, "status", only=True) is None:
            assert thread.is_alive()

    def client(self, sent: bytes = b"") -> socket.socket:
        connection = self._opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        connection.settimeout(DEADLINE_S)
        connection.connect(str(self.folder / FALLBACK))
        connection.sendall(sent)
        return connection

    def asking(self, command: str) -> socket.socket:
        return self.client(message_line({"command": command}))

    def status(self) -> int:
        found = ask(self.folder, "status", only=True)
        assert found is not None
        return int(found["fields"])


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    with ExitStack() as opened:
        yield Serving(tmp_path, opened)


def said(connection: socket.socket) -> str:
    """Return the error that `connection` was sent, and see that it was the last thing."""
    with connection.makefile("rb") as lines:
        answer = json.loads(lines.readline())
        assert lines.read() == b""
    assert answer["ok"] is False
    return str(answer["error"])


def nothing_came(connection: socket.socket) -> bool:
    """Tell whether `connection` is open and was sent nothing."""
    connection.setblocking(False)
    try:
        connection.recv(1)
    except BlockingIOError:
        return True
    return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def received_files(connection: socket.socket) -> list[int]:
    _, files, _, _ = socket.recv_fds(connection, 65536, 4)
    assert files
    return list(files)


def wait_for(holds: Callable[[], bool], serving: Serving) -> None:
    """See that the server comes to `holds`; asked again after each of its rounds."""
    give_up_s = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < give_up_s
        serving.status()


def test_fifty_silent_and_slow_clients_do_not_delay_a_status(serving: Serving) -> None:
    slow = [serving.client(b'{"comm' if number % 2 else b"") for number in range(50)]
    for client in slow[1::2]:
        client.sendall(b"a")
        assert serving.status() == 7
    assert all(nothing_came(client) for client in slow)  # so the answers waited for none of their deadlines


def test_one_client_too_many_takes_the_place_of_the_longest_silent_one(serving: Serving) -> None:
    idle = [serving.client() for _ in range(CLIENTS)]
    assert serving.status() == 7
    assert "clients; ask again" in said(idle[0])
    assert all(nothing_came(client) for client in idle[1:])


def test_who_sends_no_request_is_cut_off(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "REQUEST_S", 0.05)
    assert "no request within" in said(serving.client(b"{"))


def test_what_takes_long_keeps_nobody_out_and_is_bounded(serving: Serving) -> None:
    waiting = [serving.asking("wait") for _ in range(AT_ONCE)]
    for _ in waiting:
        assert serving.desk.begun.acquire(timeout=DEADLINE_S)
    assert serving.status() == 7
    with pytest.raises(ControlError, match="busy with 2 other requests"):
        ask(serving.folder, "wait", only=True)
    serving.desk.go_on.set()
    for client in waiting:
        assert json.loads(client.makefile("rb").readline())["waited"] is True
    assert ask(serving.folder, "wait", only=True) == {"waited": True}


def test_who_does_not_take_the_answer_is_let_go(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "READ_S", 0.05)
    slow = [serving.asking("talk") for _ in range(AT_ONCE)]
    assert serving.status() == 7
    for client in slow:
        with client.makefile("rb") as sent:
            assert len(sent.read()) <= LONG + 100  # ends, whole or not


def test_a_long_answer_comes_whole_to_who_takes_it(serving: Serving) -> None:
    with pytest.raises(ControlError, match="at most"):
        ask(serving.folder, "talk", only=True)
    with serving.asking("talk").makefile("rb") as sent:
        assert len(json.loads(sent.read())["words"]) == LONG


def test_a_photograph_comes_as_a_file_in_memory_that_cannot_be_written_to(serving: Serving) -> None:
    found = ask(serving.folder, "capture", only=True)
    assert found == {"photograph": bytes(LONG), "overlay": b"o", "camera": "none"}
    client = serving.asking("capture")
    photograph, overlay = received_files(client)
    with pytest.raises(PermissionError):
        os.pwrite(photograph, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(overlay, 2)
    for descriptor in (photograph, overlay):
        os.close(descriptor)


def test_a_client_that_keeps_a_file_keeps_no_memory_of_the_device(serving: Serving) -> None:
    client = serving.asking("capture")
    photograph, _ = files = received_files(client)
    assert os.fstat(photograph).st_size == LONG
    client.close()
    wait_for(lambda: os.fstat(photograph).st_size == 0, serving)
    for descriptor in files:
        os.close(descriptor)


def test_files_that_nobody_lets_go_of_are_taken_back_for_the_next_client(serving: Serving) -> None:
    held = [(client := serving.asking("capture"), received_files(client)) for _ in range(HELD)]
    assert all(os.fstat(files[0]).st_size == LONG for _, files in held)
    _, newest = last = serving.asking("capture"), received_files(serving.asking("capture"))
    assert os.fstat(newest[0]).st_size == LONG
    assert os.fstat(held[0][1][0]).st_size == 0
    for _, files in [*held, last]:
        for descriptor in files:
            os.close(descriptor)


def test_a_client_that_leaves_before_its_answer_costs_nothing(serving: Serving) -> None:
    before = open_files()
    for command in ("capture", "wait", "talk", "status"):
        serving.asking(command).close()
    assert serving.desk.begun.acquire(timeout=DEADLINE_S)
    serving.desk.go_on.set()
    assert ask(serving.folder, "capture", only=True)
    wait_for(lambda: open_files() <= before, serving)


def test_a_device_that_stops_in_the_middle_of_an_answer_is_one_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / FALLBACK))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b'{"ok": tr')

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ControlError, match="went away in the middle"):
            ask(tmp_path, "status", only=True)
        thread.join(DEADLINE_S)
