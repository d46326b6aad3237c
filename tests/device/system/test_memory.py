"""The heap's settings, and the limit of the control group that a process meets itself."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.system.memory import fail_before_the_kernel_acts
from smear.images import write_image
from smear.synthetic import render

GROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def limits() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.parametrize(
    ("group", "file", "text", "found"),
    [
        ("0::/system.slice/x", "system.slice/x/memory.max", "500000000\n", True),
        ("4:memory:/x\n0::/", "memory/x/memory.limit_in_bytes", "500000000\n", True),
        ("4:memory:/x\n0::/", "memory/x/memory.limit_in_bytes", "9223372036854771712\n", False),
        ("0::/x", "x/memory.max", "max\n", False),
        ("0::/x", "elsewhere", "", False),
    ],
)
def test_the_limit_is_that_of_the_control_group_less_what_is_used(
    tmp_path: Path, limits: None, group: str, file: str, text: str, found: bool
) -> None:
    (tmp_path / "cgroup").write_text(f"3:cpuset:/\n{group}\n")
    (tmp_path / "status").write_text("Name:\tx\nVmRSS:\t  200000 kB\nVmData:\t  1000000 kB\n")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    fail_before_the_kernel_acts(tmp_path, tmp_path)
    spare = 32 * 2**20
    expected = 1_000_000 * 1024 + 500_000_000 - 200_000 * 1024 - spare if found else before[0]
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == expected


@pytest.fixture
def group() -> Iterator[Path]:
    """The file with the limit of a control group below the tests' own."""
    own = {line.split(":")[1]: line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()}
    parent, file = (GROUPS / "memory" / own["memory"][1:], "memory.limit_in_bytes") if "memory" in own else (
        GROUPS / own[""][1:], "memory.max"
    )  # fmt: skip
    made = parent / f"smearscope-test-{os.getpid()}"
    try:
        made.mkdir()
        (made / file).write_text("1G")
    except OSError as error:
        pytest.skip(f"no control group with a limit can be made below {parent} ({error.strerror}); run as root")
    yield made / file
    made.rmdir()


@pytest.mark.parametrize("limit_mb", [350, 425])  # what cannot be read, and what can be neither examined nor stored
def test_at_the_limit_one_field_is_refused_and_the_others_are_examined(
    tmp_path: Path, group: Path, limit_mb: int
) -> None:
    group.write_text(f"{limit_mb}M")
    field = render("Pre", 7, (224, 224)).image
    for number in (1, 3):
        write_image(tmp_path / f"{number}.png", field)
    write_image(tmp_path / "2.jpg", np.tile(field, (27, 36, 1)))
    words = ["run", "--camera", f"files:{tmp_path}", "--display", "none", "--data", str(tmp_path / "data")]
    done = subprocess.run(
        ["sh", "-c", f"echo $$ > {group.parent}/cgroup.procs; exec \"$@\"", "", sys.executable, "-m", "device", *words],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, (done.returncode, done.stderr)
    unread = "1 pictures could not be read" in done.stderr and "2.jpg" in done.stderr
    assert unread or "1 fields were not stored" in done.stderr, done.stderr
    assert "needs more memory than there is" in done.stderr
    assert "1 distinct fields" in done.stdout
    assert "1 seen again" in done.stdout
