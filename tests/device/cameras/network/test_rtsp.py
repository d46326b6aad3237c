"""RTSP: colours by any matrix, passwords that stay here, and servers that do wrong."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from device.cameras.network import rtsp
from device.cameras.registry import open_camera
from smear.errors import CameraError
from tests.device.cameras.contract.benches import RtspBench
from tests.device.cameras.contract.card import assert_card
from tests.device.cameras.network.servers import serving

FRAME_S = 10.0


@pytest.fixture
def bench(tmp_path: Path):
    made = RtspBench(tmp_path)
    if made.missing:
        pytest.skip(made.missing)
    yield made
    made.lose()


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".config/smearscope/cameras.netrc"
    path.parent.mkdir(parents=True)
    path.write_text("machine 127.0.0.1 login lab password s3cret\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "2:4:5:4"])  # the last one: BT.601 in the full range, as JPEG
def test_colours_are_right_by_every_matrix_and_range(bench: RtspBench, matrix: str) -> None:
    bench.matrix = matrix
    bench.start()
    camera = open_camera(bench.name)
    image = camera.read(FRAME_S).image
    camera.close()
    assert_card(image)


def test_a_password_from_the_file_opens_it_and_a_wrong_one_is_refused(bench: RtspBench, secret: Path) -> None:
    bench.credentials = ("lab:s3cret",)
    bench.start()
    camera = open_camera(bench.name)
    assert_card(camera.read(FRAME_S).image)
    camera.close()
    assert "s3cret" not in camera.name
    secret.write_text("machine 127.0.0.1 login lab password oth3r\n")
    with pytest.raises(CameraError, match="refuses its user name and password") as caught:
        open_camera(bench.name)
    assert "oth3r" not in str(caught.value)
    secret.unlink()
    with pytest.raises(CameraError, match="asks for a user name and password; write"):
        open_camera(bench.name)


def answering(**answers: str) -> Callable[[socket.socket, bytes], None]:
    """Answer each method with the lines given for it."""

    def answer(connection: socket.socket, request: bytes) -> None:
        while request:
            method = request.split(b" ")[0].decode()
            (sequence,) = [line for line in request.split(b"\r\n") if line.startswith(b"CSeq")]
            lines = answers.get(method, "200 OK\r\nPublic: DESCRIBE, SETUP, PLAY")
            connection.sendall(b"RTSP/1.0 " + lines.encode() + b"\r\n" + sequence + b"\r\n\r\n")
            request = connection.recv(4096)

    return answer


def test_a_redirect_is_refused_and_no_password_goes_along(secret: Path) -> None:
    with serving(answering(OPTIONS='401 No\r\nWWW-Authenticate: Basic realm="x"')) as (elsewhere, overheard):
        away = answering(DESCRIBE=f"302 Found\r\nLocation: rtsp://{elsewhere}/video")
        with serving(away) as (authority, _), pytest.raises(CameraError, match="sends the visitor on"):
            open_camera(f"rtsp://{authority}/video")
        assert overheard == []
        secret.unlink()
        with serving(away) as (authority, _), pytest.raises(CameraError, match=r"sends the visitor on|asks for a user"):
            open_camera(f"rtsp://{authority}/video")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda c, _: c.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), "does not answer in RTSP"),
        (lambda c, _: c.sendall(b"RTSP/1.0 " * 2000), "does not answer in RTSP"),
        (lambda c, _: c.recv(1), r"does not answer \(too slow\)"),
        (lambda c, _: c.sendall(b"RTSP/1.0 404 Not Found\r\n\r\n"), "answers 404"),
        (answering(DESCRIBE="200 OK\r\nContent-Length: 999999999"), "cannot be opened"),
        (answering(DESCRIBE="500 No"), "cannot be opened"),
    ],
)
def test_a_server_that_does_wrong_ends_in_an_error_in_time(
    answer: Callable[[socket.socket, bytes], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtsp, "CONNECT_S", 0.5)
    monkeypatch.setattr(rtsp, "OPEN_S", 1.0)
    with serving(answer) as (authority, _), pytest.raises(CameraError, match=said):
        open_camera(f"rtsp://{authority}/video")


def test_a_stream_that_comes_faster_than_it_is_decoded_is_noticed_and_a_drifting_clock_is_not() -> None:
    lag = rtsp._Lag()
    assert max(lag.seconds(second, 100.0 + second * 1.0005) for second in range(10_000)) < 0.1
    lag = rtsp._Lag()
    assert max(lag.seconds(second, second * 1.2) for second in range(30)) > rtsp.BEHIND_S


def test_without_pyav_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with (
        serving(answering()) as (authority, _),
        pytest.raises(CameraError, match=r"pip install 'smearscope\[network\]'"),
    ):
        open_camera(f"rtsp://{authority}/video")
