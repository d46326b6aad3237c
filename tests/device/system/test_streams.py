"""A command whose output is closed or full says so in one line; without standard error the work is done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def ended(command: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $SM is the command."""
    environment = {**os.environ, "SM": f"{sys.executable} -m device", "SMEARSCOPE_DATA_DIR": str(tmp_path)}
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("command", ["$SM config show", "$SM --help", "$SM slides --help"])
@pytest.mark.parametrize(
    ("where", "reason"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_output_that_cannot_be_written_is_one_line_and_a_failure(
    tmp_path: Path, command: str, where: str, reason: str
) -> None:
    done = ended(f"{command} {where}", tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"smearscope: cannot write to standard output: {reason}; write it elsewhere\n"


def test_without_standard_error_the_work_is_done(tmp_path: Path) -> None:
    done = ended("$SM config show 2>&- <&-", tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("# settings from")
    assert ended("$SM analyze --json nothing.png 2>&- <&-", tmp_path).stdout.startswith('{"image": "nothing.png"')


def test_a_reader_that_has_had_enough_ends_it_without_a_word(tmp_path: Path) -> None:
    done = ended("{ $SM config show; } | true", tmp_path)
    assert done.stderr == ""


def test_no_file_becomes_standard_error(tmp_path: Path) -> None:
    script = (
        "import os; from device.system.streams import protect_streams; protect_streams(); "
        f"file = open({str(tmp_path / 'store')!r}, 'w'); os.write(2, b'a warning of a library'); file.close()"
    )
    subprocess.run(["bash", "-c", f'"{sys.executable}" -c "$0" 2>&- 0<&-', script], cwd=ROOT, check=True, timeout=60)
    assert (tmp_path / "store").read_bytes() == b""
