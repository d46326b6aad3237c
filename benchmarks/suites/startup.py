"""Times whole processes: until the help is printed, and until the first finding is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import schema
from benchmarks.interleaved import ROOT
from benchmarks.progress import OnProgress
from smear.bundle.folder import Bundle

PROCESSES = {"quick": 3, "full": 10}


def measure_start(bundle: Bundle, level: str, picture: Path, mode: str, on_progress: OnProgress) -> schema.Start:
    """Time `smearscope --help` and `smearscope analyze` in turn, after one of each that fills the file cache."""
    command, n = [sys.executable, "-m", "device"], PROCESSES[mode]
    first = ["analyze", str(picture), "--bundle", str(bundle.path), "--level", level, "--data", str(picture.parent)]
    helps, findings = list[tuple[float, float]](), list[tuple[float, float]]()
    for turn in range(n + 1):
        on_progress("starting processes", turn / (n + 1))
        helps.append(_process_s([*command, "--help"]))
        findings.append(_process_s([*command, *first]))
    help_s, help_cpu_s = np.array(helps[1:]).T
    first_s, first_cpu_s = np.array(findings[1:]).T
    return schema.Start(
        help_s=np.median(help_s),
        help_p90_s=np.percentile(help_s, 90),
        help_cpu_s=np.median(help_cpu_s),
        first_finding_s=np.median(first_s),
        first_finding_p90_s=np.percentile(first_s, 90),
        first_finding_cpu_s=np.median(first_cpu_s),
        n=n,
    )


def _process_s(command: list[str]) -> tuple[float, float]:
    """Return the seconds until the first line is printed, and the processor time of the whole process."""
    began, before = time.perf_counter(), os.times()
    # As where it is installed: compiled modules are kept, whatever this shell says. The first turn writes them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        took = time.perf_counter() - began
        process.stdout.read()
        errors = process.stderr.read()
    after = os.times()
    if not line or process.returncode != 0:
        raise schema.BenchmarkError(f"{' '.join(command[1:4])} printed nothing ({errors.strip()[-200:]}); run it alone")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return took, cpu
