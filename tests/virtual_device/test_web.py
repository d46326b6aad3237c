"""The web's unit under the device's own systemd: closed until it is enabled, then a login on one port and no more."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.virtual_device import container
from tests.virtual_device.test_service import START_S, active

UNIT = "smearscope-web.service"


@pytest.fixture(scope="module")
def machine(device: Path) -> Iterator[container.Booted]:
    with container.booted(device) as booted:
        container.until(lambda: active(booted), START_S, booted.journal)
        yield booted


def listening(machine: container.Booted) -> list[str]:
    """The TCP sockets that somebody listens on: local address and port, as the kernel writes them."""
    rows = (machine.out("cat", "/proc/net/tcp") + "\n" + machine.out("cat", "/proc/net/tcp6")).splitlines()
    return [words[1] for line in rows if len(words := line.split()) > 3 and words[3] == "0A"]


def story(machine: container.Booted) -> str:
    return machine.out("journalctl", "--unit", UNIT, "--no-pager", "--output=cat")


def fetched(machine: container.Booted, path: str, *more: str) -> str:
    """What the web answers, asked with the device's own Python: there is no curl on it."""
    script = (
        "import http.client, ssl, sys, json; path, token, *body = sys.argv[1:];"
        "known = ssl.create_default_context(cafile='/var/lib/smearscope-web/certificate.pem');"
        "c = http.client.HTTPSConnection('localhost', 8443, context=known, timeout=20);"
        "c.request('POST' if body else 'GET', path, *body,"
        " headers={'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'});"
        "a = c.getresponse(); print(a.status, a.read().decode('utf-8', 'replace'))"
    )
    return machine.out("/opt/smearscope/current/bin/python", "-c", script, path, *more)


def test_it_is_off_and_nothing_listens_until_it_is_enabled(machine: container.Booted) -> None:
    assert machine.run("systemctl", "is-enabled", UNIT).stdout.strip() == "disabled"
    assert listening(machine) == []


def test_enabled_it_serves_records_and_hands_changes_to_the_device_and_disabled_it_is_gone(
    machine: container.Booted,
) -> None:
    said = machine.out("smearscope", "web", "enable")
    assert re.search(r"the password (\w{4}-){3}\w{4} ", said)
    container.until(lambda: bool(listening(machine)), START_S, lambda: story(machine))
    assert [each.split(":")[1] for each in listening(machine)] == [f"{8443:04X}"]
    token = machine.out("smearscope", "web", "token", "add", "t", "--role", "operator")
    assert fetched(machine, "/api/v1/status", "wrong").startswith("401 ")
    status = fetched(machine, "/api/v1/status", token)
    assert status.startswith("200 "), status + story(machine)
    slides = json.loads(fetched(machine, "/api/v1/slides/list", token).removeprefix("200 "))["slides"]
    number = str(slides[0]["id"])
    renamed = fetched(machine, "/api/v1/slides/rename", token, json.dumps({"slide": number, "name": "by the web"}))
    assert renamed.startswith("200 "), renamed
    assert "t (token)" in machine.out("smearscope", "slides", "history", number)
    field = json.loads(fetched(machine, f"/api/v1/slides/show?slide={number}", token)[4:])["fields"][0]["id"]
    assert fetched(machine, f"/api/v1/fields/{field}/photograph", token).startswith("200 ")
    assert fetched(machine, "/api/v1/live.jpg", token).startswith("200 ")
    pid = machine.out("systemctl", "show", "--value", "--property=MainPID", UNIT)
    process = machine.out("cat", f"/proc/{pid}/status")
    assert re.search(rf"^Uid:\t{machine.out('id', '--user', 'smearscope-web')}\t", process, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", process, re.MULTILINE)
    print(re.search(r"VmRSS:\s+\d+ kB", process))  # noqa: T201 - for the page of what was tested
    machine.out("smearscope", "web", "disable")
    container.until(lambda: not listening(machine), START_S, lambda: story(machine))
