"""The audit as one HTML page that needs no other file: figures, example pairs, sessions and scale bars."""

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape

import cv2
import numpy as np

from smear.classes import LABELS
from smear.images import encode, read_image
from smear.imaging.masking import SCALE_BAR_BOX
from train.data.audit import SCALE_BARS, Audit, Row, totals
from train.data.near_duplicates import MIN_INLIERS

PAIRS = 24  # shown: half drawn at random, half those proven most narrowly, which err first
PER_SESSION = 10  # fields shown of each session
THUMBNAIL_PX = 112
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1250px;margin:2em auto;padding:0 1em;color:#222}"
    "img{margin:2px;vertical-align:top}figure{display:inline-block;margin:6px}figcaption{font-size:12px;color:#555}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:3px 9px;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


def page(found: Audit) -> str:
    """Return the report as HTML; it holds thumbnails of the fields, so it belongs beside the data."""
    sections = [
        "<h1>Audit of the fields</h1>",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in totals(found)) + "</ul>",
        "<h2>Fields by class</h2>",
        _class_table(found),
        "<h2>Pairs that show the same place</h2>",
        f"<p>Proven by at least {MIN_INLIERS} matched points under one similarity transform. First the pairs proven "
        "most narrowly, then some drawn at random.</p>",
        _pairs(found),
        "<h2>Sessions</h2><p>Fields of a class, clustered by the colour of glass and red cells. No file names a slide: "
        "a session is a guess from colour.</p>",
        _shelves(found, lambda row: row.session),
        "<h2>Scale bars</h2><p>The style alone tells classes apart, so no model may see the corner.</p>",
        _shelves(found, lambda row: row.scale_bar, corner=True),
        "<h2>Least sharp</h2>",
        _thumbnails(found, sorted(range(len(found.rows)), key=lambda i: found.rows[i].sharpness)[:PER_SESSION]),
    ]
    head = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Audit of the fields</title><style>{STYLE}</style>'
    )
    return head + "\n".join(sections) + "</html>\n"


def _class_table(found: Audit) -> str:
    head = ["Class", "Fields", "In groups", "Groups", "Exact copies", *SCALE_BARS, "Blurred"]
    lines = ["".join(f"<th>{escape(text)}</th>" for text in head)]
    groups = found.groups()
    copies = Counter(found.rows[second].label for _, second in found.duplicates)
    for label in LABELS:
        rows = [r for r in found.rows if r.label == label]
        own = [g for g in groups if found.rows[g[0]].label == label]
        styles = Counter(r.scale_bar for r in rows)
        cells = [len(rows), sum(map(len, own)), len(own), copies[label], *(styles[s] for s in SCALE_BARS)]
        cells.append(sum(r.blurred for r in rows))
        lines.append(f"<td>{label}</td>" + "".join(f"<td>{cell}</td>" for cell in cells))
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _pairs(found: Audit) -> str:
    narrow = sorted(found.pairs, key=lambda p: p.inliers)
    rest = narrow[PAIRS // 2 :]
    drawn = [rest[i] for i in np.random.default_rng(0).permutation(len(rest))[: PAIRS // 2]]
    figures = []
    for pair in narrow[: PAIRS // 2] + drawn:
        names = " and ".join(escape(found.rows[i].file) for i in (pair.first, pair.second))
        caption = (
            f"{names}<br>{pair.inliers} points, zoom {pair.zoom:.2f}, "
            f"shift {pair.shift[0]:.0f}, {pair.shift[1]:.0f} px, correlation {pair.correlation:.2f}"
        )
        shown = _image(found, pair.first, 168) + _image(found, pair.second, 168)
        figures.append(f"<figure>{shown}<figcaption>{caption}</figcaption></figure>")
    return "".join(figures) or "<p>None found.</p>"


def _shelves(found: Audit, key: Callable[[Row], str], corner: bool = False) -> str:
    shelves: dict[str, list[int]] = {}
    for index, row in enumerate(found.rows):
        shelves.setdefault(key(row), []).append(index)
    parts = []
    for name in sorted(shelves):
        rows = shelves[name]
        some = sorted(np.random.default_rng(0).permutation(rows)[:PER_SESSION].tolist())
        counts = Counter(found.rows[i].label for i in rows)
        told = ", ".join(f"{label} {counts[label]}" for label in LABELS if counts[label])
        parts.append(f"<h3>{escape(name)}: {len(rows)} fields ({told})</h3>{_thumbnails(found, some, corner)}")
    return "".join(parts)


def _thumbnails(found: Audit, rows: Sequence[int], corner: bool = False) -> str:
    return "".join(_image(found, i, THUMBNAIL_PX, corner) for i in rows)


def _image(found: Audit, index: int, size: int, corner: bool = False) -> str:
    image = read_image(found.data.records[index].path)
    if corner:
        image = image[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :]
    scale = size / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    data = base64.b64encode(encode(small, ".jpg", quality=80)).decode()
    name = escape(found.rows[index].file)
    return f'<img alt="{name}" title="{name}" src="data:image/jpeg;base64,{data}">'
