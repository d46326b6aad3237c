"""Names and links that would lead out of a folder go through the door for files: written below it, or refused.

SMEARSCOPE_FUZZ=20000 sets how many; without it the same few seconds' worth every time.
"""

import os
import shutil
import socket
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smear.errors import StoreError
from smear.output_files import OutputFolder

ASKED = os.environ.get("SMEARSCOPE_FUZZ")
EXAMPLES = int(ASKED or 300)
SLOW_S = 5.0
SECRET = b"not ours"

parts = st.sampled_from(
    [
        "", ".", "..", "a", "b", "link", "fifo", "file", "up", "~", "-rf", "a\nb", "\x1b[2J", "\udcff", "ü" * 120,
        "x" * 256, "a\0b", "a\\b", ".lock", "/", "*",
    ]
) | st.text(max_size=6)  # fmt: skip
names = st.builds(
    lambda root, inner: root + "/".join(inner), st.sampled_from(["", "", "", "/", "//", "./"]),
    st.lists(parts, min_size=1, max_size=5),
)  # fmt: skip
traps = st.dictionaries(
    st.sampled_from(["a", "b", "a/b", "x", "x/y", "link", "fifo", "file", "up"]),
    st.sampled_from(["folder", "outside", "secret", "dangling", "loop", "fifo", "socket", "file", "up"]),
    max_size=5,
)  # fmt: skip


def _set(inside: Path, name: str, kind: str, outside: Path) -> None:
    """Put what somebody else might have left at `name` into the folder."""
    at = inside / name
    at.parent.mkdir(parents=True, exist_ok=True)
    targets = {"outside": outside, "secret": outside / "secret", "dangling": outside / "new", "up": "..", "loop": at}
    if kind in targets:
        at.symlink_to(targets[kind])
    elif kind == "folder":
        at.mkdir()
    elif kind == "fifo":
        os.mkfifo(at)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            descriptor = os.open(at.parent, os.O_RDONLY)
            listener.bind(f"/proc/self/fd/{descriptor}/{at.name}")  # a socket's address has 108 bytes at most
            os.close(descriptor)
    else:
        at.write_bytes(b"old")


def _lay(inside: Path, found: dict[str, str], outside: Path) -> None:
    for path in (inside, outside):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    (outside / "secret").write_bytes(SECRET)
    for name, kind in sorted(found.items()):
        top = (inside / name).parent
        if top == inside or not (os.path.lexists(top) and found.get(top.name) != "folder"):
            _set(inside, name, kind, outside)


def test_no_name_and_nothing_that_lies_in_a_folder_leads_out_of_it(tmp_path: Path) -> None:
    inside, outside = tmp_path / "top" / "inside", tmp_path / "top" / "outside"
    inside.parent.mkdir()
    seen: Counter[str] = Counter()
    slowest_s = [0.0]

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=ASKED is None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(traps, names, st.sampled_from(["write", "check", "read", "remove", "replace"]))
    def each(found: dict[str, str], name: str, doing: str) -> None:
        _lay(inside, found, outside)
        began_s = time.perf_counter()
        try:
            with OutputFolder(inside) as folder:
                match doing:
                    case "write":
                        folder.write(name, b"new")
                        assert folder.read(name) == b"new"
                    case "replace":
                        folder.write(name, b"new", may_replace=lambda head: head != b"old")
                    case "check":
                        folder.check(name)
                    case "read":
                        assert folder.read(name) != SECRET
                    case "remove":
                        folder.remove(name)
        except StoreError as error:
            seen["refused"] += 1
            assert str(error).isprintable(), error
        else:
            seen[doing] += 1
        slowest_s[0] = max(slowest_s[0], time.perf_counter() - began_s)
        assert slowest_s[0] < SLOW_S
        assert [path.name for path in outside.iterdir()] == ["secret"]
        assert (outside / "secret").read_bytes() == SECRET
        assert {path.name for path in inside.parent.iterdir()} == {"inside", "outside"}
        assert not list(inside.rglob("*.part"))

    each()
    print(dict(seen), f"slowest {slowest_s[0]:.3f} s")  # noqa: T201 - the figures of a long run
    assert set(seen) == {"refused", "write", "replace", "check", "read", "remove"}
