"""Proves a bundle in a process of its own, so that a crafted model can end that process and nothing else.

`python -m smear.inference.proof` is that process: it reads what to prove from standard input as one line of JSON,
limits itself, opens the models and runs them on the golden inputs and on one drawn field.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from smear.bundle.files import MAX_FILE_BYTES
from smear.bundle.folder import Bundle, open_manifest
from smear.bundle.levels import level_spec
from smear.bundle.manifest import MEND
from smear.errors import BundleError, RuntimeUnavailableError, SmearscopeError
from smear.findings import Frame

_MEGABYTE = 1 << 20
_ANSWER_BYTES = 64_000
_ENDED_WELL = 0


@dataclass(frozen=True, slots=True)
class Use:
    """How a device runs a bundle."""

    level: str
    runtime: str | None = None
    threads: int = 1
    delegate: str | None = None  # library of an accelerator, for a level that needs one
    cpu_fallback: bool = False  # without its accelerator, the level for the CPU will do


@dataclass(frozen=True, slots=True)
class ProofLimits:
    """What a proof may take; the shipped bundle takes a twentieth of each."""

    memory_mb: int = 256  # of address space, beyond what the libraries take and thrice the largest model
    processor_s: int = 240  # with every level: the reference kernels of int16x8 take seconds a picture on a Pi
    wall_s: float = 300.0


def prove(bundle: Bundle, use: Use, *, every_level: bool = False, limits: ProofLimits | None = None) -> None:
    """Prove that `bundle` can be used so: its models open, reproduce their golden outputs and answer on a field.

    The very manifest of `bundle` is proven: where the folder holds another one by now, the proof fails. `every_level`
    runs the models of all levels on the golden inputs, not only those of `use`.

    Raises:
        BundleError: it cannot; also where a model crashes, hangs or takes more than `limits`.
        RuntimeUnavailableError: the runtime or the accelerator is not on this machine.
    """
    bounds = limits or ProofLimits()
    asked = {
        "path": str(bundle.path), "sha256": bundle.sha256, "every_level": every_level, "use": asdict(use),
        "limits": asdict(bounds),
    }  # fmt: skip
    with tempfile.TemporaryFile() as answer:  # not a pipe: the child's limit on files bounds it
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "smear.inference.proof"], env=_environment(),
                stdin=subprocess.PIPE, stdout=answer, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise _refused(bundle, f"its proof cannot be started ({error.strerror})") from error
        try:
            process.communicate(json.dumps(asked, allow_nan=False).encode(), timeout=bounds.wall_s)
        except subprocess.TimeoutExpired:
            raise _refused(bundle, f"its proof does not end within {bounds.wall_s:g} s") from None
        finally:
            _end(process)
        answer.seek(0)
        said = answer.read(_ANSWER_BYTES)
    if process.returncode < 0:
        raise _refused(bundle, _ending(-process.returncode, bounds))
    fault = _parsed(said)
    if process.returncode != _ENDED_WELL or fault is None:
        raise _refused(bundle, f"its proof failed, or needs more than {bounds.memory_mb} MB")
    if fault.get("unavailable"):
        raise RuntimeUnavailableError(fault["text"])
    if fault["text"]:
        raise BundleError(fault["text"])


def _environment() -> dict[str, str]:
    """Return this process's environment, with which the child finds the same packages and one heap."""
    here = str(Path(__file__).parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _refused(bundle: Bundle, reason: str) -> BundleError:
    return BundleError(f"bundle {bundle.path}: {reason}; it is not used: {MEND}")


def _ending(number: int, limits: ProofLimits) -> str:
    name = signal.Signals(number).name
    if number == signal.SIGXCPU:
        return f"its proof takes more than {limits.processor_s} s of processor time"
    return f"a model of it ends the process that runs it ({name}), or needs more than {limits.memory_mb} MB"


def _parsed(said: bytes) -> dict[str, str] | None:
    try:
        found = json.loads(said)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("text"), str) else None


def _limit(limits: ProofLimits, largest: int) -> None:
    """Bound this process, which runs models of `largest` bytes; a dump of its memory would fill a device's disk."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - pages, the first number is all of them
        taken = int(file.read().split()[0]) * resource.getpagesize()
    memory = taken + limits.memory_mb * _MEGABYTE + 3 * largest
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, limits.processor_s, limits.processor_s + 1),  # the soft one says which limit it was
        (resource.RLIMIT_FSIZE, _ANSWER_BYTES, _ANSWER_BYTES),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


def largest_model(bundle: Bundle) -> int:
    """Return the size of the largest model file of `bundle` in bytes, as it lies there."""
    from smear.inference.verification import models

    files = [bundle.path / name for _, _, name in models(bundle.manifest)]
    return min(MAX_FILE_BYTES, max((file.lstat().st_size for file in files if file.is_file()), default=0))


def _run(bundle: Bundle, use: Use, every_level: bool) -> None:
    """Do in this process what `prove` promises."""
    from smear.inference.frame_processor import FrameProcessor
    from smear.inference.pipeline import Pipeline
    from smear.inference.verification import golden_faults
    from smear.synthetic import render

    if every_level and (faults := golden_faults(bundle, use.runtime)):
        raise BundleError(f"bundle {bundle.path}: {'; '.join(faults)}; {MEND}")
    cpu_level = level_spec(use.level).cpu_level
    try:
        pipeline = Pipeline(bundle, use.level, use.runtime, use.threads, delegate=use.delegate)
    except RuntimeUnavailableError:
        if cpu_level is None or not use.cpu_fallback:
            raise
        pipeline = Pipeline(bundle, cpu_level, use.runtime, use.threads)
    processor = FrameProcessor(pipeline)
    processor.examine(Frame(render("Pre", 1).image, "drawn", bundle.manifest.input.pixel_size_um))
    processor.close()


def main() -> None:
    """Prove what standard input asks for, and write the fault, or none, to standard output."""
    asked = json.loads(sys.stdin.buffer.readline())
    limits, use = ProofLimits(**asked["limits"]), Use(**asked["use"])
    answer: dict[str, object] = {"text": ""}
    try:
        from smear.inference.tflite import choose_runtime

        kind = choose_runtime(use.runtime)  # a library that is large in itself is no fault of the bundle
        if kind.module:
            kind.load()
        bundle = open_manifest(Path(asked["path"]))
        _limit(limits, largest_model(bundle))
        if bundle.sha256 != asked["sha256"]:
            raise BundleError(f"bundle {bundle.path}: it was changed while it was read; try again")
        _run(bundle, use, asked["every_level"])
    except RuntimeUnavailableError as error:
        answer = {"text": str(error), "unavailable": True}
    except SmearscopeError as error:
        answer = {"text": str(error)}
    except MemoryError:
        answer = {"text": f"bundle {asked['path']}: a model of it needs more than {limits.memory_mb} MB; {MEND}"}
    sys.stdout.write(json.dumps(answer, allow_nan=False))


if __name__ == "__main__":
    main()
