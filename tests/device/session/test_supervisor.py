"""Everything that may go wrong around a running session: nothing is lost, and the reason is in plain sight."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import threading
import time

import numpy as np
import pytest

from device.cameras.calibration import Corrector
from device.screen.no_display import NoDisplay
from device.session.invoke_deadline import Deadlines
from device.session.model_loader import BundleWatch, ModelLoader
from device.session.supervisor import Part, Policy
from device.settings import Settings
from device.store import Retention, Store
from device.store.database import DATABASE, move_aside
from device.system.systemd import Notifier
from smear.errors import BundleError, CameraError, DisplayError, InferenceError, RuntimeUnavailableError
from smear.output_files import write_atomic
from tests.device.faults import DEADLINE_S, Bench, Microscope, Models, picture
from tests.device.findings import TOO_DARK, finding

SAID_S = 2.0  # issue 5: a lost camera is on the screen within


def kept(bench: Bench) -> None:
    """Everything that was acknowledged is in the store, and nothing else."""
    acknowledged = [seen.recorded.field_id for seen in bench.seen if seen.recorded.field_id is not None]
    with sqlite3.connect(bench.recorder.store.folder / DATABASE) as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        stored = [row[0] for row in database.execute("SELECT id FROM fields")]
    database.close()
    assert set(acknowledged) <= set(stored)
    assert len(stored) <= bench.examiner.examined + 1  # nothing twice; the last may be stored and not yet counted


def test_a_camera_that_raises_is_reported_and_reopened(tmp_path):
    display = NoDisplay()
    with Bench(tmp_path, open_display=lambda: display) as bench:
        bench.fields(2)

        def raises():
            raise RuntimeError("VIDIOC_DQBUF: Input/output error")

        bench.camera.fault = raises
        bench.until(lambda: "VIDIOC_DQBUF" in bench.faults.current.get("camera", ""))
        bench.until(lambda: display.last is not None and bench.screen.shows is None)
        bench.camera.fault = None
        bench.fields(3)
        assert "camera" not in bench.faults.current
        assert bench.camera.opened >= 2
    kept(bench)


def test_a_camera_unplugged_and_back_twenty_times_goes_on_without_a_restart(tmp_path):
    with Bench(tmp_path) as bench:
        bench.fields()
        for _ in range(20):
            bench.camera.plugged = False
            bench.until(lambda: bench.feed.lost and "camera" in bench.faults.current)
            seen = bench.camera.frames
            bench.camera.plugged = True
            bench.fields(2)
            bench.until(lambda: bench.seen[-1].frame.sequence > seen)  # noqa: B023 - asked at once
        assert bench.error is None
        assert bench.camera.opened == 21
        assert bench.camera.closed >= 20
    kept(bench)


def test_a_camera_that_hangs_is_on_the_screen_in_time_and_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr("device.session.camera_worker._GRACE_S", 2.0)
    release = threading.Event()
    with Bench(tmp_path) as bench:
        bench.fields(2)
        hung = bench.camera.frame()

        def hangs():
            bench.camera.fault = None  # the next one opened works
            release.wait(DEADLINE_S)
            return hung

        bench.camera.fault = hangs
        before = time.monotonic()
        bench.until(lambda: bench.feed.lost)
        bench.until(lambda: bench.screen.shows is None and bool(bench.screen.state.warnings))
        assert time.monotonic() - before < SAID_S + 1.0  # one second for a busy test machine
        bench.fields(2)
        release.set()
        bench.fields(2)
        assert all(seen.frame is not hung for seen in bench.seen)  # what came so late is nobody's picture
    kept(bench)


def test_a_camera_that_hangs_again_and_again_ends_the_process_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("device.session.camera_worker._GRACE_S", 0.05)
    release = threading.Event()
    with Bench(tmp_path, timeout_s=0.05, policy=Policy(0.01, 0.01, restarts=2)) as bench:
        bench.camera.fault = lambda: release.wait(DEADLINE_S) and bench.camera.frame()
        said = bench.ended()
        release.set()
    assert "camera failed 3 times" in said
    assert "does not end" in said


def test_black_frames_are_refused_and_carry_no_label(tmp_path):
    with Bench(tmp_path) as bench:
        bench.fields()
        bench.camera.fault = lambda: bench.camera.frame(np.zeros((96, 128, 3), np.uint8))
        bench.until(lambda: bench.seen[-1].finding.label is None)
        assert bench.seen[-1].finding.refusals == (TOO_DARK,)
        bench.camera.fault = None
        bench.until(lambda: bench.seen[-1].finding.label == "Pre")
    kept(bench)


def test_a_camera_that_changes_its_size_goes_on(tmp_path):
    with Bench(tmp_path) as bench:
        bench.fields()
        bench.camera.fault = lambda: bench.camera.frame(picture(bench.camera.frames, (64, 240)))
        bench.until(lambda: bench.seen[-1].frame.image.shape == (64, 240, 3))
        bench.fields(2)
    kept(bench)


def test_an_inference_that_hangs_ends_the_process_with_a_clear_line(tmp_path):
    release = threading.Event()

    class Hangs:
        name, input_shape, output_shape = "test", (1,), (1,)

        def invoke(self, tensor):
            release.wait(DEADLINE_S)
            return tensor

        def close(self):
            pass

    with Bench(tmp_path, deadlines=Deadlines(invoke_s=0.1)) as bench:
        model = bench.guard.wrap("segmenter", Hangs())
        bench.fields(2)

        def hangs(frame):
            model.invoke(np.zeros(1))
            return finding()

        bench.models.fault = hangs
        said = bench.ended()
        assert "an inference of the segmenter does not end" in said
        assert "this process ends" in said
        assert not bench.models.closed  # its memory is in use
        release.set()
    kept(bench)


def test_models_that_fail_are_loaded_anew_and_given_up_at_the_sixth_time(tmp_path):
    loaded: list[Models] = []

    def fails(frame):
        raise InferenceError("the classifier did not answer")

    with Bench(tmp_path) as bench:

        def load(failed):
            loaded.append(Models())
            if len(loaded) >= 3:
                loaded[-1].fault = fails
            return loaded[-1]

        bench.processors.load = load
        bench.fields()
        bench.models.fault = fails
        bench.until(lambda: len(loaded) == 1 or bench.error is not None)
        bench.fields(2)
        loaded[0].fault = fails
        bench.until(lambda: len(loaded) >= 2)
        bench.fields(1)
        loaded[1].fault = fails
        assert "model failed 6 times" in bench.ended()
    kept(bench)


class Glass(NoDisplay):
    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def show(self, screen):
        if self.broken:
            raise DisplayError("display kmsdrm was lost; connect a screen")
        super().show(screen)


def test_a_display_that_does_not_open_or_goes_away_stops_no_field(tmp_path):
    glasses: list[Glass] = []
    there = threading.Event()

    def open_display():
        if not there.is_set():
            raise DisplayError("display kmsdrm: no screen; connect a screen")
        glasses.append(Glass())
        return glasses[-1]

    with Bench(tmp_path, open_display=open_display) as bench:
        bench.fields(2)
        assert "no screen" in bench.faults.current["display"]
        there.set()
        bench.until(lambda: bool(glasses) and glasses[-1].last is not None)
        bench.until(lambda: "display" not in bench.faults.current)
        glasses[0].broken = True
        bench.until(lambda: len(glasses) == 2 and glasses[1].last is not None)
    kept(bench)


def test_a_locked_database_is_said_and_the_fields_after_it_are_stored(tmp_path):
    with Bench(tmp_path) as bench:
        bench.fields(2)
        other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        bench.until(lambda: "locked by another process" in bench.faults.current.get("store", ""))
        other.execute("ROLLBACK")
        other.close()
        bench.until(lambda: "store" not in bench.faults.current and bench.seen[-1].recorded.field_id is not None)
    assert bench.recorder.not_stored >= 1
    kept(bench)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_is_said_and_recording_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        store = Store.record(disk, Retention(min_free_bytes=0, remove_oldest=False))
        with Bench(tmp_path, store=store) as bench:
            bench.fields(2)
            ballast = disk / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(bytes(64_000)):  # the session writes too: what is free now is not free then
                    pass
            bench.until(lambda: "not stored" in bench.faults.current.get("store", ""))
            ballast.unlink()
            bench.until(lambda: "store" not in bench.faults.current and bench.seen[-1].recorded.field_id is not None)
            bench.camera.plugged = False
        kept(bench)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_store_damaged_while_it_is_open_is_moved_aside_and_a_new_one_begun(tmp_path):
    data = tmp_path / "data"

    def start_over():
        move_aside(data, time.time())
        return Store.record(data)

    with Bench(data, start_over=start_over) as bench:
        bench.fields(2)
        bench.camera.plugged = False
        bench.until(lambda: bench.feed.lost)
        connection = bench.recorder.store._database._connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with (data / DATABASE).open("r+b") as file:
            file.seek(4096)  # all pages but the first, which holds the schema
            file.write(b"\xff" * ((data / DATABASE).stat().st_size - 4096))
        connection.execute("PRAGMA shrink_memory")  # else its own copies of the pages are used
        bench.camera.plugged = True
        bench.until(lambda: bench.recorder.store is not bench.store)
        bench.fields(2)
        assert bench.seen[-1].recorded.field_id is not None
        assert bench.recorder.store.slides()[0].name == "faults"
        assert list((data / "damaged").glob(f"*/{DATABASE}"))


def test_a_clock_jumping_back_an_hour_loses_nothing(tmp_path):
    with Bench(tmp_path) as bench:
        bench.fields(2)
        late = bench.camera.frame

        def an_hour_ago():
            frame = late()
            object.__setattr__(frame, "wall_time_s", frame.wall_time_s - 3600)
            return frame

        bench.camera.fault = an_hour_ago
        bench.fields(5)
        assert bench.faults.current == {}
    kept(bench)
    with Store.read(tmp_path) as store:
        records = list(store.all_fields(1))
    assert [record.id for record in records] == sorted(record.id for record in records)
    assert records[-1].wall_time_s < records[0].wall_time_s - 3000  # as the clock said
    assert records[-1].monotonic_s > records[0].monotonic_s  # and in which order they came in truth


def test_a_bundle_swapped_while_running_is_taken_over_and_a_faulty_one_is_refused(tmp_path):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    content = bundle / "manifest.json"
    content.write_text("Pre")
    opened: list[Models] = []

    def open_it(path, level, prove):
        label = content.read_text()
        if label == "broken":
            raise BundleError("manifest.json does not match its checksum")
        opened.append(Models(label))
        return opened[-1]

    def parts(bench):
        loader = ModelLoader(lambda: bundle, open_it, lambda: "int8", False, bench.faults)
        return [Part("bundle", BundleWatch(loader, bench.processors, bench.faults, 0.02).work)]

    with Bench(tmp_path / "data", parts=parts) as bench:
        bench.fields()
        write_atomic(content, b"broken")
        bench.until(lambda: "the old one goes on" in bench.faults.current.get("bundle", ""))
        bench.fields(2)
        assert bench.seen[-1].finding.label == "Pre"
        write_atomic(content, b"Early")
        bench.until(lambda: bench.seen[-1].finding.label == "Early")
        assert "bundle" not in bench.faults.current
        assert bench.models.closed
    kept(bench)


def test_without_its_bundle_a_running_device_labels_nothing_says_why_and_goes_on_when_it_is_back(tmp_path, manager):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("Pre")
    listener, notifier = manager

    def parts(bench):
        loader = ModelLoader(lambda: bundle, lambda path, level, prove: Models(), lambda: "int8", False, bench.faults)
        loader.load()
        return [Part("bundle", BundleWatch(loader, bench.processors, bench.faults, 0.02).work)]

    with Bench(tmp_path / "data", parts=parts, notifier=notifier) as bench:
        bench.fields()
        bundle.rename(tmp_path / "away")
        bench.until(lambda: "bundle" in bench.faults.current and bench.examiner.waits_for_a_frame)
        drained(listener)
        assert "the chosen bundle is gone" in told(listener, "STATUS=")
        examined, frames = bench.examiner.examined, bench.camera.frames
        bench.until(lambda: bench.camera.frames > frames + 20)
        assert bench.examiner.examined <= examined + 1  # one may have been under way
        for _ in range(3):
            assert told(listener, "WATCHDOG=1")  # a new process would not bring the bundle back
        assert "is gone, so nothing is labelled" in bench.screen.state.warnings[0]
        (tmp_path / "away").rename(bundle)
        bench.fields(2)
        assert bench.faults.current == {}
    kept(bench)


def test_an_accelerator_that_is_missing_or_dies_is_replaced_only_where_it_may_be(tmp_path):
    from device.session.active_faults import ActiveFaults
    from device.system.systemd import Journal

    levels: list[str] = []

    def open_it(path, level, prove):
        levels.append(level)
        if level == "edgetpu" and len(levels) > 1:
            raise RuntimeUnavailableError("delegate libedgetpu.so.1 cannot be loaded")
        return Models()

    faults = ActiveFaults(Journal({}))
    strict = ModelLoader(lambda: tmp_path, open_it, lambda: "edgetpu", False, faults)
    strict.load()
    with pytest.raises(RuntimeUnavailableError, match="cpu_fallback"):
        strict.load()
    with pytest.raises(RuntimeUnavailableError, match="cpu_fallback"):
        strict.load(InferenceError("the Edge TPU went away"))
    lenient = ModelLoader(lambda: tmp_path, open_it, lambda: "edgetpu", True, faults)
    lenient.load()
    assert levels[-1] == "int8"
    assert "slow: on the CPU with int8" in faults.current["accelerator"]
    assert Settings().model.cpu_fallback is False


@pytest.fixture
def manager(tmp_path):
    """A service manager's socket, and what it was told."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(DEADLINE_S)
        yield listener, Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})


def told(listener, word):
    """Wait for the next message that begins with `word`."""
    while not (message := listener.recv(4096).decode()).startswith(word):
        pass
    return message


def drained(listener):
    listener.setblocking(False)
    messages = []
    try:
        while True:
            messages.append(listener.recv(4096).decode())
    except BlockingIOError:
        listener.settimeout(DEADLINE_S)
    return messages


def test_systemd_hears_ready_with_the_first_field_and_the_status_in_words(tmp_path, manager):
    listener, notifier = manager
    camera = Microscope()
    camera.plugged = False
    with Bench(tmp_path / "d", camera=camera, notifier=notifier) as bench:
        assert told(listener, "EXTEND_TIMEOUT_USEC=")  # the camera may come late
        assert not any("READY" in message for message in drained(listener))
        camera.plugged = True
        bench.fields()
        assert told(listener, "READY=1")
        assert "fields examined" in told(listener, "STATUS=")


def test_the_watchdog_is_fed_while_a_lost_camera_is_looked_for(tmp_path, manager):
    listener, notifier = manager
    with Bench(tmp_path / "d", notifier=notifier) as bench:
        bench.fields()
        bench.camera.plugged = False
        while "no picture from the camera" not in told(listener, "STATUS="):
            pass
        for _ in range(3):
            assert told(listener, "WATCHDOG=1")


def test_the_watchdog_is_not_fed_while_a_field_is_stuck_in_the_pipeline(tmp_path, manager):
    listener, notifier = manager
    entered, release = threading.Event(), threading.Event()
    with Bench(tmp_path / "d", notifier=notifier) as bench:
        bench.fields()

        def stuck(frame):
            entered.set()
            release.wait(DEADLINE_S)
            return finding()

        bench.models.fault = stuck
        assert entered.wait(DEADLINE_S)
        turns: list[int] = []
        bench.until(lambda: len(turns) > 2 or turns.append(1) is not None)  # what was on its way is shown
        drained(listener)
        turns.clear()
        bench.until(lambda: len(turns) > 8 or turns.append(1) is not None)  # nearly a second of the main loop
        assert not any("WATCHDOG" in message for message in drained(listener))
        release.set()


def test_a_stop_ends_everything_within_five_seconds_also_while_the_camera_hangs(tmp_path):
    release = threading.Event()
    with Bench(tmp_path) as bench:
        bench.fields()
        bench.camera.fault = lambda: release.wait(DEADLINE_S) and bench.camera.frame()
        bench.until(lambda: bench.feed.lost)
        before = time.monotonic()
        bench.stop.set()
        bench.ended()
        assert time.monotonic() - before < 5.0
        release.set()
    kept(bench)


def test_a_defect_in_a_camera_driver_is_said_as_such(tmp_path):
    camera = Microscope()

    def defect():
        raise ValueError("unpack requires 4 bytes")

    camera.fault = defect
    with Bench(tmp_path, camera=camera) as bench:
        bench.until(lambda: "ValueError: unpack requires" in bench.faults.current.get("camera", ""))


def test_a_missing_camera_never_ends_a_service_that_waits_for_it(tmp_path):
    camera = Microscope()
    camera.plugged = False
    asked: list[int] = []
    original = camera.open

    def counted():
        asked.append(1)
        return original()

    camera.open = counted
    with Bench(tmp_path, camera=camera, policy=Policy(0.001, 0.001, restarts=1)) as bench:
        bench.until(lambda: len(asked) > 10)
        assert bench.error is None
        with pytest.raises(CameraError):
            original()
        camera.plugged = True
        bench.fields()


def test_the_first_field_of_a_slide_was_taken_after_the_slide_was_started(tmp_path):
    with Bench(tmp_path / "data") as bench:
        bench.fields()
        for number in range(20):
            began_s = time.monotonic()
            slide = bench.recorder.start_slide(f"slide {number}")
            bench.until(lambda slide=slide: bool(bench.recorder.store.fields(slide, 1)))
            assert bench.recorder.store.fields(slide, 1)[0].monotonic_s >= began_s


def test_no_field_is_examined_that_was_taken_before_a_calibration_or_the_cameras_return(tmp_path):
    with Bench(tmp_path / "data") as bench:
        for change in ("calibration", "camera"):
            bench.fields()
            changed_s = time.monotonic()
            if change == "calibration":
                bench.processors.corrector = Corrector()
            else:
                bench.camera.plugged = False
                bench.until(lambda: bench.feed.lost)
                changed_s, bench.camera.plugged = time.monotonic(), True
            after = bench.examiner.examined + 2  # one may have passed the check already
            bench.until(lambda after=after: bench.seen[-1].number >= after)
            assert all(each.frame.monotonic_s >= changed_s for each in bench.seen if each.number >= after)
