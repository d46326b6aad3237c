"""Measures the browser's view: from exposure to the picture on the page, and what a hundred idle connections cost."""

import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.interleaved import Measured, latency_of, ratio_of
from benchmarks.progress import OnProgress
from benchmarks.schema import BenchmarkError, Latency, Ratio
from benchmarks.suites.soak import MB, ended
from device.actions.base import Role
from device.control.client import ask
from device.slide_report.printing import find_browser
from smear.synthetic import SyntheticSlide
from web.accounts import Accounts

FIELDS_PER_S = 5.0  # of the camera
LATENCY_P95_MS, RESIDENT_MB, SLOWER = 400.0, 90.0, 1.05  # allowed
BROWSERS, CONNECTIONS = 2, 100
SHAPE, PIXEL_SIZE_UM = (480, 640), 0.25
_START_S = 60.0
_PASSWORD = "a password of the benchmark"
_RECORD = """
const shown = window.shownMs = [], exposed = new Map(), Source = window.EventSource;
window.EventSource = class extends Source {
  constructor(...given) {
    super(...given);
    this.addEventListener("result", (event) => {
      const result = JSON.parse(event.data).result;
      if (result) exposed.set(String(result.number), 1000 * result.exposed_s);
    });
  }
};
addEventListener("DOMContentLoaded", () => {
  const picture = document.getElementById("picture");
  if (picture) new MutationObserver(() => requestAnimationFrame(() => {
    const at = exposed.get(new URL(picture.src).searchParams.get("number"));
    if (at) shown.push(Date.now() - at);
  })).observe(picture, {attributeFilter: ["src"]});
});
"""


@dataclass(frozen=True, slots=True)
class Viewers:
    """Two browsers at once, and idle connections against none."""

    latency: Latency  # from the camera's exposure to the picture in a browser
    p95_ms: float
    pictures_per_s: float  # in each of them
    resident_mb: float  # of the web process, with both
    idle: Ratio | None  # times of a field, with `CONNECTIONS` that send a byte now and then, to without

    def faults(self) -> list[str]:
        """Return the limits that were exceeded, as sentences."""
        found = []
        if self.p95_ms > LATENCY_P95_MS:
            found.append(f"a picture took {self.p95_ms:.0f} ms to the browser (p95), allowed {LATENCY_P95_MS:g}")
        if self.resident_mb > RESIDENT_MB:
            found.append(f"the web process held {self.resident_mb:.0f} MB, allowed {RESIDENT_MB:g}")
        if self.idle is not None and self.idle.value > SLOWER:
            found.append(
                f"a field took {self.idle.value:.2f} times as long beside {CONNECTIONS} idle connections, "
                f"allowed {SLOWER:g}"
            )
        return found


def measure_viewers(seconds: float, rounds: int, folder: Path, on_progress: OnProgress) -> Viewers:
    """Show a device's fields to two browsers for `seconds`, then measure `rounds` with idle connections and without.

    Raises:
        BenchmarkError: the device, the server or the browser did not start.
    """
    with _camera() as address, _device(folder / "shown", address) as (data, port, web):
        on_progress("two browsers look", 0.1)
        times = _looked(folder / "shown" / "state", port, seconds)
        resident = psutil.Process(web).memory_info().rss / MB
    with _device(folder / "idle", "simulated:1?class=Pre") as (data, port, _):
        pair = {False: Measured(), True: Measured()}
        for turn in range(rounds):
            on_progress(f"{CONNECTIONS} idle connections", 0.3 + 0.7 * turn / rounds)
            for idle in (False, True)[:: 1 if turn % 2 else -1]:
                with _idle(port if idle else None):
                    pair[idle].rounds.append([_field_ms(data, seconds / 3)])
    ratio = ratio_of(pair[True], pair[False], "none")
    return Viewers(latency_of(times), float(np.percentile(times, 95)), len(times) / BROWSERS / seconds, resident, ratio)


@contextmanager
def _camera() -> Iterator[str]:
    """Serve a synthetic slide as Motion JPEG; yield its address."""
    slide, pictures = SyntheticSlide("Pre", 3, PIXEL_SIZE_UM), list[bytes]()
    for number in range(16):
        written = io.BytesIO()
        field = slide.field_at(number * SHAPE[1] * PIXEL_SIZE_UM, 0, SHAPE)
        Image.fromarray(field.image).save(written, "JPEG", quality=92)
        pictures.append(written.getvalue())

    class Stream(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=part")
            self.end_headers()
            number, next_s = 0, time.monotonic()
            while not over.wait(max(0.0, next_s - time.monotonic())):
                picture = pictures[number % len(pictures)]
                head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + picture + b"\r\n")
                except OSError:
                    return
                number, next_s = number + 1, next_s + 1 / FIELDS_PER_S

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    over = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Stream) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            over.set()
            server.shutdown()
            thread.join()


@contextmanager
def _device(folder: Path, camera: str) -> Iterator[tuple[Path, int, int]]:
    """Run a device and its web process; yield the data folder, the port, and the process of the web."""
    folder.mkdir()
    data, config = folder / "data", folder / "config.toml"
    config.write_text(f"[camera]\npixel_size_um = {PIXEL_SIZE_UM}\n")
    common = ("--data", str(data), "--config", str(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    commands = {
        "run": ("run", "--camera", camera, "--display", "none", "--slide", "bench"),
        "web": ("web", "serve", "--tls", "off", "--port", str(port), "--state", str(folder / "state")),
    }
    with ExitStack() as stack:
        processes = {}
        for name, words in commands.items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            command = [sys.executable, "-m", "device", *words, *common]
            processes[name] = stack.enter_context(ended(subprocess.Popen(command, stdout=log, stderr=log)))
        due_s = time.monotonic() + _START_S
        while not _running(data, port):
            dead = [name for name, process in processes.items() if process.poll() is not None]
            if dead or time.monotonic() > due_s:
                logs = " ".join((folder / f"{name}.log").read_text(errors="replace")[-300:] for name in processes)
                raise BenchmarkError(f"the device or its web process did not start: {logs}")
            time.sleep(0.2)
        yield data, port, processes["web"].pid


def _running(data: Path, port: int) -> bool:
    status = ask(data, "status", only=True)
    with socket.socket() as tried:
        return status is not None and status["fields"] > 0 and tried.connect_ex(("127.0.0.1", port)) == 0


def _status(data: Path) -> dict[str, Any]:
    status = ask(data, "status", only=True)
    if status is None:
        raise BenchmarkError("the device ended while it was measured")
    return status


def _looked(state: Path, port: int, seconds: float) -> list[float]:
    """Look at the live page in two windows; return how old each picture was when it was shown, in ms."""
    from playwright.sync_api import sync_playwright  # here: the other suites need no browser

    Accounts(state).add_user("bench", Role.VIEWER, _PASSWORD)
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=find_browser())) as browser,
    ):
        pages = []
        for _ in range(BROWSERS):
            page = browser.new_context(base_url=f"http://localhost:{port}", bypass_csp=True).new_page()
            page.add_init_script(_RECORD)
            page.goto("/login")
            page.get_by_label("Name").fill("bench")
            page.get_by_label("Password").fill(_PASSWORD)
            page.keyboard.press("Enter")
            page.get_by_role("link", name="Live").click()
            page.wait_for_function("window.shownMs?.length > 3")
            pages.append(page)
        for page in pages:
            page.evaluate("window.shownMs.length = 0")
        pages[0].wait_for_timeout(1000 * seconds)
        return [float(each) for page in pages for each in page.evaluate("window.shownMs")]


@contextmanager
def _idle(port: int | None) -> Iterator[None]:
    """Hold connections that send a byte of a request each second; none where `port` is None."""
    stop = threading.Event()

    def trickle() -> None:
        held: list[socket.socket] = []
        while port is not None:
            for number in range(CONNECTIONS):
                if number == len(held):
                    held.append(socket.create_connection(("127.0.0.1", port)))
                try:
                    held[number].send(b"G")
                except OSError:  # it was closed: dial again
                    held[number].close()
                    held[number] = socket.create_connection(("127.0.0.1", port))
            if stop.wait(1.0):
                break
        for each in held:
            each.close()

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _field_ms(data: Path, seconds: float) -> float:
    """Return the milliseconds of a field over `seconds`."""
    before = _status(data)
    time.sleep(seconds)
    after = _status(data)
    return float(1e3 * (after["running_s"] - before["running_s"]) / (after["fields"] - before["fields"]))
