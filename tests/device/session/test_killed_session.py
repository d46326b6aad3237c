"""A whole `smearscope run` killed at moments nobody chose: what it had acknowledged is there when it starts again.

SMEARSCOPE_KILLS=60 sets how often; without it five times.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

from device.control.client import ask
from device.control.protocol import ControlError
from device.store import Store
from device.store.database import DATABASE
from device.store.photographs import PHOTOGRAPHS
from smear.images import read_image

WRITES = 200  # of issue 5, over all sessions
KILLS = int(os.environ.get("SMEARSCOPE_KILLS") or 5)
ACKNOWLEDGED = [1 + (WRITES - 1) * kill // (KILLS - 1) for kill in range(KILLS)]
"""When a session is killed, at whatever instruction the next field is at."""
DEADLINE_S = 240.0  # for all fields of a session on a machine that has much else to do


@contextmanager
def running(data: Path, tiny_bundle: Path, config: Path, slide_on_the_stage: int):
    """A device over a simulated microscope, as systemd starts it but for the screen."""
    log = data.parent / "log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "device", "run", "--camera", f"simulated:{slide_on_the_stage}",
             "--display", "none", "--data", str(data),
             "--bundle", str(tiny_bundle), "--level", "float32", "--config", str(config)],
            stdout=out, stderr=out, cwd=Path(__file__).parents[3],
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def acknowledged(data: Path, process: "subprocess.Popen[bytes]", at_least: int) -> tuple[str, int]:
    """Ask until `at_least` fields are said to be recorded; return the slide's name and how many are."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            told = ask(data, "status", only=True)
        except (ControlError, OSError):
            told = None
        if told is not None and told["slide"] and told["accepted"] + told["refused"] >= at_least:
            assert told["faults"] == {}
            return told["slide"], told["accepted"] + told["refused"]
        os.sched_yield()
    raise AssertionError((data.parent / "log").read_text()[-2000:])


def test_a_session_killed_again_and_again_goes_on_with_its_slide_and_loses_no_field(tmp_path, tiny_bundle):
    data, config, told = tmp_path / "data", tmp_path / "config.toml", []
    config.write_text("[camera]\nwidth = 224\nheight = 224\n")  # small fields: many writes in a short time
    for number, wanted in enumerate(ACKNOWLEDGED):
        with running(data, tiny_bundle, config, number) as process:
            told.append(acknowledged(data, process, wanted))
            process.send_signal(signal.SIGKILL)
    with closing(sqlite3.connect(data / DATABASE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    with Store.record(data) as store:  # what the next start does
        assert store.notices == ()
        (slide,) = store.slides(100)
        assert slide.ended_s is None
        assert {name for name, _ in told} == {slide.name}
        records = list(store.all_fields(slide.id))
        assert slide.tally.total == len(records) >= told[-1][1] >= WRITES
        photographs = {store.image_path(record) for record in records}
        assert set((data / PHOTOGRAPHS).rglob("*.*")) == photographs
        for path in photographs:
            assert read_image(path).shape == (224, 224, 3)
        print(f"{KILLS} kills, {told[-1][1]} fields acknowledged, {len(records)} stored")  # noqa: T201 - of a long run
