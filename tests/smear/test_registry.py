import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from smear.errors import CameraError
from smear.registry import Registry, Spec
from tests.plugin import write_plugin

GROUP = "smearscope.lamps"
SOURCE = "from smear.registry import Spec\nred = Spec(name='red', help='a red lamp', usage='red:[watts]')\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp(Spec):
    watts: int


def lamps(spec_type: type[Spec] = Spec) -> Registry[Spec]:
    built_in = (Lamp(name="white", help="a white lamp", watts=3), Lamp(name="blue", help="a blue lamp", watts=1))
    return Registry(GROUP, spec_type, built_in, what="lamp", error=CameraError)


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, value: str, source: str = SOURCE, name: str = "red") -> None:
    write_plugin(folder, {"lamp_plugin": source}, {GROUP: {name: value}})
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "lamp_plugin", raising=False)


def test_a_plugin_is_found_beside_the_built_in_ones(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "lamp_plugin:red")
    registry = lamps()
    assert registry.find("red").help == "a red lamp"
    assert [spec.name for spec in registry.all()] == ["white", "blue", "red"]
    assert registry.usages() == ("white", "blue", "red:[watts]")
    assert registry.problems() == ()


def test_a_built_in_name_is_found_without_looking_for_plugins():
    def no_look(group: str) -> list[EntryPoint]:
        raise AssertionError("plugins were looked for")

    built_in = (Lamp(name="white", help="a white lamp", watts=3),)
    registry = Registry(GROUP, Lamp, built_in, what="lamp", error=CameraError, find_entry_points=no_look)
    assert registry.find("white").watts == 3


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(CameraError, match=r"^'green' is no lamp; write one of: white, blue$"):
        lamps().find("green")


@pytest.mark.parametrize(
    ("value", "source", "reason"),
    [
        ("lamp_plugin:red", "1 / 0", "ZeroDivisionError: division by zero"),
        ("lamp_plugin:red", "import nothing_of_this_name", "ModuleNotFoundError"),
        ("lamp_plugin:green", SOURCE, "AttributeError"),
        ("lamp_plugin:red", "red = 'red'", "lamp_plugin:red is no Spec"),
        ("lamp_plugin:red", SOURCE.replace("'red'", "'pink'"), "calls itself 'pink'"),
    ],
)
def test_a_broken_plugin_is_one_line_and_leaves_the_others_alone(tmp_path, monkeypatch, value, source, reason):
    install(monkeypatch, tmp_path, value, source)
    registry = lamps()
    assert [spec.name for spec in registry.all()] == ["white", "blue"]
    (problem,) = registry.problems()
    assert problem.text.startswith("lamp 'red' of smearscope-extra cannot be used: ")
    assert reason in problem.text
    assert "\n" not in problem.text
    with pytest.raises(CameraError, match="lamp 'red' of smearscope-extra cannot be used"):
        registry.find("red")


def test_a_plugin_cannot_take_the_name_of_a_built_in_one(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "lamp_plugin:red", name="white")
    registry = lamps()
    assert registry.find("white").help == "a white lamp"
    assert "the name belongs to a built-in one" in registry.problems()[0].text


def test_of_two_plugins_with_one_name_neither_is_chosen(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "lamp_plugin:red")
    write_plugin(tmp_path, {}, {GROUP: {"red": "lamp_plugin:red"}}, name="smearscope-other")
    registry = lamps()
    assert [spec.name for spec in registry.all()] == ["white", "blue"]
    with pytest.raises(CameraError, match="smearscope-extra and smearscope-other both provide this name"):
        registry.find("red")
