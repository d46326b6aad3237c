"""The doctor: three states, an exit code that follows from them, and no "ok" for what does not work."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cli import cli
from device.diagnostics import Check, State, check_model
from device.settings import ModelSettings, Settings
from smear.bundle.manifest import SIGNATURE
from smear.errors import BundleError


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((State.OK, State.OK), 0),
        ((State.OK, State.WORKS_WITHOUT), 0),
        ((State.WORKS_WITHOUT, State.NOT_OK), 1),
        ((State.NOT_OK, State.OK), 1),
    ],
)
def test_the_exit_code_is_1_where_a_part_is_not_ok(
    states: tuple[State, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Check(f"part {number}", state, "a text") for number, state in enumerate(states)]
    monkeypatch.setattr("device.commands.doctor.examine", lambda *_: found)
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == code
    for line, state in zip(done.stdout.splitlines(), states, strict=True):
        assert line.startswith(f"{state:13}  part")
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == [str(state) for state in states]
    assert done.exit_code == code


def test_a_bundle_is_ok_only_where_it_runs_under_the_settings(tiny_bundle: Path, tmp_path: Path) -> None:
    def settings(path: Path, level: str = "float32") -> Settings:
        return Settings(model=ModelSettings(bundle=path, level=level))

    assert check_model(settings(tiny_bundle), tmp_path).state is State.OK
    with pytest.raises(BundleError, match="no segmenter at level 'int8'"):
        check_model(settings(tiny_bundle, "int8"), tmp_path)
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    (copy / SIGNATURE).write_bytes(b"of nobody")
    with pytest.raises(BundleError, match="is no Ed25519 signature"):
        check_model(settings(copy), tmp_path)


def test_a_chosen_bundle_that_is_gone_is_not_ok(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "current").symlink_to("gone")
    with pytest.raises(BundleError, match="leads to no bundle"):
        check_model(Settings(), tmp_path)
