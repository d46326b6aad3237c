import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.interleaved import Effort
from benchmarks.peers.networks import onnx_of, plan_peers
from benchmarks.schema import BenchmarkError
from benchmarks.suites.levels import ROLES, Plan, measure_variants
from smear.bundle.folder import load_bundle
from smear.imaging.resampling import FIELD_SIZE
from smear.synthetic import render

BRIEF = Effort(queries=4, seconds=1.0, burst=1, warm_s=0.0, repeats=1)
FIELDS = np.stack([render("Pre", 1).image])


@pytest.fixture
def without_onnx(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with nothing beside it, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    shutil.copytree(tiny_bundle, tmp_path / "alone")
    return tmp_path / "alone"


def test_the_onnx_file_beside_the_bundle_is_taken(without_onnx: Path) -> None:
    beside = without_onnx.with_name("alone.segmenter.onnx")
    beside.write_bytes(b"onnx")
    assert onnx_of(load_bundle(without_onnx), "segmenter") == beside


def test_where_none_can_be_made_every_row_says_what_to_do(without_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", shutil.which("false", path="/bin:/usr/bin"))
    bundle = load_bundle(without_onnx)
    with pytest.raises(BenchmarkError, match=r"alone\.segmenter\.onnx.*smearscope\[convert\]"):
        onnx_of(bundle, "segmenter")
    plan = list(plan_peers(bundle, "segmenter", FIELDS, 1, without_onnx.parent))
    assert [(spec is None, facts["runtime"]) for spec, facts in plan] == [
        (True, "onnxruntime"), (True, "onnxruntime"), (False, "opencv"),
    ]  # fmt: skip
    assert "copy the file" in plan[0][1]["fault"]


def test_a_file_that_was_made_once_is_kept_by_the_checksum_of_its_source(without_onnx: Path) -> None:
    pytest.importorskip("tf2onnx", reason="tf2onnx comes with smearscope[convert]")
    bundle = load_bundle(without_onnx)
    made = onnx_of(bundle, "classifier")
    first = made.stat().st_mtime_ns
    assert onnx_of(bundle, "classifier") == made
    assert made.stat().st_mtime_ns == first
    assert without_onnx.parent in made.parents


def test_every_engine_takes_its_turn_beside_the_bundles_own_model(without_onnx: Path, tmp_path: Path) -> None:
    for role in ROLES:
        without_onnx.with_name(f"alone.{role}.onnx").write_bytes(one_convolution())
    np.save(tmp_path / "fields.npy", FIELDS)
    plan = Plan(
        load_bundle(without_onnx), None, ("float32",), {"ai-edge-litert": Path(sys.executable)}, (1,),
        tmp_path / "fields.npy", scratch=tmp_path,
    )  # fmt: skip
    rows = [row for row in measure_variants(plan, BRIEF, lambda what, done: None) if row.role == "segmenter"]
    assert [(row.runtime, row.level, row.fault) for row in rows] == [
        ("ai-edge-litert", "float32", ""), ("onnxruntime", "float32", ""), ("onnxruntime", "int8", ""),
        ("opencv", "float32", ""),
    ]  # fmt: skip
    assert [row.ratio is None for row in rows] == [True, False, False, False]
    assert all(row.peak_mb and row.file_bytes for row in rows)


def one_convolution() -> bytes:
    """An ONNX model as tf2onnx writes them: a picture in rows, columns and colours in, three values a pixel out."""
    shape = [1, FIELD_SIZE, FIELD_SIZE, 3]
    weights = np.random.default_rng(0).normal(size=(3, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["picture"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights"], ["answer"]),
        helper.make_node("Transpose", ["answer"], ["out"], perm=[0, 2, 3, 1]),
    ]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("picture", "out")]
    graph = helper.make_graph(nodes, "tiny", given[:1], given[1:], [numpy_helper.from_array(weights, "weights")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
