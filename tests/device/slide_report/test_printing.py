"""Printing by Chromium: what it is started with, and one clear line where it fails. A script stands for Chromium."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.slide_report import printing
from device.slide_report.printing import PrintingError, print_page

RECORD = 'for a in "$@"; do case $a in --print-to-pdf=*) pdf=${a#*=};; esac; done; '


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter and write, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def chromium(folder, monkeypatch):  # type: ignore[no-untyped-def]
    """Makes a script the Chromium of this machine."""

    def make(script: str) -> None:
        (folder / "chromium").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "chromium").chmod(0o755)
        monkeypatch.setattr(printing, "find_browser", lambda: str(folder / "chromium"))

    return make


def test_chromium_keeps_its_sandbox_has_a_home_of_its_own_and_is_never_root(chromium, monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("https_proxy", "http://elsewhere.example")
    chromium(RECORD + 'echo "$(id -u) $HOME $(env | grep -c -e SECRET -e proxy) $*" > "$pdf"')
    user, home, leaked, *options = print_page("<p>").decode().split()
    assert int(user) == (65534 if os.geteuid() == 0 else os.geteuid())
    assert f"--user-data-dir={home}/profile" in options
    assert leaked == "0"
    assert "--no-sandbox" not in options
    assert not Path(home).exists()  # nothing of the slide is left behind


@pytest.mark.parametrize(("script", "said"), [
    ("exit 0", "wrote no PDF"),
    ("echo 'FATAL:zygote No usable sandbox! x' >&2; echo last >&2; exit 1", "No usable sandbox"),
    ("echo 'ERROR:dbus/bus.cc' >&2; echo 'disk full' >&2; exit 3", "cannot print (disk full)"),
    ("exit 7", "exit code 7"),
])  # fmt: skip
def test_a_failure_is_one_line_that_says_what_to_do(chromium, script, said):
    chromium(script)
    with pytest.raises(PrintingError, match="print it from a browser") as failure:
        print_page("<p>")
    assert said in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_chromium_that_hangs_is_ended_with_its_children(chromium, folder):
    chromium(f"sleep 1000 & echo $! > {folder}/child; wait")
    with pytest.raises(PrintingError, match="longer than 1 s"):
        print_page("<p>", timeout_s=1.0)
    child = Path(f"/proc/{(folder / 'child').read_text().strip()}/stat")
    assert not child.exists() or child.read_text().split()[2] == "Z"  # ended, if its new parent has not looked yet


def test_a_chromium_that_may_not_be_started_is_said_so(chromium, folder):
    chromium("exit 0")
    (folder / "chromium").chmod(0o000)
    with pytest.raises(PrintingError, match="cannot be started"):
        print_page("<p>")


def test_a_machine_without_chromium_is_told_how_to_get_one(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PrintingError, match="apt install chromium"):
        print_page("<p>")
