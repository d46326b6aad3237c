"""Cameras over HTTP whose servers are slow, wrong or hostile: an error of one line, in time, in little memory."""

import base64
import functools
import io
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.cameras.network import http, multipart, wire
from device.cameras.registry import open_camera
from device.cameras.uri import parse_name
from smear.errors import CameraError, ImageError
from tests.device.cameras.contract.card import card
from tests.device.cameras.network.servers import MOTION, part, response, serving

PATIENCE_S = 10.0
Send = Callable[[socket.socket], None]


def jpeg(count: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(card(size, count)).save(file, "JPEG", quality=90)
    return file.getvalue()


@functools.cache
def bomb() -> bytes:
    """Return a JPEG of a few kilobytes that unpacks to 190 MB."""
    file = io.BytesIO()
    Image.new("L", (8000, 8000)).save(file, "JPEG", quality=1)
    return file.getvalue()[:20_000]


def drip(connection: socket.socket, byte: bytes) -> None:
    while True:
        connection.sendall(byte)
        threading.Event().wait(0.05)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb()  # now, and not while the server should answer
    monkeypatch.setattr(wire, "CONNECT_S", 1.0)
    monkeypatch.setattr(http, "PICTURE_S", 2.0)
    monkeypatch.setattr(http, "FROZEN_S", 0.5)


def read_until_lost(name: str) -> None:
    camera = open_camera(name)
    try:
        while True:
            with suppress(ImageError):
                camera.read(PATIENCE_S)
    finally:
        camera.close()


def fail(send: Send) -> str:
    """Open a camera whose server does `send`, read it until it is lost; return the error's text."""
    with serving(lambda connection, _: send(connection)) as (authority, _):
        began = time.monotonic()
        with pytest.raises(CameraError) as caught:
            read_until_lost(f"http://{authority}/video")
        assert time.monotonic() - began < PATIENCE_S
    assert "\n" not in str(caught.value)
    return str(caught.value)


def forever(connection: socket.socket, chunk: bytes) -> None:
    while True:
        connection.sendall(chunk)


FAULTS: dict[str, tuple[Send, str]] = {
    "says nothing": (lambda c: drip(c, b""), "does not answer (too slow)"),
    "a header that never ends": (lambda c: drip(c, b"X"), "does not answer (too slow)"),
    "headers that never end": (lambda c: forever(c, b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100), "(not in HTTP)"),
    "another protocol": (lambda c: c.sendall(b"SSH-2.0-OpenSSH\r\n\r\n"), "(not in HTTP)"),
    "closes at once": (lambda c: None, "does not answer"),
    "a page": (lambda c: c.sendall(response(body=b"<p>hello", Content_Type="text/html")), "sends no pictures"),
    "not found": (lambda c: c.sendall(response("404 \x1b[2J")), "answers 404 Not Found"),
    "packed": (
        lambda c: c.sendall(response(body=b"x", Content_Type="image/jpeg", Content_Encoding="gzip")),
        "packed by gzip",
    ),
    "a redirect elsewhere": (
        lambda c: c.sendall(response("302 Found", Location="http://198.51.100.1/video?key=hidden")),
        "sends the visitor on to http://198.51.100.1/video; give",
    ),
    "a part without end": (
        lambda c: (c.sendall(MOTION + b"--frame\r\n\r\n"), forever(c, b"x" * 65_536)),
        "without end",
    ),
    "a part that drips": (lambda c: (c.sendall(MOTION + part(jpeg(), 9999)), drip(c, b"x")), "(too slow)"),
    "no part": (lambda c: (c.sendall(MOTION), forever(c, b"x" * 65_535 + b"\n")), "sends no pictures in its stream"),
    "a length beyond all bounds": (
        lambda c: c.sendall(MOTION + b"--frame\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n"),
        "announces a picture of a size",
    ),
    "a negative length": (lambda c: c.sendall(MOTION + part(jpeg(), -5)), "ended its stream"),
    "part headers without end": (
        lambda c: (c.sendall(MOTION + b"--frame\r\n"), forever(c, b"A: b\r\n")),
        "(not in HTTP)",
    ),
    "cut off": (lambda c: c.sendall(MOTION + part(jpeg(), 99_999)), "ended its stream within a picture"),
    "less than a snapshot's length": (
        lambda c: c.sendall(response(body=jpeg(), Content_Type="image/jpeg", Content_Length="99999")),
        "less of a picture than it promises",
    ),
    "a snapshot without end": (
        lambda c: (c.sendall(response(Content_Type="image/jpeg")), forever(c, b"x" * 65_536)),
        "more than 32 MB",
    ),
    "no JPEG": (lambda c: c.sendall(MOTION + part(b"GIF89a") * 9), "not a JPEG"),
    "a bomb": (lambda c: c.sendall(MOTION + part(bomb()) * 9), "sent a picture that is"),
}


@pytest.mark.parametrize(("send", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_server_that_does_wrong_ends_in_an_error_in_time(send: Send, said: str) -> None:
    assert said in fail(send)


def test_a_picture_that_is_sent_again_and_again_is_given_once_and_then_the_camera_is_frozen() -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(MOTION)
        while True:
            connection.sendall(part(jpeg()))
            threading.Event().wait(0.02)

    with serving(lambda connection, _: send(connection)) as (authority, _):
        camera = open_camera(f"http://{authority}/")
        assert camera.read(PATIENCE_S).sequence == 0
        with pytest.raises(CameraError, match="sends the same picture again and again"):
            camera.read(PATIENCE_S)
        camera.close()


def test_one_damaged_picture_is_said_and_the_next_one_is_given() -> None:
    whole = jpeg(1)
    send = MOTION + part(jpeg(0)) + part(whole[:-300]) + part(jpeg(2))
    with serving(lambda connection, _: (connection.sendall(send), threading.Event().wait(2))[0]) as (authority, _):
        source = http.HttpSource(parse_name(f"http://{authority}/"))
        assert source.to_rgb(source.grab()).shape == (48, 64, 3)
        with pytest.raises(ImageError, match="sent a picture that is damaged or truncated"):
            source.to_rgb(source.grab())
        assert source.to_rgb(source.grab()).shape == (48, 64, 3)
        source.release()


@pytest.mark.parametrize("told", [-40, 40, None])
def test_pictures_of_a_server_that_counts_wrong_or_not_at_all_are_found_again(told: int | None) -> None:
    pictures = [jpeg(count) for count in range(3)]
    if told is None:
        body = b"".join(b"--frame\r\n\r\n" + picture + b"\r\n" for picture in pictures) + b"--frame\r\n"
    else:
        body = part(pictures[0], len(pictures[0]) + told) + b"".join(map(part, pictures[1:]))
    parts = multipart.Parts(io.BytesIO(body), "--frame")
    found = [parts.next(), parts.next()]
    assert found[-1] in pictures[1:]


def test_a_size_that_changes_in_the_stream_ends_it() -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(MOTION + part(jpeg(0)))
        threading.Event().wait(0.1)
        for count in range(50):
            connection.sendall(part(jpeg(count, (96, 64))))
            threading.Event().wait(0.02)

    assert "changed from 64x48 to 96x64" in fail(send)


def test_a_picture_without_end_takes_no_more_memory_than_the_largest_one() -> None:
    tracemalloc.start()
    fail(FAULTS["a part without end"][0])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * multipart.MAX_BYTES


def test_chunks_are_put_together() -> None:
    stream = part(jpeg(0)) + part(jpeg(1))
    body = b"".join(
        b"%x\r\n%s\r\n" % (len(stream[i : i + 100]), stream[i : i + 100]) for i in range(0, len(stream), 100)
    )
    head = MOTION.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    with serving(lambda connection, _: connection.sendall(head + body)) as (authority, _):
        source = http.HttpSource(parse_name(f"http://{authority}/"))
        assert [source.grab(), source.grab()] == [jpeg(0), jpeg(1)]
        source.release()


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".config/smearscope/cameras.netrc"
    path.parent.mkdir(parents=True)
    path.write_text('machine 127.0.0.1 login lab password "s3cret word"\n')
    path.chmod(0o600)
    return path


def sent_authorization(request: bytes) -> str:
    lines = request.decode().split("\r\n")
    return next((line.partition(": ")[2] for line in lines if line.startswith("Authorization: ")), "")


def guarded(challenge: str) -> Callable[[socket.socket, bytes], None]:
    def answer(connection: socket.socket, request: bytes) -> None:
        if not sent_authorization(request):
            connection.sendall(response("401 Unauthorized", WWW_Authenticate=challenge))
        else:
            connection.sendall(MOTION + part(jpeg()))

    return answer


def test_a_password_is_sent_only_when_asked_for_and_never_shown(secret: Path) -> None:
    with serving(guarded('Basic realm="x"')) as (authority, requests):
        camera = open_camera(f"http://{authority}/")
        camera.close()
    sent = [sent_authorization(request) for request in requests]
    assert sent == ["", "Basic " + base64.b64encode(b"lab:s3cret word").decode()]
    assert "s3cret" not in camera.name


def test_digest_keeps_the_password_to_itself(secret: Path) -> None:
    with serving(guarded('Digest realm="x", nonce="n", qop="auth", algorithm=MD5')) as (authority, requests):
        open_camera(f"http://{authority}/a?b=c").close()
    sent = sent_authorization(requests[1])
    assert sent.startswith("Digest ")
    assert 'username="lab"' in sent
    assert 'uri="/a?b=c"' in sent
    assert b"s3cret" not in b"".join(requests)


@pytest.mark.parametrize(
    "challenge", ["Digest realm", "Digest realm=", 'Digest realm="x"', "Digest algorithm=ROT13,nonce=n,realm=x"]
)
def test_a_challenge_that_makes_no_sense_is_an_error(secret: Path, challenge: str) -> None:
    with (
        serving(lambda c, _: c.sendall(response("401 No", WWW_Authenticate=challenge))) as (authority, _),
        pytest.raises(CameraError, match=r"unknown way|not in HTTP|refuses its user name"),
    ):
        open_camera(f"http://{authority}/")


def test_a_redirect_that_repeats_the_password_is_not_shown(secret: Path) -> None:
    with (
        serving(lambda c, asked: c.sendall(response("302 No", Location=asked.split()[1].decode()))) as (authority, _),
        pytest.raises(CameraError, match="sends the visitor on to another address") as raised,
    ):
        open_camera(f"http://{authority}/{{user}}/{{password}}/v")
    assert "s3cret" not in str(raised.value)


def test_placeholders_in_the_address_are_filled_from_the_file_and_not_in_its_name(secret: Path) -> None:
    with serving(lambda c, _: c.sendall(MOTION + part(jpeg()))) as (authority, requests):
        camera = open_camera(f"http://{authority}/v?user={{user}}&pwd={{password}}")
        frame = camera.read(PATIENCE_S)
        camera.close()
    assert requests[0].startswith(b"GET /v?user=lab&pwd=s3cret%20word HTTP/1.1\r\n")
    assert "s3cret" not in frame.source


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("machine 127.0.0.1 login lab password s3cret", 0o644, "may be read by others; `chmod 600"),
        ("password s3cret", 0o600, "line 1 is not understood"),
        ("\xff", 0o600, "is not understood"),
    ],
)
def test_a_file_that_others_read_or_nobody_understands_is_refused(
    secret: Path, text: str, mode: int, said: str
) -> None:
    secret.write_bytes(text.encode("latin-1"))
    secret.chmod(mode)
    with pytest.raises(CameraError, match=said) as caught:
        open_camera("http://127.0.0.1:9/")
    assert "s3cret" not in str(caught.value)


def test_without_a_file_it_says_what_to_write_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        serving(guarded('Basic realm="x"')) as (authority, _),
        pytest.raises(CameraError, match=r"write `machine 127.0.0.1 login NAME password PASSWORD` to /etc/smearscope"),
    ):
        open_camera(f"http://{authority}/")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the command openssl")
def test_tls_needs_a_certificate_that_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(MOTION + part(jpeg(0)) + part(jpeg(1)))

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = f"https://127.0.0.1:{server.server_port}/"
    with pytest.raises(CameraError, match="certificate verify failed"):
        open_camera(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    camera = open_camera(name)
    assert np.ptp(camera.read(PATIENCE_S).image) > 100
    camera.close()
    server.shutdown()
    server.server_close()
