"""A camera in the network: the fields of the virtual microscope, one JPEG for each request, on every address."""

import itertools
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PICTURES = itertools.cycle([path.read_bytes() for path in sorted(Path("/opt/frames/smear").glob("*.jpg"))])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        picture = next(PICTURES)
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(picture)))
        self.end_headers()
        self.wfile.write(picture)


ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
