"""The pages in a real browser: a shift from the login to the report, on a phone and a desktop, light and dark."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from device.actions.base import Role
from tests.device.faults import DEADLINE_S
from tests.device.store.review.signed import recorded
from tests.web.clients import PASSWORD
from tests.web.test_serving import bench, served  # noqa: F401
from web.pages.registry import PAGES
from web.sessions import FREE_TRIES

SIZES = {"phone": (375, 812), "desktop": (1440, 900)}
SCHEMES = {"phone": "dark", "desktop": "light"}
CELLS = 200
expect.set_options(timeout=1000 * DEADLINE_S)


@pytest.fixture
def site(bench, tmp_path):  # noqa: F811
    """A running device that has recorded slide 1 of 200 cells, served to ada, olga and vera; its address."""
    recorded(bench.recorder.store, "W-1", fields=CELLS // 2)
    with served(bench.folder, tmp_path / "state") as ((_, port), accounts):
        for name, role in (("ada", Role.ADMIN), ("olga", Role.OPERATOR), ("vera", Role.VIEWER)):
            accounts.add_user(name, role, PASSWORD)
        yield f"http://localhost:{port}"


@contextmanager
def window(browser: Browser, site: str, size: str, name: str | None = None) -> Iterator[Page]:
    """Open a window that complains of nothing, logged in as `name`."""
    faults: list[str] = []
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=SCHEMES[size], base_url=site
    )
    page = context.new_page()
    page.set_default_timeout(1000 * DEADLINE_S)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: "Content Security Policy" in said.text and faults.append(said.text))
    if name is not None:
        log_in(page, name, PASSWORD)
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
    yield page
    context.close()
    assert faults == []


def log_in(page: Page, name: str, password: str) -> None:
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def touched(bench) -> list[str | None]:  # noqa: F811
    """Return what the audit trail says of the screen, newest first."""
    return [each.new for each in bench.recorder.store.newest_of_device(9)]


def require_good(page: Page, tmp_path) -> None:
    """Nothing is cut, and axe-core finds nothing that keeps anybody out."""
    name = re.sub(r"\W+", "-", page.url.split("/", 3)[3])[:40] or "slides"
    page.screenshot(path=tmp_path / f"{name}.png")
    found = Axe().run(page).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"][:200]) for each in found
               if each["impact"] in {"serious", "critical"}]  # fmt: skip
    assert serious == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


@pytest.mark.parametrize("size", SIZES)
def test_a_slide_is_classified_by_keys_signed_and_reported(browser, site, tmp_path, size):
    with window(browser, site, size) as page:
        log_in(page, "olga", "a wrong password")
        expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
        require_good(page, tmp_path)
        log_in(page, "olga", PASSWORD)
        page.get_by_role("link", name="W-1").click()
        page.get_by_role("link", name="Cells", exact=True).click()
        require_good(page, tmp_path)
        for number in range(CELLS):
            page.keyboard.press("bhl"[number % 3])
            if number == 0:
                expect(page.get_by_role("status")).to_have_text(re.compile(r"Cell .*: blast"))
                page.keyboard.press("Backspace")
                expect(page.get_by_role("status")).to_have_text(re.compile("Taken back"))
                page.keyboard.press("ArrowLeft")
                page.keyboard.press("b")
            elif number % 50 == 49:
                expect(page.locator("#count")).to_have_text(str(number + 1))
                if number + 1 < CELLS:
                    before = page.url
                    page.keyboard.press("Enter")
                    page.wait_for_url(lambda url, before=before: url != before)
        page.get_by_role("link", name="Back to the slide").click()
        page.get_by_label("I have classified these cells").check()
        page.get_by_role("button", name="Sign as olga").click()
        expect(page.get_by_text("Version 1 was signed by olga")).to_be_visible()
        require_good(page, tmp_path)
        page.get_by_role("link", name="Report").click()
        expect(page.get_by_text("signed, version 1").first).to_be_visible()
        page.screenshot(path=tmp_path / "report.png")


def test_cells_are_dragged_onto_a_class_alone_or_all_that_are_marked(browser, site, tmp_path):
    with window(browser, site, "desktop", "olga") as page:
        page.goto("/slides/1/cells")
        cells, blast = page.locator(".cell"), page.get_by_role("button", name="blast b")
        cells.nth(3).drag_to(blast)
        expect(cells.nth(3).locator("b")).to_have_text("blast")
        cells.nth(0).get_by_role("checkbox").check()
        cells.nth(1).get_by_role("checkbox").check()
        cells.nth(4).drag_to(page.get_by_role("button", name=re.compile("smudge")))  # it is not marked
        expect(page.get_by_role("status")).to_have_text(re.compile("^Cell .*: smudge cell"))
        cells.nth(1).drag_to(blast)
        expect(page.get_by_role("status")).to_have_text("2 cells: blast.")
        expect(page.locator("#count")).to_have_text("3")
        require_good(page, tmp_path)


def test_wrong_passwords_lock_the_login_and_it_says_for_how_long(browser, site, tmp_path):
    with window(browser, site, "phone") as page:
        for _ in range(FREE_TRIES):
            log_in(page, "vera", "a wrong password")
            expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
        log_in(page, "vera", PASSWORD)  # the right one must wait, too
        expect(page.get_by_role("alert")).to_have_text(
            re.compile(r"Too many wrong passwords. Try again in \d+ seconds.")
        )
        require_good(page, tmp_path)
        page.goto("/live")
        expect(page).to_have_url(re.compile("/login"))


@pytest.mark.parametrize("size", SIZES)
def test_two_look_at_the_live_page_while_a_slide_runs(browser, site, tmp_path, size):
    with window(browser, site, size, "olga") as operator, window(browser, site, size, "vera") as viewer:
        for page in (operator, viewer):
            page.get_by_role("link", name="Live").click()
            expect(page.locator("#verdict")).to_have_text("Resembles Pre-B")
            expect(page.locator("#picture")).not_to_have_js_property("naturalWidth", 0)
        operator.get_by_text("Start a slide").click()
        operator.get_by_label("Name or barcode").fill("W-2")
        operator.get_by_role("button", name="Start", exact=True).click()
        for page in (operator, viewer):
            expect(page.locator("[data-fact=slide]")).to_have_text("W-2")
            expect(page.locator("[data-fact=rate]")).not_to_have_text("–")
        require_good(operator, tmp_path)
        freeze = viewer.get_by_role("button", name="Freeze")
        freeze.click()
        expect(freeze).to_have_attribute("aria-pressed", "true")
        expect(viewer.locator("#picture")).to_have_attribute("src", re.compile("number="))  # of the result beside it
        operator.get_by_role("button", name="End the slide").click()
        expect(operator.get_by_role("heading", name="Live")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_is_mirrored_to_all_and_touched_by_operators(browser, bench, site, tmp_path, size):  # noqa: F811
    drawn = "() => document.getElementById('screen').getContext('2d').getImageData(400, 5, 1, 1).data[3] === 255"
    with window(browser, site, size, "olga") as operator, window(browser, site, size, "vera") as viewer:
        for each in (operator, viewer):
            each.goto("/screen")
            each.wait_for_function(drawn)
        assert viewer.locator("main button").count() == 0
        operator.get_by_label("Type").fill("m")
        operator.get_by_role("button", name="Send").click()
        bench.until(lambda: bench.display.mirror.page == "Menu")
        require_good(operator, tmp_path)
        operator.locator("#screen").click(
            position={"x": 20, "y": operator.locator("#screen").bounding_box()["height"] - 30}
        )
        operator.get_by_role("button", name="Escape").click()
        bench.until(lambda: "Key(name='escape')" in touched(bench))  # the click may have led there before
        bench.until(lambda: bench.display.mirror.page == "live picture")
        assert touched(bench)[-1] == "Text(characters='m')"


@pytest.mark.parametrize("size", SIZES)
def test_settings_are_changed_and_faults_are_read_beside_them(browser, bench, site, tmp_path, size):  # noqa: F811
    with window(browser, site, size, "ada") as page:
        page.goto("/settings")
        page.get_by_label("gate.min_focus").fill("sharp")
        page.get_by_label("qc.required").select_option("true")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_have_text(re.compile("Nothing was changed"))
        expect(page.get_by_label("gate.min_focus")).to_have_accessible_description(re.compile("allowed: a number"))
        page.get_by_label("gate.min_focus").scroll_into_view_if_needed()
        require_good(page, tmp_path)
        page.get_by_label("gate.min_focus").fill("0.4")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Waits for the restart")).to_have_count(2)
        page.get_by_role("link", name="Logs").click()
        expect(page.get_by_role("cell", name="gate.min_focus = 0.4")).to_be_visible()
        require_good(page, tmp_path)


@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_good_for_an_admin_and_a_viewer_at_once(browser, site, tmp_path, size):
    with window(browser, site, size, "ada") as admin, window(browser, site, size, "vera") as viewer:
        for each in PAGES:
            path = re.sub(r"\{\w+\}", "1", each.path)
            if path.endswith(".svg") or each.method != "GET":
                continue  # a picture, of what was measured; a form
            for page, role in ((admin, Role.ADMIN), (viewer, Role.VIEWER)):
                answer = page.goto(path)
                assert answer is not None
                assert answer.status == (200 if role.may(each.role) else 403), path
            require_good(admin, tmp_path)
            assert viewer.locator("main form[method=post] button").count() == 0, path
