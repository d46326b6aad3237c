"""What stands at the top of a report: the state of the slide, what to beware of, and its few figures."""

from collections.abc import Mapping
from typing import NamedTuple

from device.counting.differential import DifferentialCount, SlideState
from device.reporting.tables import SIMULATED
from device.slide_report.facts import few
from device.slide_report.field_digest import FieldDigest
from device.store import SlideRecord
from device.store.records import QC_CLEARED, QC_NOT_CLEARED
from device.store.review.statement import Signature
from smear.site import NOT_CHECKED

MAX_NAMED = 20  # unidentified cells


class Badge(NamedTuple):
    """A few words, and how they look: "good", "warn" or "plain"."""

    text: str
    look: str


class Tile(NamedTuple):
    """One figure and what it is."""

    title: str
    value: str
    about: str


def conceded(signature: Signature) -> list[str]:
    """Return what the operator signed although the count was not complete, and why, a phrase each."""
    if not signature.intact:
        return []
    said = signature.said().get("concessions", {})
    reasons = {
        "unidentified cells": few(said.get("unidentified", []), MAX_NAMED),
        "fewer leukocytes than the target": said.get("short"),
        "cells passed over": said.get("passed_over"),
    }
    return [f"{what}: {why}" for what, why in reasons.items() if why]


def badges(slide: SlideRecord, state: SlideState) -> list[Badge]:
    """Return the state of the slide in a few words each."""
    simulated = [Badge("simulated", "warn")] if slide.simulated else []
    if state is SlideState.SIGNED:
        return [*simulated, Badge(f"signed, version {slide.version}", "good")]
    return [*simulated, Badge(f"{state}, not signed", "warn")]


def warnings(slide: SlideRecord, fields: FieldDigest) -> list[str]:
    """Return what the reader must know before the figures, a sentence each."""
    unchecked, uncleared = slide.tally.accepted - slide.tally.site_checked, fields.qc[QC_NOT_CLEARED]
    found = {
        SIMULATED: slide.simulated,
        f"{uncleared} of {fields.fields} fields were taken while quality control was not cleared.": uncleared,
        f"{unchecked} of {slide.tally.accepted} labels of fields were {NOT_CHECKED}.": unchecked,
        f"The models were changed while the slide was examined: {len(slide.bundles)} bundles.": len(slide.bundles) > 1,
        "The slide is still open: more fields may be added.": slide.ended_s is None,
    }
    return [text for text, holds in found.items() if holds]


def tiles(slide: SlideRecord, fields: FieldDigest, counts: Mapping[str, DifferentialCount]) -> list[Tile]:
    """Return the few figures that sum the slide up."""
    tally = slide.tally
    found = [
        Tile("Cells counted", str(each.leukocytes), f"target {each.target}, by {operator}")
        for operator, each in counts.items()
    ] or [Tile("Cells counted", "none", "nobody has classified a cell")]
    cleared = fields.qc[QC_CLEARED]
    if not fields.qc[QC_NOT_CLEARED] and not cleared:
        control = Tile("Quality control", "not asked", "by the settings of this device")
    else:
        control = Tile("Quality control", f"{cleared} of {fields.fields}", "fields taken while it was cleared")
    return [
        *found[:3],
        Tile("Cells found", str(tally.cells), "by the network, in accepted fields"),
        Tile("Fields", f"{tally.accepted} of {tally.total}", f"accepted; {tally.refused} refused, {tally.empty} empty"),
        control,
    ]
