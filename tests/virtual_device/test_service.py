"""The shipped service under the device's own systemd: it starts, is killed, hangs, stops, and loses no record."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual_device import container
from tests.virtual_device.conftest import WATCHDOG_S

START_S = 180.0  # of which most is importing and proving the bundle on a busy test machine
STOP_S = 5.0
DATABASE = "/var/lib/smearscope/smearscope.sqlite3"


@pytest.fixture(scope="module")
def machine(device: Path) -> Iterator[container.Booted]:
    """The device, booted; its unit is enabled, so that nobody starts it but the boot."""
    with container.booted(device) as booted:
        yield booted


def active(machine: container.Booted) -> bool:
    return machine.show("ActiveState") == "active"


def records(machine: container.Booted) -> int:
    """Return the number of fields on disk, in a database that is whole."""
    query = "PRAGMA integrity_check; SELECT count(*) FROM fields;"
    whole, count = machine.out("sqlite3", "-readonly", DATABASE, query).splitlines()
    assert whole == "ok"
    return int(count)


def newest(machine: container.Booted) -> int:
    return int(machine.out("sqlite3", "-readonly", DATABASE, "SELECT max(id) FROM fields;") or 0)


def until_it_records(machine: container.Booted) -> None:
    """Wait until the service is active and a field more is on disk than now."""
    container.until(lambda: active(machine), START_S, machine.journal)
    before = newest(machine)
    container.until(lambda: newest(machine) > before, START_S, machine.journal)


def test_the_boot_starts_it_and_it_is_ready_with_the_first_examined_field(machine: container.Booted) -> None:
    container.until(lambda: active(machine), START_S, machine.journal)
    assert newest(machine) >= 1, machine.journal()


def test_its_status_says_how_many_fields_it_examined(machine: container.Booted) -> None:
    container.until(lambda: bool(re.search(r"\d", machine.show("StatusText"))), START_S, machine.journal)


def test_it_runs_as_its_own_user_without_any_capability(machine: container.Booted) -> None:
    status = machine.out("cat", f"/proc/{machine.show('MainPID')}/status")
    uid = machine.out("id", "--user", "smearscope")
    assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)


def test_its_control_socket_is_for_its_group_alone(machine: container.Booted) -> None:
    sockets = machine.out("find", "/run/smearscope", "-type", "s", "-printf", "%u:%g %m\n").splitlines()
    assert sockets == ["smearscope:smearscope 660"], machine.journal()
    assert machine.out("stat", "--format=%U:%G %a", "/run/smearscope") == "smearscope:smearscope 750"


def test_a_healthy_service_outlives_its_watchdog(machine: container.Booted) -> None:
    until_it_records(machine)
    restarts, process, begin_s = machine.show("NRestarts"), machine.show("MainPID"), time.monotonic()
    container.until(lambda: time.monotonic() - begin_s > 2 * WATCHDOG_S, 3 * WATCHDOG_S, machine.journal)
    assert (machine.show("NRestarts"), machine.show("MainPID")) == (restarts, process), machine.journal()
    assert active(machine)


def test_killed_it_comes_back_and_every_record_is_there(machine: container.Booted) -> None:
    until_it_records(machine)
    restarts, process = int(machine.show("NRestarts")), machine.show("MainPID")
    before = records(machine)
    machine.out("kill", "-KILL", process)
    container.until(lambda: int(machine.show("NRestarts")) > restarts, START_S, machine.journal)
    until_it_records(machine)
    assert machine.show("MainPID") != process
    assert records(machine) > before


def test_hanging_it_is_killed_by_the_watchdog_and_comes_back(machine: container.Booted) -> None:
    until_it_records(machine)
    restarts, process = int(machine.show("NRestarts")), machine.show("MainPID")
    before = records(machine)
    machine.out("kill", "-STOP", process)
    container.until(lambda: int(machine.show("NRestarts")) > restarts, 4 * WATCHDOG_S, machine.journal)
    assert "Watchdog timeout" in machine.journal()
    until_it_records(machine)
    assert records(machine) > before


def test_it_stops_cleanly_within_five_seconds_and_starts_again(machine: container.Booted) -> None:
    until_it_records(machine)
    begin_s = time.monotonic()
    machine.out("systemctl", "stop", "smearscope.service")
    assert time.monotonic() - begin_s < STOP_S
    assert (machine.show("ActiveState"), machine.show("Result")) == ("inactive", "success"), machine.journal()
    before = records(machine)
    machine.out("systemctl", "start", "smearscope.service")
    until_it_records(machine)
    assert records(machine) > before


def test_it_writes_nothing_outside_its_own_folders(machine: container.Booted) -> None:
    own = "-path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/lib/smearscope"
    found = machine.out("sh", "-c", f"find / \\( {own} \\) -prune -o -user smearscope -print")
    assert found == ""


CRASH = """import os, signal
import smear.inference.tflite as tflite
kept = tflite.TFLiteModel.__init__
def opened(self, kind, content, *rest, **others):
    if content.endswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    kept(self, kind, content, *rest, **others)
tflite.TFLiteModel.__init__ = opened
"""
"""What a crafted model does to the process that opens it; found by its last bytes, which no runtime reads."""
CRAFT = """
cd /tmp; rm -rf crafted; cp -r "$(find /opt/smearscope/ -path "*_models/default" | head -1)" crafted; cd crafted
python3 - <<'END'
import hashlib, json, pathlib
manifest = json.loads(pathlib.Path("manifest.json").read_text())
manifest["name"] = "crafted"
for part in ("segmenter", "classifier"):
    for entry in manifest[part]["levels"].values():
        content = pathlib.Path(entry["file"]).read_bytes() + b"crash"
        pathlib.Path(entry["file"]).write_bytes(content)
        entry |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
text = json.dumps(manifest, indent=2) + "\\n"
pathlib.Path("manifest.json").write_text(text)
digest = hashlib.sha256(text.encode()).hexdigest()
pathlib.Path("manifest.json.sha256").write_text(f"{digest}  manifest.json\\n")
END
chmod -R a+rX /tmp/crafted
"""


def test_a_bundle_that_crashes_the_daemon_again_and_again_is_given_up_once_and_the_screen_says_so(
    machine: container.Booted,
) -> None:
    until_it_records(machine)
    as_service = ("runuser", "--user", "smearscope", "--", "smearscope", "model", "--data", "/var/lib/smearscope")
    shipped = machine.out("sh", "-c", 'find /opt/smearscope/ -path "*_models/default" | head -1')
    machine.out("sh", "-euc", CRAFT)
    machine.out("systemctl", "stop", "smearscope.service")
    for bundle in (shipped, "/tmp/crafted"):
        machine.out(*as_service, "install", bundle)
    assert "crafted" in machine.out("readlink", "/var/lib/smearscope/models/current")
    override = "[Service]\nEnvironment=PYTHONPATH=/opt/crash\n"
    machine.out(
        "sh", "-euc", f"mkdir -p /opt/crash; printf '%s' '{CRASH}' > /opt/crash/sitecustomize.py;"
        f"printf '{override}' > /etc/systemd/system/smearscope.service.d/crash.conf; systemctl daemon-reload"
    )  # fmt: skip
    machine.out("systemctl", "reset-failed", "smearscope.service")
    machine.run("systemctl", "start", "smearscope.service")
    until_it_records(machine)
    assert machine.show("NRestarts") == "3", machine.journal()
    assert "crafted" not in machine.out("readlink", "/var/lib/smearscope/models/current")
    assert machine.journal().count("went back to") == 1
    said = json.loads(machine.run("smearscope", "status", "--json").stdout)["faults"]
    assert "has kept the service from starting 3 times: went back to" in said["bundle"]  # all faults are on the screen
    process = machine.show("MainPID")
    until_it_records(machine)
    assert machine.show("MainPID") == process


def test_settings_that_are_wrong_are_named_where_a_person_looks_and_it_is_tried_again(
    machine: container.Booted,
) -> None:
    fault = ("journalctl", "--unit=smearscope-fault", "--no-pager")  # a container has no screen
    machine.out("sh", "-c", "cd /etc/smearscope; cp config.toml good; echo '[kamera]' >> config.toml")
    try:
        machine.run("systemctl", "restart", "smearscope.service")
        container.until(lambda: "kamera is not known" in machine.journal(), START_S, machine.journal)
        container.until(lambda: "kamera is not known" in machine.run(*fault).stdout, 2 * START_S, machine.journal)
        assert machine.show("ActiveState") == "failed"
    finally:
        machine.out("mv", "/etc/smearscope/good", "/etc/smearscope/config.toml")
    machine.out("systemctl", "reset-failed", "smearscope.service")
    # What the timer starts when it has elapsed; nobody waits five minutes for it here.
    assert (
        machine.out("systemctl", "show", "--value", "--property=Unit", "smearscope-retry.timer") == "smearscope.service"
    )
    machine.out("systemctl", "start", "smearscope.service")
    until_it_records(machine)
    assert machine.run("systemctl", "is-active", "smearscope-fault.service").stdout.strip() == "inactive"
