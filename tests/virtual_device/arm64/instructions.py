"""Count the instructions that the networks of bundles execute a field on the Pi's processors: a figure without noise.

usage: python -m tests.virtual_device.arm64.instructions OUT.json NAME=FOLDER ...

FOLDER holds segmenter.LEVEL.tflite and classifier.LEVEL.tflite, as a bundle does; "shipped" must be a bundle. QEMU
says which blocks of code it runs, and how many instructions each has; only those of the runtime's own library are
counted, and one invocation is what two take more than one. The rest of a field, in Python and OpenCV, is not in it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.schema import Board, Instructions, Result
from smear.bundle.folder import load_bundle
from tests.virtual_device import debian
from tests.virtual_device.arm64 import conftest

PYTHON = "3.11"
PROCESSORS = {"cortex-a76": "Pi 5", "cortex-a72": "Pi 4"}  # the first has int8 dot products, the second has not
LEVELS = ("int8", "float32")
ROLES = ("segmenter", "classifier")
GUEST = Path(__file__).with_name("invoke.py")
LIBRARY = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-xp .*libpywrap_litert_common", re.MULTILINE)


def main(out: str, *named: str) -> None:
    """Count all and write the result."""
    root, site = board()
    rows = []
    for name, folder in (each.split("=", 1) for each in named):
        for processor, level, role in ((p, lv, r) for p in PROCESSORS for lv in LEVELS for r in ROLES):
            model = Path(folder, f"{role}.{level}.tflite").resolve()
            once, twice = (count(root, site, processor, model, n) for n in (1, 2))
            rows.append(Instructions(key=f"{name}/{role}/{level}", processor=processor, millions=(twice - once) / 1e6))
            sys.stdout.write(f"{rows[-1]}\n")
    write(Path(out), rows, Path(dict(each.split("=", 1) for each in named)["shipped"]))


def write(out: Path, rows: list[Instructions], bundle: Path) -> None:
    """Write `rows` as a result that `smearscope bench compare` reads."""
    here = environment(load_bundle(bundle), Board(), Board(), {})
    emulated = here.model_copy(update={"machine": "aarch64 emulated by QEMU", "cpu": ", ".join(PROCESSORS), "nice": 0})
    found = Result(
        created=datetime.now(UTC).isoformat(timespec="seconds"), mode="full", environment=emulated, instructions=rows
    )
    out.write_text(json.dumps(found.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")


def board() -> tuple[Path, Path]:
    """Return the root of an arm64 Debian, and the folder with the project's wheels."""
    root = debian.kept(
        "arm64-bookworm", [conftest.PACKAGES, conftest.UNPACKED, *debian.OPTIONS], [],
        lambda folder: conftest._unpack(folder, "bookworm"),
    )  # fmt: skip
    site = Path(tempfile.mkdtemp(prefix="smearscope-site-"))
    installed = conftest._install(PYTHON, debian.wheels(PYTHON, conftest.ARM64), site)
    assert installed.returncode == 0, installed.stderr
    return root, site


def count(root: Path, site: Path, processor: str, model: Path, invokes: int) -> int:
    """Return how many instructions of the runtime's library are executed until the model was invoked so often."""
    # Without random addresses, so that the library lies where the first run found it.
    emulator, *options = conftest.emulator(root)
    start = ["setarch", "-R", emulator, "-cpu", processor]
    guest = [*options, str(root / f"usr/bin/python{PYTHON}"), str(GUEST), str(model)]
    run = {"env": os.environ | {"PYTHONPATH": str(site)}, "stderr": subprocess.DEVNULL}
    maps = subprocess.run([*start, *guest, "0"], stdout=subprocess.PIPE, text=True, check=True, **run).stdout  # type: ignore[call-overload]
    low, high = LIBRARY.search(maps).groups()  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder, "log")
        os.mkfifo(pipe)
        log = ["-d", "exec,nochain,in_asm", "-dfilter", f"0x{low}..0x{high}", "-D", str(pipe)]
        words = [*start, *log, *guest, str(invokes)]
        with (
            subprocess.Popen(words, stdout=subprocess.DEVNULL, **run),  # type: ignore[call-overload]
            pipe.open("rb") as lines,
        ):
            return executed(lines)


def executed(lines: Iterator[bytes]) -> int:
    """Return the sum over all blocks that QEMU's log says were run, each with as many instructions as it had then."""
    sizes: dict[int, int] = {}
    total, block = 0, None
    for line in lines:
        if line.startswith(b"Trace"):  # Trace 0: HOST [CS_BASE/PC/FLAGS/CFLAGS]
            total += sizes[int(line.split(b"[", 1)[1].split(b"/", 2)[1], 16)]
            block = None
        elif line.startswith(b"0x"):
            if block is None:
                block = int(line.split(b":", 1)[0], 16)
                sizes[block] = 0
            sizes[block] += 1
        elif line.startswith((b"IN:", b"---")):
            block = None
    return total


if __name__ == "__main__":
    main(*sys.argv[1:])
