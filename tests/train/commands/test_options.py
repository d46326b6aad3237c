"""Options of `smearscope train`: former names still work, settings are parsed, help needs no TensorFlow."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from smear.errors import TrainingError
from train.cli import COMMANDS, command
from train.commands.options import RenamedOption, parsed_settings


@click.command()
@click.option("--new", cls=RenamedOption, former=["--old"], is_flag=True, help="What it does.")
def renamed(new: bool) -> None:
    click.echo(f"new={new}")


@pytest.mark.parametrize("word", ["--new", "--old"])
def test_a_renamed_option_works_under_both_names(word: str) -> None:
    assert CliRunner().invoke(renamed, [word]).output == "new=True\n"


def test_the_help_shows_the_present_name_alone() -> None:
    text = CliRunner().invoke(renamed, ["--help"]).output
    assert "--new" in text
    assert "--old" not in text


@pytest.mark.parametrize(("name", "former"), [("controls", "--without-strangers"), ("segmenter", "--taught-epochs")])
def test_former_options_of_the_commands_are_accepted_and_hidden(name: str, former: str) -> None:
    found = command.get_command(click.Context(command), name)
    assert found is not None
    assert any(former in option.opts for option in found.params)
    assert former not in CliRunner().invoke(command, [name, "--help"]).output


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
