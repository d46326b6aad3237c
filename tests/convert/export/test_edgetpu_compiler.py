import os
import stat

import pytest

from convert.export.edgetpu_compiler import COMPILER, compile_model, compiler, parse_log
from smear.errors import ConversionError

LOG = """Edge TPU Compiler version 16.0.384591198
Input: model.int8.tflite
Output: model.int8_edgetpu.tflite
Number of operations that will run on Edge TPU: 30
Number of operations that will run on CPU: 2

Operator                       Count      Status

SOFTMAX                        1          Operation is otherwise supported, but not mapped
QUANTIZE                       1          More than one subgraph is not supported
CONV_2D                        30         Mapped to Edge TPU
"""


def test_the_log_of_the_compiler_is_read():
    assert parse_log(LOG) == (30, 2)


def test_a_log_with_the_table_alone_is_read():
    assert parse_log(LOG[LOG.index("Operator") :]) == (30, 2)


def test_a_log_without_operations_is_a_fault():
    with pytest.raises(ConversionError, match="lists no operations"):
        parse_log("Internal compiler error. Aborting!")


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """A compiler on the PATH that writes what the real one writes; the real one exists for x86-64 from Coral only."""

    def install(script):
        program = tmp_path / "bin" / COMPILER
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return install


def test_a_compiler_on_the_path_is_run_and_its_share_recorded(tmp_path, pretended):
    (tmp_path / "model.int8.tflite").write_bytes(b"model")
    (tmp_path / "log").write_text(LOG)
    pretended(f'cp "$4" "$3/model.int8_edgetpu.tflite"; cp {tmp_path}/log "$3/model.int8_edgetpu.log"')

    made = compile_model(tmp_path / "model.int8.tflite", tmp_path)

    assert made.file.name == "model.int8_edgetpu.tflite"
    assert made.share == 30 / 32


def test_a_compiler_that_rejects_a_model_is_an_error_with_its_reason(tmp_path, pretended):
    pretended('echo "Invalid model: model.int8.tflite" >&2; exit 1')

    with pytest.raises(ConversionError, match=r"rejected model\.int8\.tflite: Invalid model"):
        compile_model(tmp_path / "model.int8.tflite", tmp_path)


def test_without_a_compiler_one_line_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert compiler() is None
    with pytest.raises(ConversionError, match=r"coral\.ai"):
        compile_model(tmp_path / "x", tmp_path)
