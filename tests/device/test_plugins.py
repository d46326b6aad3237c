"""Cameras, runtimes and displays of other distributions, used through the command as it is installed."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from smear.images import write_image
from smear.synthetic import render
from tests.plugin import write_plugin

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/add-a-camera.md"

RUNTIME = """
from smear.inference.runtime import RuntimeKind
from smear.inference.tflite import AI_EDGE_LITERT, TFLiteModel

KIND = RuntimeKind(
    name="other-runtime",
    help="another runtime",
    module="ai_edge_litert.interpreter",
    open=lambda content, name, threads, delegate: TFLiteModel(KIND, content, name, threads, delegate),
)
"""
DISPLAY = """
from pathlib import Path
from device.screen.display import DisplayKind
from device.screen.no_display import NoDisplay

class Log(NoDisplay):
    def __init__(self, request):
        super().__init__(request.size)
        self.path = Path(request.target)

    def show(self, screen):
        with self.path.open("a") as log:
            log.write(f"{screen.shape} {screen.dtype}\\n")

KIND = DisplayKind(name="log", help="notes every screen", usage="log:PATH", open=Log, takes_target=True)
"""


def smearscope(plugin: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command where the distribution in folder `plugin` is installed too."""
    path = os.pathsep.join([str(plugin), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "device", *map(str, words)], capture_output=True, text=True, check=False,
        cwd=plugin, env={**os.environ, "PYTHONPATH": path, "SMEARSCOPE_DATA_DIR": str(plugin / "records")},
    )  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """The camera of the page, installed."""
    (code,), (project,) = blocks("python"), blocks("toml")
    points = tomllib.loads(project)["project"]["entry-points"]
    (module,) = re.findall(r"`(\w+)\.py`", PAGE.read_text(encoding="utf-8"))
    return write_plugin(tmp_path / "site", {module: code}, points)


def test_what_a_camera_of_your_own_takes_is_short() -> None:
    own = PAGE.read_text(encoding="utf-8").partition("## A camera that Smearscope does not know")[2]
    assert 0 < len(own.splitlines()) <= 40


def test_the_camera_of_the_page_is_used(camera: Path) -> None:
    done = smearscope(camera, "capture", "--camera", "example:210", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["camera"], found["simulated"]) == ("example:210", False)


def test_help_schema_and_doctor_list_the_camera_of_the_page(camera: Path) -> None:
    assert "example:[grey]" in smearscope(camera, "capture", "--help").stdout
    assert "example:[grey]" in smearscope(camera, "config", "schema").stdout
    words = ("--camera", "example:", "--display", "none", "--json")
    checks = [json.loads(line) for line in smearscope(camera, "doctor", *words).stdout.splitlines()]
    found = {check["name"]: check for check in checks}
    assert found["camera"]["text"] == "example:: 640x480"
    assert found["plugins"] == {"name": "plugins", "state": "ok", "text": "camera example"}


def test_a_runtime_of_another_distribution_is_used(tmp_path: Path) -> None:
    points = {"smearscope.runtimes": {"other-runtime": "other_runtime:KIND"}}
    plugin = write_plugin(tmp_path / "site", {"other_runtime": RUNTIME}, points)
    write_image(tmp_path / "field.png", render("Pre", 1).image)
    done = smearscope(plugin, "analyze", "--runtime", "other-runtime", "--json", tmp_path / "field.png")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runtime"] == "other-runtime"


def test_a_display_of_another_distribution_is_used(tmp_path: Path) -> None:
    plugin = write_plugin(
        tmp_path / "site", {"log_display": DISPLAY}, {"smearscope.displays": {"log": "log_display:KIND"}}
    )
    words = ("--camera", "simulated:3", "--display", f"log:{tmp_path / 'log'}", "--fields", "1")
    done = smearscope(plugin, "run", *words)
    assert done.returncode == 0, done.stderr
    assert "(480, 800, 3) uint8" in (tmp_path / "log").read_text()


def test_a_broken_plugin_is_one_line_and_the_built_in_cameras_go_on(tmp_path: Path) -> None:
    plugin = write_plugin(
        tmp_path / "site", {"broken": "import a_driver_nobody_has"}, {"smearscope.cameras": {"broken": "broken:KIND"}}
    )
    line = "camera 'broken' of smearscope-extra cannot be used: broken:KIND cannot be loaded"
    refused = smearscope(plugin, "run", "--camera", "broken:", "--display", "none", "--fields", "1")
    assert refused.returncode == 1
    assert f"smearscope: {line}" in refused.stderr
    assert "Traceback" not in refused.stderr
    doctor = smearscope(plugin, "doctor", "--camera", "simulated:", "--display", "none")
    assert line in doctor.stdout
    assert re.search(r"ok +camera +simulated:: 640x480 \(SIMULATED\)", doctor.stdout)
