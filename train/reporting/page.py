"""A report as blocks, written once and rendered twice: one HTML page that needs no other file, and Markdown."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = (
    "body{font:16px/1.55 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222}"
    "h2{margin-top:2.2em;border-bottom:1px solid #ddd}figure{margin:1.2em 0}img{max-width:100%}"
    "figcaption,caption{font-size:14px;color:#555;text-align:left;padding:.3em 0}"
    "table{border-collapse:collapse;margin:1em 0;font-size:15px}td,th{border:1px solid #ccc;padding:3px 9px}"
    "td{text-align:right}td:first-child,th{text-align:left}pre{background:#f4f4f4;padding:.7em;overflow-x:auto}"
)


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that regenerates what stands around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of the same length as `head`."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure: PNG bytes, and its name as a file."""

    name: str
    caption: str
    png: bytes


Block = Heading | Text | Command | Table | Picture


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """Return one page that holds its pictures."""
    body = "\n".join(map(_html, blocks))
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n'


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Text):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Command):
        return f"<pre>{escape(block.text)}</pre>"
    if isinstance(block, Picture):
        data = base64.b64encode(block.png).decode()
        image = f'<img alt="{escape(block.caption)}" src="data:image/png;base64,{data}">'
        return f"<figure>{image}<figcaption>{escape(block.caption)}</figcaption></figure>"
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in block.head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in block.rows]
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><caption>{escape(block.caption)}</caption>{rows}</table>"


def to_markdown(title: str, blocks: Sequence[Block], pictures: str = "figures") -> str:
    """Return the same as Markdown; its pictures are expected as `pictures`/NAME.png."""
    return "\n\n".join([f"# {title}", *(_markdown(block, pictures) for block in blocks)]) + "\n"


def _markdown(block: Block, pictures: str) -> str:
    if isinstance(block, Heading):
        return f"## {block.text}"
    if isinstance(block, Text):
        return block.text
    if isinstance(block, Command):
        return f"```\n{block.text}\n```"
    if isinstance(block, Picture):
        return f"![{block.caption}]({pictures}/{block.name}.png)\n\n*{block.caption}*"
    lines = [_row(block.head), "|" + "---|" * len(block.head), *map(_row, block.rows)]
    return "\n".join([f"*{block.caption}*", "", *lines])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
