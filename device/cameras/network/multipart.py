"""Motion JPEG: the parts of a `multipart/x-mixed-replace` stream, within bounds, from servers that count badly."""

import http.client
import io

MAX_BYTES = 32_000_000  # of one picture: 50 megapixels in 5 bits each
_CHUNK = 65_536


class StreamFault(Exception):
    """The stream is not what it must be; the text goes on after "camera NAME "."""


class Parts:
    """One stream, of which `boundary` is what its header says; empty: the first line that may be one."""

    def __init__(self, stream: io.BufferedIOBase, boundary: str) -> None:
        self._stream = stream
        bare = boundary.encode("ascii", "replace")
        self._marks = {b"--" + bare, bare} if bare else set[bytes]()  # many a server writes the dashes into its header
        self._at_part = False  # its boundary has been read

    def next(self) -> bytes:
        """Return the next picture; what lies between two parts, as after a wrong length, is passed over.

        Raises:
            StreamFault: a part without end, or the stream is at its end.
            HTTPException: headers without end.
        """
        passed = 0
        while not self._at_part:
            line = self._line()
            passed += len(line)
            self._at_part = self._is_mark(line)
            if passed > MAX_BYTES:
                raise StreamFault("sends no pictures in its stream")
        self._at_part = False
        length = self._length()
        if length is None:
            return self._until_mark()
        picture = self._stream.read(length)
        if len(picture) < length:
            raise StreamFault("ended its stream within a picture")
        return picture

    def _length(self) -> int | None:
        """Read the headers of a part; return what they say of its length."""
        told = http.client.parse_headers(self._stream).get("Content-Length", "").strip()
        if not told.isdecimal():
            return None
        if not 0 < int(told) <= MAX_BYTES:
            raise StreamFault("announces a picture of a size that none has")
        return int(told)

    def _until_mark(self) -> bytes:
        """Return what comes before the next boundary, which arrives with the next picture: one picture late."""
        picture = bytearray()
        begins = True  # of a line
        while len(picture) <= MAX_BYTES:
            line = self._line()
            if begins and self._is_mark(line):
                self._at_part = True
                return bytes(picture.removesuffix(b"\r\n"))
            begins = line.endswith(b"\n")
            picture += line
        raise StreamFault(f"sends a picture without end, of more than {MAX_BYTES // 1_000_000} MB")

    def _is_mark(self, line: bytes) -> bool:
        bare = line.rstrip(b"\r\n")
        if not self._marks and bare.startswith(b"--"):
            self._marks = {bare}
        return bare in self._marks

    def _line(self) -> bytes:
        line = self._stream.readline(_CHUNK)
        if not line:
            raise StreamFault("ended its stream")
        return line
