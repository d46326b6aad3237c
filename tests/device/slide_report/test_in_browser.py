"""The page in a real browser: nothing is cut on a phone, a desktop or A4 paper, and nothing that was typed runs."""

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from device.slide_report.printing import PrintingError, find_browser, print_page
from tests.device.slide_report.conftest import CLASS, NAME, OPERATOR
from tests.device.slide_report.test_report import page_of

A4_PT = (595.0, 842.0)
CONTENT_PX = 680  # of A4, less its margins: 180 mm at 96 pixels per inch
MARGIN_PT = 15 / 25.4 * 72
XHTML = "{http://www.w3.org/1999/xhtml}"
OUTSIDE = """() => {
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        for (const box of range.getClientRects())
            if (box.left < 0 || box.right > innerWidth + 0.5) found.push(walker.currentNode.data.trim());
    }
    return found.filter(text => text);
}"""
BROKEN = """() => [...document.querySelectorAll("thead th")].filter(each => {
    const range = document.createRange();
    range.selectNodeContents(each);
    return /^[a-z]+$/.test(each.textContent) && range.getClientRects().length > 1;
}).map(each => each.textContent)"""


@pytest.fixture
def page_file(data: Path, tmp_path: Path) -> Path:
    file = tmp_path / "report.html"
    file.write_text(page_of(data))
    return file


@pytest.mark.parametrize(("width", "media"), [(375, "screen"), (1100, "screen"), (CONTENT_PX, "print")])
def test_no_text_lies_outside_the_page_and_nothing_is_loaded_or_complains(browser, page_file, width, media):
    seen: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda request: seen.append(request.url))
    page.emulate_media(media=media)
    page.goto(page_file.as_uri())
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(BROKEN) == []  # no column is narrower than a word
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(each => each.naturalWidth > 0)")
    assert [url for url in seen if not url.startswith("data:image/jpeg")] == [page_file.as_uri()]


def test_names_are_shown_as_they_were_typed_and_do_nothing(browser, page_file):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.locator("body").click(position={"x": 5, "y": 5})
    assert page.title().startswith(NAME)
    assert page.locator("h1").inner_text() == NAME
    assert page.locator("#count h3").first.inner_text().startswith(f"Counted by {OPERATOR}")
    assert CLASS in page.locator("#count table").first.inner_text()
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("script, link, iframe, object, [style], [onclick], [onload], [onerror]").count() == 0


def test_scripts_and_foreign_styles_would_not_run_even_inside_the_page(browser, page_file):
    page = browser.new_page()
    page_file.write_text(
        page_file.read_text().replace("</body>", "<script>hacked=1</script><style>h1{color:red}</style>")
    )
    page.goto(page_file.as_uri())
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"


def words_of(pdf: Path) -> Iterator[tuple[list[str], list[dict[str, float]]]]:
    """The words of each page, and where they lie in points."""
    if which("pdftotext") is None:
        pytest.skip("no pdftotext on this machine: apt install poppler-utils")
    said = subprocess.run(["pdftotext", "-bbox", pdf, "-"], capture_output=True, check=True).stdout
    for page in ElementTree.fromstring(said).iter(f"{XHTML}page"):
        words = page.findall(f"{XHTML}word")
        places = [{name: float(value) for name, value in word.attrib.items()} for word in words]
        yield [word.text or "" for word in words], places


def require_whole_pages(pdf: Path) -> None:
    """Every page of a PDF says what it is, and no word of it is cut."""
    pages = list(words_of(pdf))
    assert len(pages) > 2
    for number, (words, places) in enumerate(pages, start=1):
        text = " ".join(words)
        assert "Research use only" in text
        assert text.endswith(f"Page {number} of {len(pages)}")
        assert f"Slide 1: {NAME[:20]}" in text
        for place in places:
            assert place["xMin"] >= MARGIN_PT - 2
            assert place["xMax"] <= A4_PT[0] - MARGIN_PT + 2  # rounding to points
            assert 0 <= place["yMin"] < place["yMax"] <= A4_PT[1]


def test_nothing_is_cut_on_paper_and_each_page_says_research_use_only(browser, page_file, tmp_path):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True, print_background=True)
    require_whole_pages(tmp_path / "report.pdf")


def test_the_product_prints_the_same_pages_itself(page_file, tmp_path):
    if find_browser() is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    try:
        (tmp_path / "report.pdf").write_bytes(print_page(page_file.read_text()))
    except PrintingError as error:
        if "sandbox" in str(error):
            pytest.skip(f"this machine lets no program make a sandbox: {error}")
        raise
    require_whole_pages(tmp_path / "report.pdf")
