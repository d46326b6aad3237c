"""A bundle proven in a process of its own: whatever its models do there, here it is one `BundleError`."""

import os
import resource
import shutil
import sys
import time
from pathlib import Path

import pytest

from smear.bundle.folder import load_bundle
from smear.errors import BundleError, RuntimeUnavailableError
from smear.inference.proof import ProofLimits, Use, prove
from tests.plugin import write_plugin

RUNTIME = """
import os, resource, signal, time
from pathlib import Path
import numpy as np
from smear.inference.runtime import RuntimeKind
from smear.inference.tflite import AI_EDGE_LITERT, TFLiteModel

def open_it(content, name, threads, delegate):
    Path({note!r}).write_text(str(os.getpid()))
    {action}
    return TFLiteModel(AI_EDGE_LITERT, content, name, threads, delegate)

KIND = RuntimeKind(name="odd", help="what a crafted model may do", open=open_it)
"""
ACTIONS = {
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "memory": "np.ones(3_000_000_000, np.uint8)",
    "processor": "while True: pass",
    "hang": "time.sleep(3600)",
    "leave": "os._exit(0)",
    "nothing": "pass",
}
USE = Use("float32", "odd")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a runtime that does what is asked when a model is opened; returns where it notes its process."""

    def install(action: str) -> Path:
        note = tmp_path / "note"
        module = RUNTIME.format(note=str(note), action=ACTIONS[action])
        folder = write_plugin(tmp_path / "site", {"odd": module}, {"smearscope.runtimes": {"odd": "odd:KIND"}})
        before = os.environ.get("PYTHONPATH", "")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), before]))
        return note

    return install


def test_a_sound_bundle_is_proven(tiny_bundle: Path) -> None:
    prove(load_bundle(tiny_bundle), Use("float32"), every_level=True)


def test_a_runtime_of_a_plugin_is_used_in_the_process_of_the_proof(tiny_bundle: Path, runtime) -> None:
    note = runtime("nothing")
    prove(load_bundle(tiny_bundle), USE)
    assert int(note.read_text()) != os.getpid()


@pytest.mark.parametrize(
    ("action", "limits", "words"),
    [
        ("crash", ProofLimits(), "SIGSEGV"),
        ("memory", ProofLimits(memory_mb=256), "needs more than 256 MB"),
        ("processor", ProofLimits(processor_s=3), "more than 3 s of processor time"),
        ("hang", ProofLimits(wall_s=4.0), "does not end within 4 s"),
        ("leave", ProofLimits(), "its proof failed"),
    ],
)
def test_a_model_that_ends_its_process_is_refused_and_this_one_goes_on(
    tiny_bundle: Path, runtime, action: str, limits: ProofLimits, words: str
) -> None:
    note = runtime(action)
    began_s = time.monotonic()
    with pytest.raises(BundleError, match=words) as refused:
        prove(load_bundle(tiny_bundle), USE, limits=limits)
    assert "it is not used" in str(refused.value) or "needs more" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began_s < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert not list(Path.cwd().glob("core*"))


def test_no_limit_of_the_proof_is_set_here(tiny_bundle: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    prove(load_bundle(tiny_bundle), Use("float32"))
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_level_that_the_device_asks_for_and_the_bundle_lacks_is_no_proof(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="no segmenter at level 'int8'; choose one of float32"):
        prove(load_bundle(tiny_bundle), Use("int8"))


def test_a_runtime_that_is_not_here_is_no_fault_of_the_bundle(tiny_bundle: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="'torch' is no runtime"):
        prove(load_bundle(tiny_bundle), Use("float32", "torch"))


def test_a_bundle_swapped_before_its_proof_is_not_proven(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    bundle = load_bundle(folder)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"tiny"', '"other"'))
    with pytest.raises(BundleError, match="changed while it was read"):
        prove(bundle, Use("float32"))


def test_where_no_process_can_be_started_the_bundle_is_refused_in_one_line(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(BundleError, match="its proof cannot be started"):
        prove(load_bundle(tiny_bundle), Use("float32"))
