"""The house stays one that a newcomer can read: no crowded folder, no endless module, one report, no circles."""

import ast
import re
from collections import Counter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
ROOMS = ("smear", "device", "web", "train", "convert", "benchmarks")
MAX_MODULES = 16  # of a folder, its __init__ included
MAX_LINES = 300


def modules() -> list[Path]:
    return [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]


def test_no_folder_holds_more_modules_than_one_can_take_in():
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in modules())
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


def test_no_module_is_longer_than_a_sitting():
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_a_micrometre_is_written_in_one_way():
    written = [path.relative_to(ROOT).as_posix() for path in modules() if re.search(r"[0-9}] um\b", path.read_text())]
    assert written == []


def test_no_packages_of_a_room_import_each_other_in_a_circle():
    graph = grimp.build_graph(*ROOMS, include_external_packages=False)
    circles = [
        (first, second)
        for first in graph.modules
        for second in graph.find_modules_directly_imported_by(first)
        if first < second and first in graph.find_modules_directly_imported_by(second)
    ]
    assert circles == []


def test_no_json_that_the_device_writes_can_hold_nan():
    words_of_people = {"device/settings_faults.py", "device/settings_toml.py"}  # the settings' own text, not JSON
    loose = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in modules()
        if path.relative_to(ROOT).parts[0] == "device" and path.relative_to(ROOT).as_posix() not in words_of_people
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"json.dumps", "json.dump"}
        if "allow_nan" not in {word.arg for word in call.keywords}
    ]
    assert loose == []
