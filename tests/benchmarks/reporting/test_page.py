import re
from html.parser import HTMLParser

from benchmarks.reporting.files import page
from benchmarks.reporting.plots import plots_of
from benchmarks.reporting.report import report
from benchmarks.schema import Result
from smear import RESEARCH_USE_ONLY
from tests.benchmarks.results import environment, make
from train.reporting.page import Table


class Cells(HTMLParser):
    """The rows of every table of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.tables[-1][-1][-1] += data


def test_the_page_shows_every_table_of_the_report_cell_by_cell() -> None:
    tables = [block for block in report(make()) if isinstance(block, Table)]
    expected = [[list(table.head), *map(list, table.rows)] for table in tables]
    assert Cells(page(make())).tables == expected


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = page(make())
    assert text.count("<svg") == len(plots_of(make())) == 4
    assert not re.search(r'(?:src|href)="(?!#|data:)', re.sub(r"xlink:href=\"#", "", text))
    assert "<script" not in text


def test_the_page_says_that_it_is_for_research_use_only() -> None:
    assert f"<strong>{RESEARCH_USE_ONLY}</strong>" in page(make())


def test_text_of_a_machine_cannot_become_markup() -> None:
    text = page(make(environment=environment(machine="<b>Pi & Co</b>")))
    assert "&lt;b&gt;Pi &amp; Co&lt;/b&gt;" in text
    assert "<b>" not in text


def test_a_result_without_figures_still_makes_a_page() -> None:
    bare = Result(created="2026-01-01", mode="quick", environment=environment())
    assert "<h1>" in page(bare)
    assert "<svg" not in page(bare)
