"""`http:` and `https:`: Motion JPEG, or one JPEG for each request, as network cameras and phones give them."""

import hashlib
import http.client
import threading
import time
from collections.abc import Iterator

import numpy as np

from device.cameras.base import CameraKind, Grant, size_difference
from device.cameras.network.address import address_of, drop_in
from device.cameras.network.multipart import MAX_BYTES, Parts, StreamFault
from device.cameras.network.wire import Exchange, reason
from device.cameras.threaded_camera import live
from device.cameras.uri import CameraName
from smear.errors import CameraError, ImageError
from smear.images import read_jpeg

PICTURE_S = 10.0  # for a whole picture: a small camera on a weak radio link needs 2
POLL_S = 0.1  # between two requests for one picture each
FROZEN_S = 5.0  # the noise of a sensor makes each picture another one, also of a slide that does not move
DAMAGED = 5  # pictures one after another, then it is no camera


class HttpSource:
    """`http://HOST[:PORT]/PATH` or `https://...`."""

    def __init__(self, name: CameraName, size: tuple[int, int] | None = None) -> None:
        """Connect and wait for the first picture.

        Raises:
            CameraError: there is no answer, or not with pictures.
        """
        self._name = name.text
        self._stop = threading.Event()
        self._exchange = Exchange(address_of(name))
        self._damaged = 0
        self._last = b""
        self._changed_s = time.monotonic()
        try:
            self._pictures = self._received(self._exchange.get())
            self._first: bytes | None = next(self._pictures)
            height, width = self.to_rgb(self._first).shape[:2]
        except ImageError as error:
            self._exchange.close()
            raise CameraError(str(error)) from error
        except CameraError:
            self._exchange.close()
            raise
        self.granted = Grant((width, height), "JPEG", size_difference(self._name, size, (width, height)))

    def grab(self) -> bytes:
        """Return the next picture as JPEG; one that was sent before is passed over."""
        first, self._first = self._first, None
        return first or next(self._pictures)

    def to_rgb(self, raw: bytes) -> np.ndarray:
        """Return RGB uint8 (H, W, 3).

        Raises:
            ImageError: this picture is damaged; the next one may be sound.
            CameraError: so were those before it.
        """
        try:
            image = read_jpeg(raw).image
        except ImageError as error:
            self._damaged += 1
            said = f"camera {self._name} sent a picture that is {error}"
            raise CameraError(said) if self._damaged >= DAMAGED else ImageError(said) from error
        self._damaged = 0
        return image

    def interrupt(self) -> None:
        """End a `grab` in another thread."""
        self._stop.set()
        self._exchange.interrupt()

    def release(self) -> None:
        """Close the connection."""
        self._exchange.close()

    def _received(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        """Return the pictures of `answer` and, where it holds only one, of the next ones; without repetitions."""
        content = answer.headers.get_content_type()
        if content == "multipart/x-mixed-replace":
            sent = self._stream(answer)
        elif content in {"image/jpeg", "image/jpg"}:
            sent = self._snapshots(answer)
        else:
            raise CameraError(
                f"camera {self._name} sends no pictures but another page; open it in a browser and copy the address of "
                "the picture itself, which often ends in /video, /stream or .jpg"
            )
        return filter(self._is_new, self._guarded(sent))

    def _guarded(self, sent: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from sent
        except (OSError, http.client.HTTPException, ValueError, StreamFault) as error:
            what = str(error) if isinstance(error, StreamFault) else f"stopped sending ({reason(error)})"
            raise CameraError(f"camera {self._name} {what}; check its power and the network") from None
        raise CameraError(f"camera {self._name} ended its stream; it is opened again")

    def _stream(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        parts = Parts(answer, answer.headers.get_boundary() or "")
        while True:
            self._exchange.allow(PICTURE_S)
            yield parts.next()

    def _snapshots(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        while True:
            self._exchange.allow(PICTURE_S)
            picture = answer.read(MAX_BYTES + 1)
            if len(picture) > MAX_BYTES:
                raise StreamFault(f"sends a picture of more than {MAX_BYTES // 1_000_000} MB")
            if answer.length:
                raise StreamFault("sends less of a picture than it promises")
            yield picture
            self._stop.wait(POLL_S)
            answer = self._exchange.get()

    def _is_new(self, picture: bytes) -> bool:
        digest = hashlib.blake2b(picture).digest()
        now_s = time.monotonic()
        if digest != self._last:
            self._last, self._changed_s = digest, now_s
            return True
        if now_s - self._changed_s > FROZEN_S:
            raise CameraError(f"camera {self._name} sends the same picture again and again; switch it off and on")
        return False


def _kind(scheme: str, help_text: str) -> CameraKind:
    return CameraKind(
        name=scheme,
        help=help_text,
        usage=f"{scheme}://HOST/PATH",
        open=live(lambda name, request: HttpSource(name, request.size)),
        drop_in=drop_in,
    )


HTTP = _kind("http", "a camera in the network that sends Motion JPEG or single JPEGs: OpenFlexure, ESP32-CAM, a phone")
HTTPS = _kind("https", "the same over TLS; a certificate of your own: SSL_CERT_FILE")
