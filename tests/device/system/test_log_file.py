"""The device's own log: newest first, in two small files, without a password, and never in anybody's way."""

import pytest

from device.system import log_file
from device.system.clock import ManualClock
from device.system.log_file import FILE, OLD, LogFile, newest_first
from device.system.systemd import Journal, Priority


def test_what_the_journal_is_told_is_kept_newest_first_over_two_files_of_a_bounded_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(log_file, "_BYTES", 500)
    clock = ManualClock(0.0, 1_700_000_000.0)
    journal = Journal({}, LogFile(tmp_path, clock).add)
    for number in range(20):
        clock.advance(1)
        journal.say(Priority.WARNING, f"fault\n{number}")
    lines = list(newest_first(tmp_path))
    assert lines[0] == {"wall_time_s": 1_700_000_020.0, "level": "warning", "text": "fault 19"}
    assert [each["text"] for each in lines] == [f"fault {number}" for number in range(19, 19 - len(lines), -1)]
    assert all((tmp_path / name).stat().st_size < 700 for name in (FILE, OLD))
    assert ((tmp_path / FILE).stat().st_mode & 0o777) == 0o640
    assert "smearscope: fault 19" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said", ["camera rtsp://ann:secret@10.0.0.7/a was lost", "http://10.0.0.7/?pwd=secret is slow"]
)
def test_no_password_is_kept(tmp_path, said):
    LogFile(tmp_path).add(Priority.WARNING, said)
    (line,) = newest_first(tmp_path)
    assert "secret" not in line["text"]
    assert "10.0.0.7" in line["text"]


def test_a_disk_that_takes_nothing_and_a_damaged_line_cost_no_more_than_the_line(tmp_path):
    LogFile(tmp_path / "missing").add(Priority.ERROR, "lost")
    log = LogFile(tmp_path)
    log.add(Priority.ERROR, "one")
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"wall_time_s": 1, "lev\n[]\n\xff\n')
    log.add(Priority.INFO, "two\x1b[2J")
    assert [each["text"] for each in newest_first(tmp_path)] == [r"two\x1b[2J", "one"]
