"""The house stays one that a newcomer can read: no crowded folder, no endless module, one report, no circles."""

from collections import Counter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
ROOMS = ("smear", "device", "train", "convert", "benchmarks")
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


def test_no_packages_of_a_room_import_each_other_in_a_circle():
    graph = grimp.build_graph(*ROOMS, include_external_packages=False)
    circles = [
        (first, second)
        for first in graph.modules
        for second in graph.find_modules_directly_imported_by(first)
        if first < second and first in graph.find_modules_directly_imported_by(second)
    ]
    assert circles == []
