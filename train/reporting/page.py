"""A report as a list of blocks, rendered as one HTML page that needs no other file, and as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from smear import RESEARCH_USE_ONLY
from smear.templating import render

WIDTH_PX = 1080


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph; a strong one must not be overlooked."""

    kind: ClassVar[str] = "text"
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command that reproduces what is reported around it."""

    kind: ClassVar[str] = "command"
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of the same length as `head`."""

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure: PNG bytes, and its name as a file."""

    kind: ClassVar[str] = "picture"
    name: str
    caption: str
    png: bytes


Block = Heading | Text | Command | Table | Picture


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """Return one page that holds its pictures."""
    return render("train.reporting", "report.html", title=title, blocks=blocks, width=WIDTH_PX)


def to_markdown(title: str, blocks: Sequence[Block], pictures: str = "figures") -> str:
    """Return the same as Markdown; its pictures are expected as `pictures`/NAME.png."""
    return f"# {title}\n\n**{RESEARCH_USE_ONLY}**\n\n{blocks_to_markdown(blocks, pictures)}"


def blocks_to_markdown(blocks: Sequence[Block], pictures: str = "figures") -> str:
    """Return `blocks` as Markdown without a title."""
    return "\n\n".join(_markdown(block, pictures) for block in blocks) + "\n"


def _markdown(block: Block, pictures: str) -> str:
    if isinstance(block, Heading):
        return f"## {block.text}"
    if isinstance(block, Text):
        return f"**{block.text}**" if block.strong else block.text
    if isinstance(block, Command):
        return f"```\n{block.text}\n```"
    if isinstance(block, Picture):
        return f"![{block.caption}]({pictures}/{block.name}.png)\n\n*{block.caption}*"
    lines = [_row(block.head), "|" + "---|" * len(block.head), *map(_row, block.rows)]
    return "\n".join([*([f"*{block.caption}*", ""] if block.caption else []), *lines])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
