"""The API's own description: complete, of the version it says, and kept to for whatever it allows or not."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from device.actions.base import Role
from device.actions.registry import ACTIONS
from tests.web.clients import Served
from web.api import action_path
from web.openapi import document

ASKED = os.environ.get("SMEARSCOPE_FUZZ")
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
STREAMS = r"/(events|live\.mjpeg|live\.jpg)$"  # without a device they have no end


def test_every_route_of_the_api_is_described_and_no_other(served):
    described = {(path, method.upper()) for path, each in document()["paths"].items() for method in each}
    assert described == {
        (route.path.replace(":int", ""), method)
        for route in served.app.routes
        for method in route.methods - {"HEAD"}
        if route.path.startswith("/api/")
    }


def test_every_action_is_described_with_what_it_is_asked_with():
    paths = document()["paths"]
    for action in ACTIONS.values():
        about = paths[action_path(action)]["post" if action.changes else "get"]
        assert str(action.role) in about["description"]
    listed = {each["name"]: each for each in paths["/api/v1/cells/list"]["get"]["parameters"]}
    assert listed["slide"]["required"]
    assert listed["limit"]["schema"] == {"default": 20, "description": "at most so many", "maximum": 200, "minimum": 1,
                                         "title": "Limit", "type": "integer"}  # fmt: skip


def test_a_thing_description_names_every_action_where_the_api_has_it(served):
    secret = served.accounts.add_token("openflexure", Role.VIEWER, 1)
    with served.browser() as client:
        assert client.get("/.well-known/wot").headers["location"].startswith("/login")
        answer = client.get("/.well-known/wot", headers={"authorization": f"Bearer {secret}"})
    assert answer.headers["content-type"] == "application/td+json"
    found = answer.json()
    assert found["base"] == "https://testserver/"
    forms = {
        each["forms"][0]["href"].split("{")[0] for kind in ("properties", "actions") for each in found[kind].values()
    }
    assert forms == {action_path(each) for each in ACTIONS.values()}
    assert found["properties"]["slides_list"]["forms"][0]["href"] == "/api/v1/slides/list{?limit,before,search}"
    assert found["actions"]["slides_rename"]["input"]["required"] == ["slide", "name"]


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("api"))
    token = served.accounts.add_token("fuzz", Role.ADMIN, 1)
    loaded = schemathesis.openapi.from_dict(document()).exclude(path_regex=STREAMS)
    loaded.app, loaded.config.base_url = served.app, "https://localhost"
    return loaded, {"Authorization": f"Bearer {token}"}


def test_whatever_is_asked_gets_an_answer_that_is_described(schema):
    loaded, headers = schema
    cases = int(ASKED or 40)
    operations = [each.ok() for each in loaded.get_all_operations()]
    each_time = settings(max_examples=max(1, cases // len(operations)), deadline=None, derandomize=ASKED is None,
                         database=None, suppress_health_check=list(HealthCheck))  # fmt: skip
    asked = 0
    for operation in operations:

        @each_time
        @given(st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)))
        def ask(case):
            nonlocal asked
            asked += 1
            case.call_and_validate(headers=headers, checks=list(CHECKS))

        ask()
    print(f"{asked} cases of {len(operations)} operations")  # noqa: T201 - of a long run
    assert asked >= len(operations)
