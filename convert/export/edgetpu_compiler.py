"""Runs Coral's own compiler for the Edge TPU, where it is installed."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from smear.errors import ConversionError

COMPILER = "edgetpu_compiler"
WHERE_TO_GET_IT = (
    f"{COMPILER} is not on the PATH: x86-64 Debian or Ubuntu only, from Coral's package archive "
    "(coral.ai/docs/edgetpu/compiler); until then the share on the Edge TPU is predicted, not compiled"
)
COMPILER_TIMEOUT_S = 180  # as the compiler's own default


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model compiled for the Edge TPU."""

    file: Path
    on_tpu: int
    on_cpu: int

    @property
    def share(self) -> float:
        """Share of the operations that the compiler mapped."""
        return self.on_tpu / max(1, self.on_tpu + self.on_cpu)


def compiler() -> str | None:
    """Return the path of the Edge TPU compiler, or None where there is none."""
    return shutil.which(COMPILER)


def compile_model(file: Path, out: Path) -> Compiled:
    """Run the Edge TPU compiler on the int8 model `file`, writing to the folder `out`.

    Raises:
        ConversionError: there is no compiler, or it rejects the model.
    """
    program = compiler()
    if program is None:
        raise ConversionError(WHERE_TO_GET_IT)
    try:
        command = [program, "--show_operations", "--out_dir", str(out), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILER_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ConversionError(f"{COMPILER} did not finish {file.name} in {COMPILER_TIMEOUT_S} s; simplify it") from None
    made, log = out / f"{file.stem}_edgetpu.tflite", out / f"{file.stem}_edgetpu.log"
    text = done.stdout + done.stderr + (log.read_text(encoding="utf-8") if log.is_file() else "")
    if done.returncode != 0 or not made.is_file():
        first = next((line for line in text.splitlines() if "rror" in line or "nvalid" in line), "no reason given")
        raise ConversionError(
            f"{COMPILER} rejected {file.name}: {first.strip()}; see its prediction in the conversion record"
        )
    on_tpu, on_cpu = parse_log(text)
    return Compiled(made, on_tpu, on_cpu)


def parse_log(text: str) -> tuple[int, int]:
    """Return how many operations the compiler's log says run on the Edge TPU and on the CPU.

    Raises:
        ConversionError: the log states neither.
    """
    found = [
        re.search(rf"Number of operations that will run on {place}:\s*(\d+)", text) for place in ("Edge TPU", "CPU")
    ]
    if found[0] is None:  # a model that maps as a whole is only listed in the table
        rows = re.findall(r"^([A-Z0-9_]+)\s+(\d+)\s+(.+)$", text, re.MULTILINE)
        if not rows:
            raise ConversionError(f"the log of {COMPILER} lists no operations; report its version and log")
        on_tpu = sum(int(count) for _, count, status in rows if status.startswith("Mapped to Edge TPU"))
        return on_tpu, sum(int(count) for _, count, _ in rows) - on_tpu
    return int(found[0].group(1)), int(found[1].group(1)) if found[1] else 0
