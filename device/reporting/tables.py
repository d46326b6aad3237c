"""Slides and fields as tables for a terminal."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from device.counting.differential import SlideState
from device.counting.share import Share
from device.store import FieldRecord, SlideRecord
from device.store.names import DETAILS
from device.store.slide_summary import MIN_FIELDS, SlideTally
from smear import RESEARCH_USE_ONLY
from smear.classes import FIELD_CLASSES, by_name
from smear.site import NOT_CHECKED

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


def slide_table(slides: Sequence[SlideRecord], states: Mapping[int, SlideState]) -> Table:
    """List slides, a line each in 80 columns where the names are short; the rest is in `slides show`.

    `states` is by the number of the slide how far the work on it is.
    """
    table = Table(box=SIMPLE, padding=0, show_edge=False)
    for title in ("slide", "name", "started", "fields", "accepted", "leading", "marks"):
        right = title in {"slide", "fields", "accepted"}
        table.add_column(title, justify="right" if right else "left", overflow="fold",
                         no_wrap=title == "started", max_width=9 if title == "marks" else None)  # fmt: skip
    for slide in slides:
        tally = slide.tally
        marks = ["recording" if slide.ended_s is None else str(states[slide.id])]
        marks += [word for word, on in (("simulated", slide.simulated), ("keep", slide.keep)) if on]
        table.add_row(
            str(slide.id), Text(slide.name), local_time(slide.started_s)[:16], str(tally.total), str(tally.accepted),
            _class_text(tally.leading()), " ".join(marks),
        )  # fmt: skip
    return table


def field_table(
    fields: Sequence[FieldRecord], slide: SlideRecord, classified: Mapping[int, int] | None = None
) -> Table:
    """List fields, a line each; `classified` is by the number of a field how many of its cells people classified."""
    table = Table(box=SIMPLE, padding=0, show_edge=False, title=Text(f"Slide {slide.id}: {slide.name}"),
                  title_justify="left")  # fmt: skip
    reviewed = ["reviewed"] if any(record.reviewed_label is not None for record in fields) else []
    classified = classified or {}
    for title in ("field", "time", "label", "p", "cells", "focus", "ms", *reviewed, "refused because"):
        right = title in {"field", "p", "cells", "focus", "ms"}
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "refused because",
                         overflow="fold")  # fmt: skip
    for record in fields:
        best = max(record.probabilities.values(), default=None)
        table.add_row(
            str(record.id),
            local_time(record.wall_time_s)[11:],
            _class_text(record.label),
            "-" if best is None else f"{best:.2f}",
            f"{classified[record.id]}/{record.cell_count}" if record.id in classified else str(record.cell_count),
            f"{record.focus:.2f}",
            f"{record.timing_ms.get('total', 0.0):.0f}",
            *([_reviewed_text(record.reviewed_label)] if reviewed else []),
            Text("; ".join(map(str, record.refusals))),
        )
    return table


def slide_summary(slide: SlideRecord, reviewed: Mapping[str, int], work: Sequence[str] = ()) -> Group:
    """Sum one slide up: shares with intervals over its accepted fields, cells, refusals, and what people answered.

    `reviewed` is how many fields of it a person gave each label to; `work` is what is said of counts and signatures.
    """
    tally = slide.tally
    table = Table(box=SIMPLE)
    for title in ("class", "fields", "share", "95 % interval"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for each in FIELD_CLASSES:
        share = tally.class_shares()[each.name]
        table.add_row(Text(each.title, style=colour_of(each.name)), str(share.n), *_share_texts(share))
    lines = [
        f"Slide {slide.id} ({slide.name}): {tally.total} distinct fields, {tally.accepted} accepted, "
        f"{tally.refused} refused, {tally.empty} empty; {tally.seen_again} seen again and not counted",
        *_details(slide),
        f"{tally.cells} leukocytes in accepted fields",
        *_reviewed_lines(reviewed),
        *work,
        *_refusal_lines(tally.refusals),
        *_site(tally),
        *_quality_control(tally),
        *_bundles(slide),
        _conclusion(slide),
        *([SIMULATED] if slide.simulated else []),
        RESEARCH_USE_ONLY,
    ]
    return Group(table, *(Text(line) for line in lines))


def _details(slide: SlideRecord) -> list[str]:
    said = [f"{name}: {text}" for name in DETAILS if (text := getattr(slide, name))]
    return ["; ".join(said)] if said else []


def _bundles(slide: SlideRecord) -> list[str]:
    """Say that the models were changed while the slide was examined; its fields are then not comparable at once."""
    if len(slide.bundles) < 2:
        return []
    return [f"examined with {len(slide.bundles)} bundles: {', '.join(sha256[:12] for sha256 in slide.bundles)}"]


def _site(tally: SlideTally) -> list[str]:
    unchecked = tally.accepted - tally.site_checked
    text = f"{unchecked} of {tally.accepted} labels: {NOT_CHECKED} ('smearscope site show' says why)"
    return [text] if unchecked else []


def _quality_control(tally: SlideTally) -> list[str]:
    text = f"{tally.not_cleared} of {tally.total} fields: quality control not cleared ('smearscope qc status' says why)"
    return [text] if tally.not_cleared else []


def _conclusion(slide: SlideRecord) -> str:
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


def _refusal_lines(refusals: Mapping[str, int]) -> list[str]:
    """Return how often each refusal was given, the most frequent first, its code in words."""
    ranked = sorted(refusals.items(), key=lambda item: -item[1])
    return [f"refused {n} x: {code.replace('_', ' ')}" for code, n in ranked]


def _reviewed_lines(reviewed: Mapping[str, int]) -> list[str]:
    if not reviewed:
        return []
    answers = ", ".join(f"{n} {label or 'none of the classes'}" for label, n in reviewed.items())
    return [f"reviewed by a person: {answers}"]


def _reviewed_text(label: str | None) -> Text:
    if label is None:
        return Text("")
    return _class_text(label) if label else Text("none")


def _class_text(name: str | None) -> Text:
    return Text(name, style=colour_of(name)) if name else Text("-")
