"""A slide as one HTML page that needs no other file, asks for nothing on a network and runs no script."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest

from markupsafe import Markup

from device.counting.agreement import Agreement, agreement
from device.counting.share import Share, share_of
from device.quality_control.chart import expected_text
from device.quality_control.levey_jennings import kind_of
from device.reporting.cell_pictures import CELL_UM
from device.settings import Settings
from device.slide_report.class_marks import ClassMark, class_marks
from device.slide_report.control import control_of
from device.slide_report.facts import (
    calibrations_of,
    certificates_of,
    circumstances,
    moment,
    settings_facts,
    slide_facts,
)
from device.slide_report.field_digest import FieldDigest, digest, spaced
from device.slide_report.headlines import badges, conceded, tiles, warnings
from device.slide_report.pictures import take_pictures
from device.slide_report.trail import trail_of
from device.store import CellRecord, SlideRecord, Store
from device.store.slide_summary import MIN_FIELDS
from device.system.clock import Clock, SystemClock
from smear import __version__
from smear.classes import FIELD_CLASSES
from smear.site import NOT_CHECKED
from smear.templating import render

PACKAGE = "device.slide_report"
# With these a page takes 3 MB at most, whatever the slide holds.
MAX_ACCEPTED = 12  # pictures of accepted fields
MAX_REFUSED = 9  # pictures of refused fields
MAX_CELLS, MAX_ALL_CELLS = 16, 240  # pictures of the cells of one class, and of all
TITLES = {each.name: each.title for each in FIELD_CLASSES}


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Some of the fields that have something in common."""

    title: str
    total: int  # that have a photograph
    shown: Sequence[int]  # their numbers
    choice: str  # how these were chosen


@dataclass(frozen=True, slots=True)
class CellGroup:
    """Some of the cells of one class."""

    mark: ClassMark
    total: int
    shown: Sequence[CellRecord]


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many fields were refused for one reason."""

    code: str
    share: Share  # of all fields
    advice: str  # in words, of the first of them
    first: int  # its number


def slide_report(
    store: Store,
    slide_id: int,
    settings: Settings,
    clock: Clock | None = None,
    quiet: bool = True,
) -> str:
    """Return the report of a slide as it is now, whatever is recorded meanwhile; not `quiet`: behind a progress bar.

    Raises:
        StoreError: there is no such slide.
    """
    made = moment((clock or SystemClock()).wall_s())
    with store.snapshot():
        slide, fields = store.slide(slide_id), digest(store.all_fields(slide_id))
        totals = store.class_totals(slide_id)
        counted = store.counted(slide, settings.cells.classes, settings.cells.target)
        marks = class_marks(
            settings.cells.classes,
            [*totals, *(each.name for count in counted.counts.values() for each in count.classes)],
        )
        groups, gallery = list(_field_groups(fields)), list(_gallery(store, slide, marks, totals))
        numbers = [number for group in groups for number in group.shown]
        cells = [cell for group in gallery for cell in group.shown]
        signer = counted.signatures[-1].operator if slide.signed else None
        counts = dict(sorted(counted.counts.items(), key=lambda item: item[0] != signer))  # the one that counts first
        style = _style(marks.values(), f"Slide {slide.id}: {slide.name}, version {slide.version}", made)
        return render(
            PACKAGE,
            "slide.html",
            style=style,
            style_hash=_hash_of(style),
            made=made,
            moment=moment,
            slide=slide,
            badges=badges(slide, counted.state),
            warnings=warnings(slide, fields),
            tiles=tiles(slide, fields, counts),
            facts=slide_facts(slide, fields, store.store_id()),
            signatures=[(each, conceded(each), store.verify(each).faults) for each in counted.signatures],
            counts=counts,
            agreements=list(_agreements(store, slide_id, list(counts), [each.name for each in settings.cells.classes])),
            marks=marks,
            titles=TITLES,
            min_fields=MIN_FIELDS,
            refusals=list(_refusals(slide, fields)),
            groups=groups,
            gallery=gallery,
            records={number: store.field(number) for number in numbers},
            pictures=take_pictures(store, numbers, cells, marks, quiet),
            cell_scale=_cell_scale(fields),
            fields=fields,
            circumstances=circumstances(fields),
            calibrations=calibrations_of(store.folder, fields),
            certificates=certificates_of(store.folder, fields),
            not_checked=NOT_CHECKED,
            settings=settings_facts(settings),
            control=control_of(store, fields.last_s),
            expected_text=expected_text,
            kind_of=kind_of,
            trail=trail_of(store, slide_id),
        )


def _agreements(
    store: Store, slide_id: int, operators: Sequence[str], order: Sequence[str]
) -> Iterator[tuple[str, str, Agreement, list[tuple[str, str, int]]]]:
    """Yield each two operators with their agreement, and what they called differently, the most frequent first."""
    for one, other in combinations(operators, 2):
        found = agreement(store.both_classified(slide_id, one, other), order)
        if found.agreed.total:
            apart = [
                (a, b, n)
                for a, row in zip(found.classes, found.confusion, strict=True)
                for b, n in zip(found.classes, row, strict=True)
                if a != b and n
            ]
            yield one, other, found, sorted(apart, key=lambda each: -each[2])


def _field_groups(fields: FieldDigest) -> Iterator[FieldGroup]:
    """Yield which fields are shown: accepted ones evenly spaced over the slide, and refused ones of every reason."""
    if fields.pictured:
        shown = spaced(fields.pictured, MAX_ACCEPTED)
        yield FieldGroup("Accepted", len(fields.pictured), shown, "evenly spaced in the order they were taken")
    rounds = zip_longest(*(spaced(known.pictured, MAX_REFUSED) for known in fields.refused.values()))
    refused = dict.fromkeys(number for each in rounds for number in each if number is not None)
    if refused:
        total = len({number for known in fields.refused.values() for number in known.pictured})
        yield FieldGroup("Refused", total, sorted(list(refused)[:MAX_REFUSED]), "with every reason among them")


def _gallery(
    store: Store, slide: SlideRecord, marks: Mapping[str | None, ClassMark], totals: Mapping[str, int]
) -> Iterator[CellGroup]:
    limit = max(1, min(MAX_CELLS, MAX_ALL_CELLS // (len(totals) + 1)))
    for name, mark in marks.items():
        if name is None:
            total = slide.tally.cells - sum(totals.values())
            shown = store.browse(slide.id, unclassified=True, limit=limit)
        else:
            total = totals.get(name, 0)
            shown = store.browse(slide.id, cell_class=name, limit=limit) if total else []
        if shown:
            yield CellGroup(mark, max(total, len(shown)), shown)


def _cell_scale(fields: FieldDigest) -> str:
    if None in fields.pixel_sizes:
        return "at the scale of their photographs"
    return f"each picture {CELL_UM:g} µm wide, or as wide as a larger cell"


def _refusals(slide: SlideRecord, fields: FieldDigest) -> Iterator[Refusals]:
    for code, n in sorted(slide.tally.refusals.items(), key=lambda item: -item[1]):
        known = fields.refused.get(code)
        share = share_of(n, max(n, slide.tally.total))
        yield Refusals(code, share, known.advice if known else code.replace("_", " "), known.first if known else 0)


def _style(marks: Iterable[ClassMark], name: str, made: str) -> Markup:
    """Return the style sheet with the lines that run along each printed page."""
    foot = f"Smearscope {__version__}, report of {made}"
    return Markup(render(PACKAGE, "slide.css", marks=list(marks), running_name=name, running_foot=foot))


def _hash_of(style: str) -> str:
    """Return what the policy of the page calls its own style sheet; no other one is applied."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"
