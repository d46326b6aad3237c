"""The list of licences names every package that a device installs, at its pinned version."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_ON_LINUX = {"colorama"}
OF_ONE_PYTHON = {"typing-extensions", "backports-strenum"}


def pins() -> dict[str, str]:
    found = {}
    for name in ("device", "screen", "sign", "web"):
        text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
        found |= dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))
    return {name: version for name, version in found.items() if name not in NOT_ON_LINUX}


def test_the_page_lists_what_is_pinned_for_a_device() -> None:
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+) \| ([0-9][\w.]*) \| (.+) \|$", page, re.MULTILINE)
    listed = {name: version for name, version, _ in rows}
    wanted = pins()
    missing = {name for name in wanted if listed.get(name) != wanted[name]} - OF_ONE_PYTHON
    assert missing == set(), "run 'make licences'"
    assert set(listed) <= set(wanted)
    assert all(licence != "not stated" for _, _, licence in rows)
