"""Manifests, golden files, settings, calibrations and training runs mutated at random: read, or refused in one line.

SMEARSCOPE_FUZZ=20000 sets how many of each; without it the same few seconds' worth every time.
"""

import hashlib
import io
import json
import os
import re
import resource
import shutil
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.cameras.calibration import Calibration, ProfileStore
from device.cameras.calibration.gains import GainRows
from device.settings import Settings, load_settings
from device.settings_toml import to_toml, values_of
from smear.bundle.arrays import read_arrays
from smear.bundle.folder import open_manifest
from smear.bundle.manifest import CHECKSUM, MANIFEST, SIGNATURE
from smear.bundle.signing import load_signed_bundle
from smear.bundle.training_run import RUN_FILE, read_facts
from smear.errors import SmearscopeError
from smear.inference.verification import answer, read_golden

ASKED = os.environ.get("SMEARSCOPE_FUZZ")
EXAMPLES = int(ASKED or 400)
SLOW_S = 5.0
MOST_MEMORY_KB = 400_000
NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e300",
    "5e-324",
    "0",
    "-1",
    "9" * 400,
    "1e-9",
    "null",
    "true",
    "{}",
)
TOML_NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "9" * 400,
    "0x7fffffffffffffff",
    "[]",
    "1979-05-27",
    '"\\u0000"',
)


def _with_number(content: bytearray, at: int, number: bytes) -> None:
    """Put `number` in the place of the next one after `at`."""
    text = content.decode("latin-1")
    if found := re.compile(r"[0-9][0-9.eE+-]*").search(text, at):
        content[found.start() : found.end()] = number


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes], numbers: tuple[str, ...] = NUMBERS) -> bytes:
    """Draw one seed with a few of its bytes or numbers changed, moved, repeated or left out."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["number", "number", "number", "byte", "cut", "leave out", "repeat", "word"])):
            case "number":
                _with_number(content, at, draw(st.sampled_from(numbers)).encode())
            case "byte":
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del content[at:]
            case "leave out":
                del content[at : at + draw(st.integers(1, 64))]
            case "repeat":
                content[at:at] = content[at : at + draw(st.integers(1, 40))] * draw(st.integers(1, 200))
            case "word":
                number = draw(st.sampled_from([0, 1, 127, 128, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1]))
                content[at : at + 4] = struct.pack("<I", number)
    return bytes(content)


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("fuzz") / "bundle"))


class Figures:
    """What became of the inputs of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.counts: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def take(self, read: Callable[[], Any]) -> None:
        """Read one input: a result, or an error of ours in one printable line, soon."""
        began_s = time.perf_counter()
        try:
            read()
        except SmearscopeError as error:
            self.counts["refused"] += 1
            assert "\n" not in str(error)
        else:
            self.counts["read"] += 1
        took_s = time.perf_counter() - began_s
        self.slowest_s = max(self.slowest_s, took_s)
        assert took_s < SLOW_S

    def say(self) -> None:
        most_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(self.kind, dict(self.counts), f"slowest {self.slowest_s:.3f} s, {most_kb // 1000} MB")  # noqa: T201
        assert self.counts["refused"]
        assert most_kb < max(
            MOST_MEMORY_KB, self.before_kb + MOST_MEMORY_KB // 4
        )  # what ran before may have needed more


def run(kind: str, inputs: st.SearchStrategy[Any], read: Callable[[Any], Any]) -> Figures:
    """Draw `EXAMPLES` inputs and read each."""
    figures = Figures(kind)

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=ASKED is None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(inputs)
    def each(content: Any) -> None:
        figures.take(lambda: read(content))

    each()
    figures.say()
    return figures


def test_a_mutated_manifest(bundle: Path, tmp_path: Path) -> None:
    path = shutil.copytree(bundle, tmp_path / "bundle")
    whole = (path / MANIFEST).read_bytes()
    rich = json.loads(whole)
    rich["classifier"] |= {
        "stain": [0.4, 0.5],
        "shown": "cells",
        "figures": {"e": {"value": 0.1, "split": "x", "n": 3}},
    }

    def read(content: bytes) -> None:
        (path / MANIFEST).write_bytes(content)
        (path / CHECKSUM).write_bytes(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode())
        load_signed_bundle(path, None)
        facts = open_manifest(path).manifest
        numbers = (facts.classifier.temperature, facts.classifier.abstain_below, facts.input.pixel_size_um)
        assert all(np.isfinite(number) for number in numbers)

    figures = run("manifest", mutated([whole, json.dumps(rich).encode()]), read)
    assert figures.counts["read"]


def test_a_mutated_checksum_or_signature(bundle: Path, tmp_path: Path) -> None:
    path = shutil.copytree(bundle, tmp_path / "bundle")

    def read(contents: tuple[bytes, bytes]) -> None:
        for name, content in zip((CHECKSUM, SIGNATURE), contents, strict=True):
            (path / name).write_bytes(content)
        load_signed_bundle(path, None)

    sound = (path / CHECKSUM).read_bytes()
    run("signature", st.tuples(mutated([sound]), mutated([bytes(64), bytes(range(64))])), read)


def test_a_mutated_golden_file(bundle: Path, tmp_path: Path) -> None:
    path = shutil.copytree(bundle, tmp_path / "bundle")
    with np.load(path / "golden.npz") as arrays:
        small = {name: arrays[name].reshape(-1)[:6] for name in arrays.files}
        empty = {name: np.zeros_like(arrays[name]) for name in arrays.files}  # of the right shapes, and a few kB packed
    plain, packed, golden = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(plain, **small)  # type: ignore[arg-type]
    np.savez_compressed(packed, **small)  # type: ignore[arg-type]
    np.savez_compressed(golden, **empty)  # type: ignore[arg-type]
    whole = json.loads((path / MANIFEST).read_text())

    class Still:
        name, input_shape, output_shape = "still", (1, 224, 224, 3), (1, 224, 224, 3)

        def invoke(self, tensor: np.ndarray) -> np.ndarray:
            return np.zeros(self.output_shape, np.float32)

        def close(self) -> None:
            pass

    def read(content: bytes) -> None:
        for array in read_arrays(content, "golden.npz").values():
            assert np.isfinite(array).all()
        (path / "golden.npz").write_bytes(content)
        whole["files"]["golden.npz"] = hashlib.sha256(content).hexdigest()
        (path / MANIFEST).write_text(json.dumps(whole))
        found = read_golden(open_manifest(path))
        if "images" in found:
            answer("segmenter", Still(), found["images"][:1])

    run("golden", mutated([plain.getvalue(), packed.getvalue(), golden.getvalue()]), read)


def test_mutated_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    seeds = [
        to_toml(values_of(Settings())).encode(),
        b"[camera]\nwidth = 640\nheight = 480\npixel_size_um = 0.5\n[gate]\nmin_focus = 1\n",
    ]

    def read(content: bytes) -> None:
        file.write_bytes(content)
        found = load_settings(file)
        assert np.isfinite([found.camera.timeout_s, found.gate.min_focus, found.store.busy_timeout_s]).all()

    run("settings", mutated(seeds, TOML_NUMBERS), read)


def test_a_mutated_calibration(tmp_path: Path) -> None:
    whole = Calibration(
        camera="v4l2:/dev/video0", size=(640, 480), white=(1.0, 1.1, 1.2), glass=(200.0, 200.0, 200.0),
        flat=[[[1.0, 1.5, 2.0]] * 32] * 24, controls={"gain": 1, "gains": [1.0, 2.5]},
        pixel_size_um=0.25, best_focus=0.2,
    )  # fmt: skip
    small = whole.model_copy(update={"flat": None})
    store = ProfileStore(tmp_path)
    store.folder.mkdir()

    def read(content: bytes) -> None:
        (store.folder / "calibration.json").write_bytes(content)
        found = store.in_use()
        if found.white is not None:
            assert np.isfinite(GainRows(found, (48, 64)).gains(slice(0, 48))).all()

    run("calibration", mutated([whole.model_dump_json().encode(), small.model_dump_json().encode()]), read)


def test_a_mutated_training_run(tmp_path: Path) -> None:
    from tests.convert.tiny import run_facts

    def read(content: bytes) -> None:
        (tmp_path / RUN_FILE).write_bytes(content)
        read_facts(tmp_path)

    run("training run", mutated([json.dumps(run_facts()).encode()]), read)
