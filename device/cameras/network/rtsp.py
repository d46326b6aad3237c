"""`rtsp:`: IP cameras, through PyAV, whose FFmpeg says by which matrix and range a camera's colours are coded."""

import math
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np

from device.cameras.base import CameraKind, Grant, size_difference
from device.cameras.network.address import Address, Credentials, address_of, credentials_for, drop_in, no_credentials
from device.cameras.network.wire import CONNECT_S, Wire, no_answer
from device.cameras.threaded_camera import live
from device.cameras.uri import CameraName
from smear.errors import CameraError
from smear.images import MAX_PIXELS

OPEN_S = 8.0  # until the first key frame, of which some cameras send one in four seconds
READ_S = 2.0  # between two packets; it cannot be interrupted, so it is as long as closing waits
BEHIND_S = 3.0  # of pictures that are decoded more slowly than they come
_DRIFT = 0.001
_HD_LINES = 720  # from here on a stream that does not say is taken to be coded by BT.709, as players do
_BT601, _BT709, _NOT_SAID = 5, 1, 2  # AVColorSpace
_OPTIONS = {
    "rtsp_transport": "tcp",  # what is lost on the way is sent again: no half of a picture
    "protocol_whitelist": "rtsp,rtp,tcp",  # wherever a server sends us, it is no file
    "analyzeduration": "500000",
    "fflags": "nobuffer",
}
_ANSWER_BYTES = 8192
_UNAUTHORIZED = 401
_REDIRECTS = "sends the visitor on to another address; give that one itself"


class RtspSource:
    """`rtsp://HOST[:PORT]/PATH`."""

    def __init__(self, name: CameraName, size: tuple[int, int] | None = None) -> None:
        """Connect and wait for the first picture.

        Raises:
            CameraError: PyAV is not installed, there is no answer, or no picture in it.
        """
        self._name = name.text
        self._av = KIND.load(name)
        address = address_of(name)
        credentials = credentials_for(address)
        guarded = _answer_of(address, "OPTIONS" if credentials is None else "DESCRIBE") == _UNAUTHORIZED
        self._container = _opened(self._av, address, credentials if guarded else None)
        try:
            self._pictures = self._decoded()
            self._first = next(self._pictures)
        except CameraError:
            self._container.close()
            raise
        granted = (self._first.width, self._first.height)
        codec = self._container.streams.video[0].codec_context.name
        self.granted = Grant(granted, codec, size_difference(self._name, size, granted))

    def grab(self) -> Any:
        """Return the next picture, as PyAV's `VideoFrame`."""
        first, self._first = self._first, None
        return first or next(self._pictures)

    def to_rgb(self, raw: Any) -> np.ndarray:
        """Return RGB uint8 (H, W, 3), by the matrix and range that the stream names."""
        matrix = int(raw.colorspace)
        if matrix == _NOT_SAID:
            matrix = _BT709 if raw.height >= _HD_LINES else _BT601
        return np.asarray(raw.to_ndarray(format="rgb24", src_colorspace=matrix))

    def release(self) -> None:
        """Close the connection, and end the threads of the decoder, which live as long as anybody holds it."""
        self._container.close()
        del self._container, self._pictures

    def _decoded(self) -> Iterator[Any]:
        """Return the pictures, without damaged ones and repetitions, which keep their time stamp."""
        last, lag = None, _Lag()
        try:
            for picture in self._container.decode(video=0):
                if picture.is_corrupt or (picture.pts is not None and picture.pts == last):
                    continue
                last = picture.pts
                if lag.seconds(picture.time, time.monotonic()) > BEHIND_S:
                    raise CameraError(
                        f"camera {self._name} sends more than this machine can decode; choose a smaller size or rate"
                    )
                yield picture
        except self._av.error.FFmpegError as error:
            raise CameraError(
                f"camera {self._name} stopped sending ({error.strerror}); check its power and the network"
            ) from None  # its text holds the password
        raise CameraError(f"camera {self._name} ended its stream; open it again")


class _Lag:
    """How late a picture is, against the fastest one so far; the clock of a camera drifts by less than a thousandth."""

    def __init__(self) -> None:
        self._least_s = math.inf
        self._at_s = 0.0

    def seconds(self, sent_s: float | None, now_s: float) -> float:
        """Return the lag of a picture of the stream's time `sent_s`; None counts as none."""
        if sent_s is None:
            return 0.0
        self._least_s = min(self._least_s + (now_s - self._at_s) * _DRIFT, now_s - sent_s)
        self._at_s = now_s
        return now_s - sent_s - self._least_s


def _answer_of(address: Address, method: str) -> int:
    """Return what the camera answers to `method` without a password, which FFmpeg would carry along a redirect.

    Raises:
        CameraError: no answer of RTSP, a redirect, or a refusal.
    """
    url = f"rtsp://{_authority(address)}{address.path.partition('?')[0]}"
    request = f"{method} {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: smearscope\r\n\r\n"
    try:
        with socket.create_connection((address.host, address.port), CONNECT_S) as connection:
            connection.sendall(request.encode("ascii"))
            line = Wire(connection, CONNECT_S).makefile().readline(_ANSWER_BYTES)
    except OSError as error:
        raise CameraError(f"camera {address.name} {no_answer(address, error)}") from None
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"RTSP/") or not rest[:3].isdigit():
        raise CameraError(f"camera {address.name} does not answer in RTSP; check its port")
    status = int(rest[:3])
    if 300 <= status < 400:
        raise CameraError(f"camera {address.name} {_REDIRECTS}")
    if status not in {200, _UNAUTHORIZED}:
        raise CameraError(f"camera {address.name} answers {status}; check the part of the address after its host")
    return status


def _opened(av: Any, address: Address, credentials: Credentials | None) -> Any:
    user = f"{quote(credentials.user, safe='')}:{quote(credentials.password, safe='')}@" if credentials else ""
    url = f"rtsp://{user}{_authority(address)}{address.requested(credentials)}"
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    with av.logging.Capture(local=False) as said:
        try:
            container = av.open(url, options=_OPTIONS, timeout=(OPEN_S, READ_S))
        except av.error.HTTPUnauthorizedError:
            what = "refuses its user name and password" if credentials else no_credentials(address.host)
            raise CameraError(f"camera {address.name} {what}") from None
        except av.error.FFmpegError as error:  # whose text holds the password
            raise CameraError(f"camera {address.name} cannot be opened ({error.strerror})") from None
        finally:
            av.logging.set_level(level)
    redirected = any("Redirecting to" in text for _, _, text in said)
    if redirected or not container.streams.video:
        container.close()
        what = _REDIRECTS if redirected else "sends no pictures; check the part of the address after its host"
        raise CameraError(f"camera {address.name} {what}")
    container.streams.video[0].codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return container


def _authority(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"


KIND = CameraKind(
    name="rtsp",
    help="an IP camera in the network",
    usage="rtsp://HOST/PATH",
    open=live(lambda name, request: RtspSource(name, request.size)),
    drop_in=drop_in,
    module="av",
    install="pip install 'smearscope[network]'",
)
