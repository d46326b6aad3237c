"""What commands share: a camera that was just opened settles before its first frame counts; who is at work."""

import click
import pytest
from click.testing import CliRunner

from device.cameras.registry import camera_kind
from device.commands.options import operator_option, settle
from device.settings import Settings
from tests.device.faults import Microscope


@pytest.mark.parametrize("name", ["v4l2:/dev/test", "picamera2:0"])
def test_a_camera_with_automatics_drops_the_frames_of_its_kind(name: str) -> None:
    camera = Microscope(name)
    settle(camera, Settings())
    assert camera.frames == camera_kind(name).settle_frames >= 10


@pytest.mark.parametrize("name", ["files:/fields", "simulated:7"])
def test_no_field_of_a_stage_that_moves_by_itself_is_dropped(name: str) -> None:
    camera = Microscope(name)
    settle(camera, Settings())
    assert camera.frames == 0


@click.command()
@operator_option
def named(operator: str) -> None:
    click.echo(operator)


def nobody() -> str:
    raise KeyError("getpwuid(): uid not found")


@pytest.mark.parametrize(
    ("words", "variable", "said"),
    [([], None, "ann-login"), (["--operator", " bob "], "eve", "bob"), ([], "eve", "eve")],
)
def test_an_operator_is_named_or_in_the_environment_or_logged_in(monkeypatch, words, variable, said):  # type: ignore[no-untyped-def]
    monkeypatch.setattr("getpass.getuser", lambda: "ann-login")
    shown = CliRunner().invoke(named, words, env={"SMEARSCOPE_OPERATOR": variable})
    assert shown.output == f"{said}\n"


def test_a_user_without_a_login_name_is_told_what_to_give(monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr("getpass.getuser", nobody)
    shown = CliRunner().invoke(named, env={"SMEARSCOPE_OPERATOR": None})
    assert "this user has no login name; give one, or set $SMEARSCOPE_OPERATOR" in shown.stderr
