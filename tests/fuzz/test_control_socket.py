"""Requests and bytes of any kind go to a running device's control socket: one line of answer, soon, nothing left over.

SMEARSCOPE_FUZZ=10000 sets how many; without it the same few seconds' worth every time.
"""

import json
import os
import resource
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.actions.registry import ACTIONS
from device.control.client import ask
from device.control.handlers import ControlHandlers
from device.control.protocol import FALLBACK, REQUEST_BYTES
from device.control.record_answers import record_answers
from device.control.server import ControlServer
from device.session.supervisor import Part
from device.settings import Settings
from tests.device.faults import DEADLINE_S, Bench

ASKED = os.environ.get("SMEARSCOPE_FUZZ")
EXAMPLES = int(ASKED or 200)
MOST_MEMORY_KB = 400_000
SLOW_S = 5.0  # counted, not asserted: a busy machine stops everything for so long
COMMANDS = ("status", "slide start", "slide end", "capture", "calibrate", *ACTIONS)
KEYS = (
    "command", "name", "kind", "pixel_size_um", "division_um", "jpeg_quality", "objective", "profile", "files",
    "operator", "slide", "field", "cell", "cells", "class", "limit", "after", "lot", "expected", "reason", "compare",
)  # fmt: skip
INTERESTING = (0, -1, 1, 95, 100, 101, 2**31, 2**53, 2**63, 10**400, 5e-324, 1e308, float("nan"), float("inf"), -0.0)

numbers = st.sampled_from(INTERESTING) | st.integers() | st.floats()
texts = (
    st.sampled_from(
        ["white", "flat", "scale", "focus", "use", "reset", "B-2", "\x1b[2J", "\udcff", "a\nb", "../..", ""]
    )
    | st.text()
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
requests = st.builds(
    lambda command, rest: {"command": command} | rest,
    st.sampled_from(COMMANDS) | values,
    st.dictionaries(st.sampled_from(KEYS[1:]), values, max_size=4),
)
sound = st.sampled_from(
    [{"command": command} for command in COMMANDS]
    + [
        {"command": "calibrate", "kind": kind, "pixel_size_um": 0.25}
        for kind in ("white", "flat", "scale", "focus", "use")
    ]
    + [{"command": "slide start", "name": "B-2"}, {"command": "capture", "jpeg_quality": 90}]
)
lines = st.builds(
    lambda request, plain: json.dumps(request, ensure_ascii=plain).encode("utf-8", "surrogatepass") + b"\n",
    st.one_of(sound, sound, requests, values),
    st.booleans(),
)
sound_lines = sound.map(lambda request: json.dumps(request).encode() + b"\n")
nested = st.builds(
    lambda opening, depth: opening * depth + b"\n", st.sampled_from([b"[", b'{"a":']), st.integers(1, 3000)
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Draw a request, or one that was cut, mixed with others or with bytes, or made too long; or no request at all."""
    content = bytearray(draw(st.one_of(lines, lines, lines, nested, st.binary(max_size=200))))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["bytes", "cut", "other", "long", "none"])):
            case "bytes":
                content[at:at] = draw(st.binary(max_size=8))
            case "cut":
                del content[at:]
            case "other":
                content[at:at] = draw(lines)
            case "long":
                content[at:at] = draw(st.sampled_from([b" ", b"9", b"\0", b"\xff"])) * draw(
                    st.integers(1, 2 * REQUEST_BYTES)
                )
    return bytes(content)


class Device:
    """A session on stand-ins with a real control socket, and what its clients saw."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seen: Counter[str] = Counter()
        self.slowest_s = 0.0

    def send(self, content: bytes, pieces: int, stays: bool) -> None:
        """Send `content` in some pieces, and read the answer or go away."""
        del self.bench.seen[:-10]  # each has its frame: in a long run there are thousands
        began_s = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(DEADLINE_S)
            client.connect(str(self.bench.folder / FALLBACK))
            step = max(1, -(-len(content) // pieces))
            try:
                for at in range(0, len(content), step):
                    client.sendall(content[at : at + step])
                client.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):  # answered before everything was read
                self.seen["answered early"] += 1
            if stays:
                self.check(received(client))
            else:
                self.seen["left"] += 1
        took_s = time.monotonic() - began_s
        self.slowest_s = max(self.slowest_s, took_s)
        self.seen["slow"] += took_s > SLOW_S

    def check(self, line: bytes) -> None:
        """See that `line` is one answer: what was asked for, or what was wrong with it."""
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        answer = json.loads(line)
        assert isinstance(answer["ok"], bool)
        self.seen["answered" if answer["ok"] else "refused"] += 1
        if not answer["ok"]:
            assert answer["error"].isprintable(), answer
            assert "please report" not in answer["error"], answer
            assert "no request within" not in answer["error"], (
                answer
            )  # each stream has an end: none waits for a deadline


def received(client: socket.socket) -> bytes:
    """Return all that the device sends; its files are closed."""
    parts = []
    while True:
        try:
            part, ancillary, _, _ = client.recvmsg(65536, socket.CMSG_SPACE(4 * 4))
        except ConnectionResetError:  # it left some of the request unread
            part, ancillary = b"", []
        for _, _, descriptors in ancillary:
            for (descriptor,) in struct.iter_unpack("i", descriptors):
                os.close(descriptor)
        parts.append(part)
        if not part or part.endswith(b"\n"):
            return b"".join(parts)


def open_files() -> int:
    """Return how many files are open but those of the database.

    SQLite keeps some of a closed connection for the next one, as long as another of the same process has the database
    open: to close them would drop that one's locks (POSIX).
    """
    found = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return len([each for each in found if "sqlite3" not in each])


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)

    def parts(bench: Bench) -> list[Part]:
        desk = ControlHandlers(bench.feed, bench.examiner, bench.recorder, bench.faults, bench.folder, bench.clock)
        answers = record_answers(bench.folder, Settings()) | desk.answers()
        return [Part("control", ControlServer(bench.folder / FALLBACK, answers).work)]

    with Bench(tmp_path, parts=parts, timeout_s=DEADLINE_S) as bench:
        bench.fields()
        bench.until((tmp_path / FALLBACK).exists)
        yield Device(bench)


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=ASKED is None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(st.one_of(sound_lines, sound_lines, lines, streams()), st.integers(1, 3), st.sampled_from([True] * 7 + [False]))
def every_stream_gets_one_line(device: Device, content: bytes, pieces: int, stays: bool) -> None:
    device.send(content, pieces, stays)


def test_any_bytes_get_one_line_and_leave_the_device_as_it_was(
    device: Device, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    died: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    before, threads = open_files(), threading.active_count()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    every_stream_gets_one_line(device)
    give_up_s = time.monotonic() + DEADLINE_S
    while open_files() > before or threading.active_count() > threads:  # of clients that left in the middle
        assert time.monotonic() < give_up_s, (open_files(), before, threading.enumerate())
        assert ask(device.bench.folder, "status", only=True)
    device.bench.fields()
    found = ask(device.bench.folder, "status", only=True)
    assert found is not None
    assert (found["faults"], found["not_stored"], died) == ({}, 0, [])
    assert "Traceback" not in capfd.readouterr().err
    most_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(dict(device.seen), f"slowest {device.slowest_s:.2f} s, {most_kb // 1000} MB")  # noqa: T201 - of a long run
    assert most_kb < max(MOST_MEMORY_KB, before_kb + MOST_MEMORY_KB // 4)  # what ran before may have needed more
    assert device.seen["answered"] > EXAMPLES / 50  # else nothing but the parser was tried
