"""Slides and fields as tables for a terminal."""

from collections.abc import Sequence
from datetime import datetime

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from device.store import FieldRecord, SlideRecord
from device.store.slide_summary import MIN_FIELDS, Share
from smear import RESEARCH_USE_ONLY
from smear.classes import FIELD_CLASSES, by_name

SIMULATED = "SIMULATED microscope: drawn cells, no patient's."


_YEAR_9999_S = 253_370_764_800  # of Unix time: the last year that Python can write


def local_time(unix_s: float) -> str:
    """Return a moment as people here write it; of a damaged record, which may hold any number, dashes."""
    if not 0 <= unix_s < _YEAR_9999_S:
        return "-" * len("2026-01-01 00:00:00")
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def colour_of(name: str) -> str:
    """Return the colour of a class in rich's words."""
    return "rgb({},{},{})".format(*by_name(name).colour)


def slide_table(slides: Sequence[SlideRecord]) -> Table:
    """List slides, a line each."""
    table = Table(box=SIMPLE)
    for title, side in (("slide", "right"), ("name", "left"), ("started", "left"), ("fields", "right"),
                        ("accepted", "right"), ("refused", "right"), ("cells", "right"), ("leading", "left"),
                        ("marks", "left")):  # fmt: skip
        table.add_column(title, justify="right" if side == "right" else "left", overflow="fold")
    for slide in slides:
        tally = slide.tally
        marks = [word for word, on in (("open", slide.ended_s is None), ("simulated", slide.simulated),
                                       ("keep", slide.keep)) if on]  # fmt: skip
        numbers = (tally.total, tally.accepted, tally.refused, tally.cells)
        table.add_row(
            str(slide.id), Text(slide.name), local_time(slide.started_s), *map(str, numbers),
            _class_text(tally.leading()), ", ".join(marks),
        )  # fmt: skip
    return table


def field_table(fields: Sequence[FieldRecord], slide: SlideRecord) -> Table:
    """List fields, a line each."""
    table = Table(box=SIMPLE, title=Text(f"Slide {slide.id}: {slide.name}"), title_justify="left")
    for title in ("field", "time", "label", "p", "cells", "focus", "ms", "refused because"):
        table.add_column(title, justify="right" if title in {"field", "p", "cells", "focus", "ms"} else "left")
    for record in fields:
        best = max(record.probabilities.values(), default=None)
        table.add_row(
            str(record.id),
            local_time(record.wall_time_s)[11:],
            _class_text(record.label),
            "-" if best is None else f"{best:.2f}",
            str(record.cell_count),
            f"{record.focus:.2f}",
            f"{record.timing_ms.get('total', 0.0):.0f}",
            Text("; ".join(map(str, record.refusals))),
        )
    return table


def slide_summary(slide: SlideRecord, seen_before: int = 0) -> Group:
    """Sum one slide up: shares with intervals over its accepted fields, cells, refusals."""
    tally = slide.tally
    table = Table(box=SIMPLE)
    for title in ("class", "fields", "share", "95 % interval"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for each in FIELD_CLASSES:
        share = tally.class_shares()[each.name]
        table.add_row(Text(each.title, style=colour_of(each.name)), str(share.n), *_share_texts(share))
    lines = [
        f"Slide {slide.id} ({slide.name}): {tally.total} distinct fields, {tally.accepted} accepted, "
        f"{tally.refused} refused, {tally.empty} empty; {seen_before} seen again and not counted",
        f"{tally.cells} leukocytes in accepted fields" + _blast_text(tally.blast_share()),
        *(f"refused {n} x: {why}" for why, n in sorted(tally.refusals.items(), key=lambda item: -item[1])),
        _verdict(slide),
        *([SIMULATED] if slide.simulated else []),
        RESEARCH_USE_ONLY,
    ]
    return Group(table, *(Text(line) for line in lines))


def _verdict(slide: SlideRecord) -> str:
    leading = slide.tally.leading()
    if leading:
        return f"The fields of this slide resemble {by_name(leading).title} most."
    if slide.tally.accepted < MIN_FIELDS:
        return f"No class is named for the slide: fewer than {MIN_FIELDS} accepted fields."
    return "No class is named for the slide: the intervals of the classes overlap."


def _share_texts(share: Share) -> tuple[str, str]:
    if share.total == 0:
        return "-", "-"
    return f"{share.share:.1%}", f"{share.low:.1%} to {share.high:.1%}"


def _blast_text(share: Share | None) -> str:
    if share is None:
        return ""
    return f"; {share.n} of {share.total} classified ones resemble blasts ({share.share:.1%})"


def _class_text(name: str | None) -> Text:
    return Text(name, style=colour_of(name)) if name else Text("-")
