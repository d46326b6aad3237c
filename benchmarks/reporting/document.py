"""A report as data: sections of paragraphs and tables under titles, and its rendering as Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of plain text."""

    text: str
    emphasis: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table; every row has as many cells as the head."""

    head: Row
    rows: tuple[Row, ...]

    def columns(self, names: Row) -> "Table":
        """Return the table of the columns with these heads alone."""
        chosen = [self.head.index(name) for name in names]
        return Table(names, tuple(tuple(row[i] for i in chosen) for row in self.rows))


Block = Paragraph | Table


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    introduction: tuple[Block, ...]
    sections: dict[str, tuple[Block, ...]]  # by title


def to_markdown(document: Document) -> str:
    """Return `document` as Markdown."""
    parts = [f"# {document.title}", *map(_block, document.introduction)]
    for title, blocks in document.sections.items():
        parts += [f"## {title}", *map(_block, blocks)]
    return "\n\n".join(parts) + "\n"


def blocks_to_markdown(blocks: Iterable[Block]) -> str:
    """Return `blocks` as Markdown without any title, for a part of another file."""
    return "\n\n".join(map(_block, blocks)) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"**{block.text}**" if block.emphasis else block.text
    lines = [block.head, ("---",) * len(block.head), *block.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)
