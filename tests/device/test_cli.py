"""The root command: quick help, lazy imports, one line per expected error."""

import os
import subprocess
import sys
import types

import click
import pytest
from click.testing import CliRunner

from device import cli as root
from smear.errors import CameraError


def _command(action):  # type: ignore[no-untyped-def]
    return click.Command("doctor", callback=action)


@pytest.fixture
def doctor(monkeypatch):  # type: ignore[no-untyped-def]
    """Put a function in the place of the 'doctor' sub-command."""

    def install(action):  # type: ignore[no-untyped-def]
        module = types.ModuleType("a_command")
        module.command = _command(action)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "a_command", module)
        monkeypatch.setitem(root.COMMANDS, "doctor", root.LazyCommand("a_command:command", "device", "x"))

    return install


def test_help_names_every_command_and_its_purpose():
    result = CliRunner().invoke(root.cli, ["--help"])
    assert result.exit_code == 0
    for name, entry in root.COMMANDS.items():
        assert name in result.output
        assert entry.help in result.output


def test_help_imports_neither_numpy_nor_opencv_nor_pydantic():
    code = (
        "import sys; from click.testing import CliRunner; from device.cli import cli;"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0;"
        "print([m for m in ('numpy', 'cv2', 'pydantic', 'rich', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_expected_error_is_one_line_and_exit_code_1(doctor):
    def action():
        raise CameraError("camera 'x': not there; plug it in")

    doctor(action)
    result = CliRunner().invoke(root.cli, ["doctor"])
    assert result.exit_code == 1
    assert result.stderr == "smearscope: camera 'x': not there; plug it in\n"


def test_verbose_adds_the_traceback(doctor):
    def action():
        raise CameraError("gone")

    doctor(action)
    result = CliRunner().invoke(root.cli, ["--verbose", "doctor"])
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("smearscope: gone\n")


def test_ctrl_c_ends_with_130(doctor):
    def action():
        raise KeyboardInterrupt

    doctor(action)
    result = CliRunner().invoke(root.cli, ["doctor"])
    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


def test_a_missing_package_names_the_extra_that_brings_it(doctor):
    def action():
        import a_package_nobody_has  # noqa: F401

    doctor(action)
    result = CliRunner().invoke(root.cli, ["doctor"])
    assert result.exit_code == 1
    assert result.stderr == (
        "smearscope: 'doctor' needs the Python package 'a_package_nobody_has'; "
        "install it with: pip install 'smearscope[device]'\n"
    )


def test_a_command_left_out_of_the_installation_names_its_extra(monkeypatch):
    monkeypatch.setitem(root.COMMANDS, "train", root.LazyCommand("train.nowhere:command", "train", "x"))
    result = CliRunner().invoke(root.cli, ["train"])
    assert result.exit_code == 1
    assert "'train' is not part of this installation" in result.stderr
    assert "smearscope[train]" in result.stderr


def test_an_unknown_command_is_a_usage_error():
    result = CliRunner().invoke(root.cli, ["analyse"])
    assert result.exit_code == 2
    assert "No such command 'analyse'" in result.stderr


def test_version():
    assert "smearscope, version" in CliRunner().invoke(root.cli, ["--version"]).output


@pytest.mark.parametrize("words", ["smearscope train ", "smearscope convert ", "smearscope slides "])
def test_completion_in_the_shell_needs_no_extra_and_shows_no_traceback(words: str) -> None:
    blocked = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'tf2onnx'}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from device.cli import main\n"
        "main()\n"
    )
    asked = {"_SMEARSCOPE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", blocked], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith("plain,") or (done.returncode, done.stdout) == (1, "")
