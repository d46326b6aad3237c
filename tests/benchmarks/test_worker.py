import subprocess
import sys
from pathlib import Path

from benchmarks.interleaved import WORKER, Worker


def test_the_worker_imports_nothing_of_smearscope_until_it_is_asked_to() -> None:
    imported = "[name for name in sys.modules if name in ('smear', 'benchmarks')]"
    code = f"import runpy, sys; runpy.run_path({str(WORKER)!r}); print({imported})"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"


def test_an_unknown_request_is_a_fault_and_the_worker_goes_on(tiny_bundle: Path) -> None:
    with Worker(Path(sys.executable)) as worker:
        assert "fault" in worker.ask(do="open", name="a", kind="none")
        file = str(tiny_bundle / "classifier.float32.tflite")
        opened = worker.ask(
            do="open", name="a", kind="tflite", path=file, module="ai_edge_litert.interpreter", threads=1
        )
        assert opened["first_ms"] > 0
        assert len(worker.ask(do="run", name="a", n=3, seconds=10.0)["ms"]) == 3
