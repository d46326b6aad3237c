"""One list of blocks gives a page that needs no other file, and the same in Markdown."""

from train.reporting.page import Command, Heading, Picture, Table, Text, to_html, to_markdown

BLOCKS = [
    Heading("Worth <all>"),
    Text("Two & two"),
    Text("Beware & be warned", strong=True),
    Command("smearscope train report --out a"),
    Table("counts", ("class", "n"), [("Pre|B", "3")]),
    Picture("map", "A map", b"\x89PNG"),
]


def test_html_holds_everything_and_asks_for_no_other_file() -> None:
    page = to_html("Title", BLOCKS)
    assert "Worth &lt;all&gt;" in page
    assert "Two &amp; two" in page
    assert "<strong>Beware &amp; be warned</strong>" in page
    assert "data:image/png;base64," in page
    assert "<td>3</td>" in page
    assert 'src="figures' not in page
    assert "Research use only" in page


def test_markdown_names_its_pictures_and_keeps_its_columns() -> None:
    text = to_markdown("Title", BLOCKS)
    assert text.startswith("# Title\n\n**Research use only")
    assert "![A map](figures/map.png)" in text
    assert "*counts*\n\n| class | n |\n|---|---|\n| Pre/B | 3 |" in text
    assert "**Beware & be warned**" in text
    assert "```\nsmearscope train report --out a\n```" in text
