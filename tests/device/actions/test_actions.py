"""One set of actions: what each answers is what the command line prints, and what it cannot take gets one line."""

import json

import pytest
from click.testing import CliRunner

from device.actions.base import Action, ActionError, Context, Role
from device.actions.registry import ACTIONS, action_called
from device.cli import cli
from device.control.record_answers import record_answers
from device.settings import Settings
from device.store import Store
from smear.errors import SmearscopeError, StoreError
from tests.device.store.review.signed import filled


@pytest.fixture
def data(tmp_path):  # type: ignore[no-untyped-def]
    """Slide 1 is signed by ann; slide 2 is open, bob and ann have classified its cells; field 5 waits for a person."""
    with Store.record(filled(tmp_path / "data")) as store:
        store.begin_qc("ann")
    return tmp_path / "data"


@pytest.fixture
def store(data):  # type: ignore[no-untyped-def]
    with Store.read(data) as opened:
        yield opened


def perform(store, name, operator="ann", /, **values):  # type: ignore[no-untyped-def]
    found = action_called(name).perform(Context(store, Settings(), operator), values)
    return json.loads(json.dumps(found, allow_nan=False))


@pytest.mark.parametrize(
    ("name", "values", "part", "words"),
    [
        ("slides list", {"limit": 2, "search": "-"}, "slides", "slides list --limit 2 --search -"),
        ("slides show", {"slide": "B-2", "after": 3}, None, "slides show B-2 --after 3"),
        ("slides count", {"slide": 2}, None, "slides count 2"),
        ("slides count", {"slide": "2", "compare": ["ann", "bob"]}, None, "slides count 2 --compare ann bob"),
        ("slides count", {"slide": "2", "counter": "bob"}, None, "slides count 2 --operator bob"),
        ("slides history", {"slide": "B-2"}, "events", "slides history B-2"),
        ("slides verify", {"slide": "1"}, "signatures", "slides verify 1"),
        ("cells list", {"slide": "2", "class": "b", "limit": 3}, "cells", "cells list 2 --class b --limit 3"),
        ("cells list", {"slide": "2", "order": "opinion", "after": "3.0"}, "cells",
         "cells list 2 --order opinion --after 3.0"),
        ("cells show", {"cell": "3.1"}, None, "cells show 3.1"),
        ("qc status", {}, None, "qc status"),
    ],
)  # fmt: skip
def test_an_action_answers_what_the_command_line_prints_as_json(data, store, name, values, part, words):
    env = {"SMEARSCOPE_OPERATOR": "ann"}
    printed = CliRunner(env=env).invoke(cli, [*words.split(), "--json", "--data", str(data)], catch_exceptions=False)
    found = perform(store, name, **values)
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    assert lines
    assert (found[part] if part else [found]) == lines


def test_a_day_of_work_is_done_by_actions_alone_and_each_change_names_its_person(store):
    assert [each["id"] for each in perform(store, "fields waiting")["fields"]] == [5]
    assert perform(store, "fields show", field=3)["cells"][0]["name"] == "3.0"
    assert perform(store, "slides review", field=5, label="none")["event"]["new"] == "none of the classes"
    assert perform(store, "slides review", field=5, ask=True)["event"]["new"] == "waiting for review"
    assert perform(store, "slides keep", slide="C-3", field=5)["event"]["new"] == "kept"
    assert perform(store, "slides keep", slide="C-3", field=5)["event"] is None
    edited = perform(store, "slides edit", slide="C-3", note="thick", slide_operator="eve")
    assert [each["action"] for each in edited["events"]] == ["note", "operator"]
    assert perform(store, "slides rename", slide="C-3", name="C-4")["events"][0]["new"] == "C-4"
    assert perform(store, "cells classes")["classes"][0] == {"name": "blast", "key": "b", "role": "leukocyte"}
    assert len(perform(store, "cells classify", cells=["3.0", "3.1"], **{"class": "h"})["events"]) == 2
    assert perform(store, "cells undo", slide="B-2")["event"]["undoes"]
    concede = {"short": "few", "passed_over": "cut"}
    assert perform(store, "slides sign", "bob", slide="B-2", **concede)["signature"]["operator"] == "bob"
    assert perform(store, "slides amend", slide="B-2", reason="recount") == {"slide": 2, "version": 2}
    assert perform(store, "slides keep", slide="C-4", field=5, off=True)["event"]["new"] is None
    assert perform(store, "slides delete", slide="C-4") == {"deleted": 3}
    assert {each.operator for each in store.events(3)} == {"ann"}
    assert perform(store, "qc start")["operator"] == "ann"
    assert perform(store, "qc record location", found=200, missed=0)["passed"] is True
    assert perform(store, "qc chart", measure="location.recall")["points"][0]["measured"]["value"] == 1.0


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("slides show", {}, "slides show: slide: Field required; it takes slide, limit, after"),
        ("slides show", {"slide": "1", "limit": "3"}, "limit: Input should be a valid integer"),
        ("slides show", {"slide": "1", "limit": 201}, "limit: Input should be less than or equal to 200"),
        ("slides list", {"slide": "1"}, "slide: Extra inputs are not permitted; it takes limit, before, search"),
        ("slides list", {"a\x1b[2J\n": 1}, r"a\x1b[2J\n: Extra inputs"),
        ("cells show", {"cell": "../1"}, "cell: String should match pattern"),
        ("cells list", {"slide": "1", "class": "b", "unclassified": True}, "class or unclassified, not both"),
        ("cells classify", {"cells": [], "class": "b"}, "cells: List should have at least 1 item"),
        ("cells classify", {"cells": ["3.0"] * 201, "class": "b"}, "at most 200 items"),
        ("slides review", {"field": 5}, "give a label, one of Benign, Early, Pre, Pro and none, or ask"),
        ("slides review", {"field": 5, "label": "Pre", "ask": True}, "give a label"),
        ("slides keep", {"slide": "B-2", "field": 1}, "field 1 is not of slide 2"),
        ("slides sign", {"slide": "1"}, "slide 1 is signed and cannot change"),
        ("qc record slide", {"slide": "1", "lot": "L", "expected": {"cells": [1.0, 0.0]}}, "expected takes MEASURE"),
        ("qc chart", {"measure": "colour"}, "'colour' is no measure"),
        ("slide start", {"name": "B"}, "only a running device does this"),
        ("no such", {}, "there is no action 'no such'"),
    ],
)  # fmt: skip
def test_what_an_action_cannot_take_is_said_in_one_line(store, name, values, said):
    with pytest.raises(SmearscopeError) as refused:
        perform(store, name, **values)
    assert said in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))
def test_every_action_says_who_may_do_it_and_no_viewer_changes_anything(action: Action[object]):
    assert action.help
    assert action.help[-1] != "."
    assert not (action.changes and action.role is Role.VIEWER)
    assert Role.ADMIN.may(action.role)
    assert Role.VIEWER.may(action.role) is (action.role is Role.VIEWER)


@pytest.mark.parametrize("name", [name for name, each in ACTIONS.items() if each.changes and each.answer is not None])
def test_nothing_is_changed_by_nobody(store, name):
    values = {"slide": "B-2", "field": 3, "cells": ["3.0"], "class": "b", "label": "Pre", "name": "x", "other": "C-3",
              "reason": "r", "lot": "L", "missed": 0, "values": {"gate.min_cells": 3}}  # fmt: skip
    taken = {each.alias or key for key, each in ACTIONS[name].request.model_fields.items()}
    with pytest.raises(StoreError, match="an operator's name has"):
        perform(store, name, "", **{key: value for key, value in values.items() if key in taken})


def test_the_control_socket_answers_every_action_on_records_in_the_name_of_who_asks(data, store):
    answers = record_answers(data, Settings())
    assert set(answers) == {name for name, each in ACTIONS.items() if each.answer is not None}
    answers["slides rename"]({"command": "slides rename", "operator": "zoe", "slide": "B-2", "name": "B-3"})
    assert store.events(2)[-1].operator == "zoe"
    assert answers["slides show"]({"command": "slides show", "slide": "B-3"})["name"] == "B-3"
    with pytest.raises(ActionError, match="the operator is a text"):
        answers["slides rename"]({"operator": 7, "slide": "B-3", "name": "B"})
