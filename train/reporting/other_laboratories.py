"""The figures on other laboratories as tables, and the section of the model card that leads with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from smear.bundle.manifest import SCHEMA_VERSION
from smear.metrics import wilson_interval
from train.data.laboratories import CONDITIONS, LABORATORIES
from train.fitting.detection.ablation import Ablation
from train.fitting.detection.leave_one_laboratory_out import Count, HeldOut, OwnFigures
from train.reporting.page import Block, Command, Heading, Table, Text, blocks_to_markdown

BEGIN = "<!-- written by 'smearscope train out-of-distribution' -->"  # in cards on disk
END = "<!-- end of what it wrote -->"
_LIMIT = re.compile(
    r"(has no out-of-distribution score|refuses a field whose out-of-distribution score is above [0-9.e-]*[0-9])"
)
_SCHEMA = re.compile(r"bundle schema [0-9]+")
_DETECTED = "its out-of-distribution detector is described under 'Other laboratories'"
_BEFORE = "\n## "


@dataclass(frozen=True, slots=True)
class Results:
    """What one run of the command measured."""

    level: str
    held_out: Sequence[HeldOut]  # each laboratory by a detector fitted to the others
    in_sample: Sequence[HeldOut]  # by the detector that ships
    own: OwnFigures
    ablation: Sequence[Ablation]
    sources: Sequence[str]
    temperatures: Sequence[float]  # of fields with 1, 2, ... cells
    temperature: float
    command: str


def blocks(results: Results) -> list[Block]:
    """Return the section on other laboratories."""
    return [
        Heading("Other laboratories"),
        Text(
            "No picture counted here shows a field of the four classes; the right answer is a refusal. Each "
            "laboratory is judged by a detector that the others taught, so that its figures are those of a laboratory "
            "not seen before; the detector that ships learnt from all but those that only measure. The classifier is "
            "the same throughout; four fifths of the pictures of zheng1, zheng2, bccd and sigtuple were among its "
            f"negatives. Level {results.level}."
        ),
        held_out_table(results.held_out),
        Text(_overall(results)),
        own_table(results),
        ablation_table(results.ablation),
        Text(
            f"The detector learnt 'none of these' from {', '.join(results.sources)}. "
            + " ".join(f"'{one.name}' only measures: its terms exclude it." for one in LABORATORIES if not one.teaches)
        ),
        Command(results.command),
    ]


def held_out_table(rows: Sequence[HeldOut]) -> Table:
    """Return one row for each laboratory and condition."""
    caption = (
        "Fields that get a label; 'detector alone' is without any rule about light, background or focus; the upper "
        "ends of 95 % intervals (Wilson) are of the whole gate"
    )
    head = ("laboratory held out", "condition", "n", "before: leukaemia / Benign", "detector alone: leukaemia / Benign",
            "whole gate: leukaemia / Benign", "leukaemia, upper end", "Benign, upper end")  # fmt: skip
    cells = [
        (row.laboratory, row.condition, str(row.gated.n), _pair(row.before), _pair(row.detector), _pair(row.gated),
         f"{row.gated.leukaemia_upper:.4f}", f"{row.gated.benign_upper:.4f}")
        for row in rows
    ]  # fmt: skip
    return Table(caption, head, cells)


def _pair(count: Count) -> str:
    return f"{count.leukaemia} / {count.benign}"


def _overall(results: Results) -> str:
    sentences = []
    names = {one.name for one in LABORATORIES}
    for condition in CONDITIONS:
        rows = [row for row in results.held_out if row.condition == condition and row.laboratory in names]
        gated = sum((row.gated for row in rows), Count(0, 0, 0))
        detector = sum((row.detector for row in rows), Count(0, 0, 0))
        sentences.append(
            f"{condition}: {gated.leukaemia} of {gated.n} called leukaemia ({gated.leukaemia_upper:.4f} at most), "
            f"{detector.leukaemia} by the detector alone"
        )
    shipped = sum((row.detector for row in results.in_sample if row.laboratory in names), Count(0, 0, 0))
    return (
        f"Over all laboratories, {'; '.join(sentences)}. By the detector that ships, alone, {shipped.leukaemia} of "
        f"{shipped.n} under all three conditions are called leukaemia and {shipped.benign} Benign; most taught it."
    )


def own_table(results: Results) -> Table:
    """Return what is left of our own test fields."""
    own = results.own
    temperatures = ", ".join(f"{value:.3f}" for value in results.temperatures)
    rows = (
        ("accuracy, refused or not", f"{own.accuracy:.4f}", str(own.n)),
        ("labelled", _share(own.labelled, own.n), str(own.n)),
        ("right, of the labelled", _share(own.right, own.labelled), str(own.labelled)),
        ("turned or mirrored: labelled", _share(own.turned_labelled, own.n), str(own.n)),
        ("those: right, of the labelled", _share(own.turned_right, own.turned_labelled), str(own.turned_labelled)),
        ("ECE", f"{own.ece:.4f}", str(own.n)),
        ("fields with one or two cells: labelled", _share(own.few_labelled, own.few), str(own.few)),
        ("those: right, of the labelled", _share(own.few_right, own.few_labelled), str(own.few_labelled)),
        ("highest probability of a field with one cell", f"{own.surest_single:.4f}", "-"),
        (f"temperature with 1, 2 cells; with more {results.temperature:.3f}", temperatures, "-"),
    )
    return Table("Our own test fields, with the detector", ("figure", "value (95 % interval)", "n"), rows)


def _share(count: int, n: int) -> str:
    low, high = wilson_interval(count, n)
    return f"{count / max(1, n):.4f} ({low:.4f} to {high:.4f})"


def ablation_table(rows: Sequence[Ablation]) -> Table:
    """Return one row for each score."""
    head = ("score", "own test fields refused", *(f"{name}: leukaemia / Benign" for name in CONDITIONS), "worst share")
    n = max((row.held_out[CONDITIONS[0]].n for row in rows), default=0)
    cells = [
        (row.score, f"{row.own_refused:.4f}", *(_pair(row.held_out[c]) for c in CONDITIONS), f"{row.worst:.4f}")
        for row in rows
    ]
    caption = f"Scores compared, each laboratory held out in turn (n {n} for each condition), no other rule applied"
    return Table(caption, head, cells)


def card_with_section(card: str, results: Results) -> str:
    """Return the model card with the section before all others, in place of one that an earlier run wrote."""
    earlier = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END) + r"\n*", re.DOTALL)
    kept = _LIMIT.sub(_DETECTED, earlier.sub("", card), count=1)
    kept = _SCHEMA.sub(f"bundle schema {SCHEMA_VERSION}", kept, count=1)
    head, before, rest = kept.partition(_BEFORE)
    section = f"{BEGIN}\n\n{blocks_to_markdown(blocks(results))}\n{END}\n"
    return f"{head.rstrip()}\n\n{section}{before}{rest}"
