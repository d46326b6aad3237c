"""Python's HTTP server with FFmpeg's multiplexer of Motion JPEG, and with single JPEGs: PORT WIDTH HEIGHT FPS."""

import contextlib
import io
import itertools
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
from PIL import Image

from tests.device.cameras.contract.card import card

port, width, height, fps = (int(word) for word in sys.argv[1:])


counts = itertools.count()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with contextlib.suppress(OSError, av.error.FFmpegError):
            if self.path.endswith(".jpg"):
                self.snapshot()
            else:
                self.stream()

    def snapshot(self):
        time.sleep(1 / fps)
        data = io.BytesIO()
        Image.fromarray(card((width, height), next(counts))).save(data, "JPEG", quality=95)
        self.begin("image/jpeg", {"Content-Length": str(len(data.getvalue()))})
        self.wfile.write(data.getvalue())

    def stream(self):
        self.begin("multipart/x-mixed-replace;boundary=ffmpeg", {})
        with av.open(self.wfile, "w", format="mpjpeg") as server:
            stream = server.add_stream("mjpeg", rate=max(fps, 1), options={"qmin": "1", "qmax": "1"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
            for count in counts:
                frame = av.VideoFrame.from_ndarray(card((width, height), count), format="rgb24")
                frame.pts = count
                server.mux(stream.encode(frame))
                time.sleep(1 / fps)

    def begin(self, content, headers):
        self.send_response(200)
        for key, value in ({"Content-Type": content} | headers).items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, *_): ...


server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
sys.stdout.write("ready\n")
sys.stdout.flush()
server.serve_forever()
