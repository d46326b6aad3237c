"""Options of `smearscope train`: settings are parsed, help needs no TensorFlow."""

import subprocess
import sys

import pytest

from smear.errors import TrainingError
from train.cli import COMMANDS
from train.commands.options import parsed_settings


def test_settings_are_names_and_values() -> None:
    assert parsed_settings(["dropout=0.3", "size=64"]) == {"dropout": "0.3", "size": "64"}
    with pytest.raises(TrainingError, match="--setting dropout: write NAME=VALUE"):
        parsed_settings(["dropout"])


def test_help_of_every_command_needs_no_tensorflow() -> None:
    code = (
        "import sys, click\nfrom click.testing import CliRunner\nfrom train.cli import COMMANDS, command\n"
        "for name in COMMANDS:\n    assert CliRunner().invoke(command, [name, '--help']).exit_code == 0, name\n"
        "assert 'tensorflow' not in sys.modules, 'imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(COMMANDS) == 13
