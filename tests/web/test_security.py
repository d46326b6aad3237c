"""Who gets in, with what, and what nobody gets: each route, role, token, and what browsers are told."""

import asyncio
import re
import threading

import httpx
import pytest
from starlette.routing import Route

from device.actions.base import Role
from device.control.client import ask
from device.control.server import ControlServer
from device.session.supervisor import Turn
from device.store import Store
from device.system.clock import SystemClock
from tests.web.clients import PASSWORD
from web.app import OPEN
from web.guard import local_path
from web.live import Feed
from web.sessions import FREE_TRIES, FREE_TRIES_ANYWHERE, IDLE_S, LONGEST_S, MOST


def paths(app):
    """Every path with its method, and the numbers in it filled in."""
    for route in app.routes:
        assert isinstance(route, Route)  # nothing is mounted: a mount would be a way around the guard
        for method in sorted(route.methods):
            yield method, re.sub(r"\{\w+:int\}", "1", route.path), route.path


def test_every_route_but_the_login_and_the_styles_wants_a_session(served):
    with served.browser() as client:
        for method, path, pattern in paths(served.app):
            answer = client.request(method, path)
            if pattern in OPEN:
                continue
            if path.startswith("/api/"):
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
            else:
                assert answer.status_code == 303, path
                assert answer.headers["location"].startswith("/login?next="), path
            assert "A-17" not in answer.text


def test_what_needs_a_role_is_refused_to_those_below_it(served):
    refused = 0
    with served.browser("vera") as viewer, served.browser("olga") as operator:
        for method, path, pattern in paths(served.app):
            if method == "POST" and pattern not in OPEN | {"/logout"}:
                assert viewer.post(path, json={}).status_code == 403, path
                refused += operator.post(path, json={}).status_code == 403
        assert (
            refused == 9
        )  # deleting a slide, choosing a model, going back to one, settings, by API and form; /settings
        assert viewer.get("/api/v1/slides/list").status_code == 200


def test_a_change_is_in_the_audit_trail_with_the_name_of_who_made_it(served):
    secret = served.accounts.add_token("lims", Role.OPERATOR, 1)
    with served.browser("olga") as client, served.browser() as program:
        assert client.post("/api/v1/slides/rename", json={"slide": "B-2", "name": "B-3"}).status_code == 200
        answer = program.post("/api/v1/slides/edit", json={"slide": "B-3", "note": "n"},
                              headers={"authorization": f"Bearer {secret}"})  # fmt: skip
        assert answer.status_code == 200
        form = {"slide": "B-3", "name": "B-4", "csrf_token": client.headers.pop("x-csrf-token"), "next": "/?search=B"}
        assert client.post("/do/slides/rename", data=form).headers["location"] == "/?search=B"
    with Store.read(served.data) as store:
        assert [each.operator for each in store.events(2)[-3:]] == ["olga", "lims (token)", "olga"]


def test_a_token_ends(served):
    secret = served.accounts.add_token("lims", Role.VIEWER, 1)
    with served.browser() as client:
        client.headers["authorization"] = f"Bearer {secret}"
        assert client.get("/api/v1/slides/list").status_code == 200
        served.clock.advance(24 * 3600 + 1)
        assert client.get("/api/v1/slides/list").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"x-csrf-token": ""},
        {"x-csrf-token": "ä".encode().decode("latin-1")},
        {"x-csrf-token": "x" * 43},
        {"origin": "https://other.example"},
        {"origin": "null"},
        {"origin": "https://[testserver"},
        {"origin": "https://testserver.other.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(served, headers):
    with served.browser("olga") as client:
        asked = {"slide": "B-2", "name": "X"}
        headers = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        assert client.post("/api/v1/slides/rename", json=asked, headers=headers).status_code == 403
        del client.headers["x-csrf-token"]
        assert client.post("/do/slides/rename", data=asked).status_code == 403
        assert client.post("/logout").status_code == 403
        assert client.post("/login", data={}, headers={"origin": "https://other.example"}).status_code == 403


def test_the_cookie_is_for_this_host_over_tls_and_not_for_scripts(served):
    with served.browser() as client:
        said = client.post("/login", data={"name": "ada", "password": PASSWORD}).headers["set-cookie"]
    assert said.startswith("__Host-smearscope=")
    assert {part.strip().lower() for part in said.split(";")[1:]} == {"httponly", "path=/", "samesite=strict", "secure"}


def test_a_login_takes_no_cookie_that_the_browser_came_with(served):
    name = served.site.cookie
    with served.browser() as client:
        client.cookies.set(name, "fixed-by-somebody-else")
        client.post("/login", data={"name": "ada", "password": PASSWORD})
        first = client.cookies.get(name, domain="testserver.local")
        client.post("/login", data={"name": "ada", "password": PASSWORD})
        second = client.cookies.get(name, domain="testserver.local")
    assert len({first, second, "fixed-by-somebody-else"}) == 3
    users = served.accounts.users()
    assert served.site.sessions.find("fixed-by-somebody-else", users) is None
    assert served.site.sessions.find(first, users) is None  # the one before has ended
    assert served.site.sessions.find(second, users) is not None


def ada(served, name="ada"):
    return served.accounts.users()[0].model_copy(update={"name": name})


def end_of_logout(served, client):
    assert client.post("/logout").status_code == 303


@pytest.mark.parametrize(
    "end",
    [
        end_of_logout,
        lambda served, client: served.accounts.change_user("olga", role=Role.VIEWER),
        lambda served, client: served.accounts.change_user("olga", password="another long password"),
        lambda served, client: served.accounts.remove_user("olga"),
        lambda served, client: served.clock.advance(IDLE_S + 1),
        lambda served, client: [
            (served.clock.advance(IDLE_S - 1), client.get("/")) for _ in range(int(LONGEST_S / IDLE_S) + 1)
        ],
        lambda served, client: [served.site.sessions.begin(ada(served, f"ada{each}")) for each in range(MOST + 1)],
    ],
    ids=["logout", "role", "password", "removed", "idle", "long", "crowd"],
)
def test_a_session_ends(served, end):
    with served.browser("olga") as client:
        cookie = client.cookies[served.site.cookie]
        assert client.get("/").status_code == 200
        end(served, client)
        client.cookies.clear()
        client.cookies.set(served.site.cookie, cookie)  # as kept by somebody who copied it
        assert client.get("/").headers.get("location") == "/login?next=%2F"


def test_who_logs_in_again_and_again_ends_no_session_but_their_own(served):
    with served.browser("olga") as client:
        first, *_ = [served.site.sessions.begin(ada(served)) for _ in range(MOST + 1)]
        assert served.site.sessions.find(first, served.accounts.users()) is None
        assert client.get("/").status_code == 200


def test_wrong_passwords_lock_the_name_and_the_address_for_longer_and_longer(served):
    with served.browser() as client:

        def tried(name, password="wrong" * 4):
            return client.post("/login", data={"name": name, "password": password}).status_code

        assert [tried("ada") for _ in range(FREE_TRIES)] == [401] * FREE_TRIES
        assert tried("ada", PASSWORD) == 429
        assert tried("nobody") == 429  # from this address
        served.clock.advance(31)
        assert tried("ada") == 401
        served.clock.advance(31)
        assert tried("ada", PASSWORD) == 429
        served.clock.advance(31)
        assert tried("ada", PASSWORD) == 303
        assert tried("ada", "x" * 16_000) == 401
        assert tried("ada", "x" * 17_000) == 413


def guessed(served, name, address, password="wrong" * 4):
    """Try a password from an address."""

    async def tried():
        through = httpx.ASGITransport(app=served.app, client=(address, 50_000))
        async with httpx.AsyncClient(transport=through, base_url="https://testserver") as client:
            return (await client.post("/login", data={"name": name, "password": password})).status_code

    return asyncio.run(tried())


def test_who_knows_a_name_and_guesses_keeps_nobody_else_out(served):
    for _ in range(2 * FREE_TRIES):
        guessed(served, "ada", "10.0.0.66")
    assert guessed(served, "ada", "10.0.0.66", PASSWORD) == 429
    assert guessed(served, "ada", "10.0.0.7", PASSWORD) == 303


def test_guesses_from_many_addresses_are_slowed_down_but_not_where_somebody_has_logged_in_before(served):
    assert guessed(served, "ada", "10.0.0.7", PASSWORD) == 303
    answers = [guessed(served, "ada", f"10.0.1.{number}") for number in range(60)]
    assert answers == [401] * FREE_TRIES_ANYWHERE + [429] * (60 - FREE_TRIES_ANYWHERE)
    assert guessed(served, "ada", "10.0.2.1", PASSWORD) == 429
    assert guessed(served, "ada", "10.0.0.7", PASSWORD) == 303
    assert guessed(served, "ada", "10.0.2.1", PASSWORD) == 429  # which that did not forget
    for _ in range(FREE_TRIES):
        guessed(served, "ada", "10.0.0.7")
    assert guessed(served, "ada", "10.0.0.7", PASSWORD) == 429


def test_who_floods_the_login_with_names_frees_none_that_has_to_wait(served):
    attempts = served.site.attempts
    for _ in range(FREE_TRIES):
        attempts.failed("ada", "10.0.0.66")
    for number in range(2000):
        attempts.failed(f"nobody{number}", f"10.1.{number // 256}.{number % 256}")
    assert attempts.wait_s("ada", "10.0.0.66") > 0


def test_wrong_passwords_that_come_all_at_once_are_no_more_tries(served):
    async def tried():
        through = httpx.ASGITransport(app=served.app)
        async with httpx.AsyncClient(transport=through, base_url="https://testserver") as client:
            wrong = {"name": "ada", "password": "wrong" * 4}
            answers = await asyncio.gather(*(client.post("/login", data=wrong) for _ in range(60)))
        return [each.status_code for each in answers]

    found = asyncio.run(tried())
    assert found.count(401) <= FREE_TRIES
    assert set(found) <= {401, 429, 503}


def test_browsers_are_told_to_load_nothing_from_elsewhere_and_run_nothing_inline(served):
    with served.browser("vera") as client:
        for path in ("/", "/login", "/nowhere", "/api/v1/slides/list", "/static/style.css", "/api/v1/slides/9/report"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cache-control"] == ("public, max-age=3600" if "static" in path else "no-store")
            assert "server" not in headers
        for path in ("/", "/login"):
            text = client.get(path).text
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:|https?://", text)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../accounts.json", "/static/%2e%2e/app.py", "/static/..%2f..%2fetc%2fpasswd", "/static/",
        "/photographs/", "/api/v1/fields/..%2f1/photograph",
        "/api/v1/fields/-1/photograph", f"/api/v1/fields/{2**63}/photograph",
        f"/api/v1/cells/1/{10**30}/picture", "/api/v1/slides/1%00/report", "/api/v1/fields/1/", "/api/v1/",
    ],
)  # fmt: skip
def test_no_path_leads_anywhere_but_to_a_route(served, path):
    with served.browser("ada") as client:
        answer = client.get(path)
        assert answer.status_code == 404
        assert "root:" not in answer.text


def test_numbers_without_end_are_refused_before_anything_reads_them(served):
    with served.browser("vera") as client:
        assert client.get(f"/api/v1/fields/{'9' * 5000}/photograph").status_code == 414
        assert client.get(f"/api/v1/slides/list?before={10**20}").status_code == 400
        assert client.get(f"/?before={10**20}").status_code == 400


def test_a_change_of_another_folder_than_the_services_is_not_sent_to_the_service(served, tmp_path, monkeypatch):
    asked, path, turn = [], tmp_path / "service.sock", Turn(SystemClock())
    monkeypatch.setattr("device.control.protocol.SERVICE_SOCKET", path)
    server = ControlServer(path, {"status": dict, "slides rename": lambda asked_for: asked.append(asked_for) or {}})
    thread = threading.Thread(target=server.work, args=(turn,))
    thread.start()
    try:
        while ask(tmp_path, "status") is None:
            assert thread.is_alive()
        with served.browser("olga") as client:
            assert client.post("/api/v1/slides/rename", json={"slide": "B-2", "name": "B-3"}).status_code == 200
            assert asked == []
            served.site.of_service = True
            assert client.post("/api/v1/slides/rename", json={"slide": "B-3", "name": "B-4"}).status_code == 200
            assert [each["name"] for each in asked] == ["B-4"]
    finally:
        turn.stop.set()
        thread.join()


def test_what_is_behind_a_number_is_served_and_a_missing_one_is_said(served):
    with served.browser("vera") as client:
        assert client.get("/api/v1/fields/1/photograph").content[:2] == b"\xff\xd8"
        assert client.get("/api/v1/cells/1/0/picture").content[:2] == b"\xff\xd8"
        report = client.get("/api/v1/slides/1/report")
        assert "A-17" in report.text
        assert report.headers["content-security-policy"].endswith("; frame-ancestors 'none'; sandbox")
        with Store.record(served.data) as store:
            (served.data / store.field(1).image).unlink()
        assert client.get("/api/v1/fields/1/photograph").status_code == 404
        assert client.get("/api/v1/cells/1/0/picture").status_code == 404
        assert client.get("/api/v1/fields/99/photograph").status_code == 409


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"host": "evil.example"}, 400), ({"host": ""}, 400), ({"host": "192.168.1.7:8443"}, 303),
     ({"host": "[::1]:8443"}, 303), ({"host": "LOCALHOST"}, 303), ({"x-forwarded-host": "evil.example"}, 303)],
)  # fmt: skip
def test_a_name_that_a_stranger_made_lead_here_is_not_answered(served, headers, status):
    with served.browser() as client:
        answer = client.get("/", headers=headers)
        assert answer.status_code == status
        assert "evil" not in str(answer.headers)


@pytest.mark.parametrize("text", ["//evil.example", "https://evil.example", "/\\evil", "/a\r\nset-cookie: x=1", "x", "",
                                  "javascript:alert(1)", "/é", "//[x"])  # fmt: skip
def test_a_login_leads_to_no_other_site_and_its_header_holds_one_line(served, text):
    assert local_path(text) == "/"
    with served.browser() as client:
        answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": text})
        assert answer.headers["location"] == "/"
        assert [name for name in answer.headers if name == "set-cookie"] == ["set-cookie"]


def test_what_is_too_long_or_no_request_is_refused_in_one_line(served):
    with served.browser("olga") as client:
        asked = client.post("/api/v1/slides/rename", content=b"x" * 20_000)
        assert asked.status_code == 413
        chunked = client.post("/api/v1/slides/rename", content=(b"x" * 1000 for _ in range(30)))
        assert chunked.status_code == 413
        for content in (b"{", b"[]", b"[" * 5000, b"\xff", b'{"a": NaN}', b""):
            answer = client.post("/api/v1/slides/rename", content=content, headers={"content-type": "application/json"})
            assert answer.status_code == 400, content
            assert answer.json()["error"].isprintable()
        assert client.post("/api/v1/slides/rename", content=b"a=1").status_code == 415
        assert client.get("/api/v1/slides/list?limit=1&limit=2").status_code == 400
        assert client.post("/do/slides/rename", data={str(n): "1" for n in range(600)}).status_code == 400
        assert "<script>" not in client.get("/?search=<script>").text


def test_a_number_without_end_is_refused_before_a_device_is_asked(served):
    with served.browser("olga") as client:
        answer = client.post("/api/v1/calibrate", content=b'{"kind": "scale", "pixel_size_um": 1e999}',
                             headers={"content-type": "application/json"})  # fmt: skip
        assert (answer.status_code, "finite" in answer.text) == (400, True)
        form = {"kind": "scale", "pixel_size_um": "inf"}
        assert client.post("/do/calibrate", data=form).status_code == 400


def test_who_looks_is_told_when_the_device_could_not_be_asked(served, monkeypatch):
    def without_descriptors(command):
        raise OSError(24, "Too many open files")

    async def first():
        async with asyncio.timeout(5):
            return (await anext(Feed(served.site).moments())).state

    monkeypatch.setattr(served.site, "ask", without_descriptors)
    assert "Too many open files" in asyncio.run(first())["error"]
