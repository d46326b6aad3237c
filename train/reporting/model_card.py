"""The part of a bundle's MODEL_CARD.md that the controls add: `convert` writes the card, this extends it in place."""

import shlex
from pathlib import Path

from smear.bundle.manifest import SIGNATURE, load_bundle, sha256_of, write_manifest
from smear.errors import TrainingError
from smear.images import write_atomic
from train.evaluation.control_results import Outcome
from train.evaluation.scores import Evaluation
from train.reporting import tables
from train.reporting.page import Block, Command, Heading, Text, to_markdown

FILE = "MODEL_CARD.md"
BEGIN = "<!-- written by 'smearscope train report'; all below is replaced by the next one -->"


def blocks(outcome: Outcome, found: Evaluation) -> list[Block]:
    """Return what the card says of the controls."""
    known = outcome.fields.trained_on
    leak = {None: "Whether any of them was trained on was not checked.", 0: "None of them was trained on."}.get(
        known, f"{known} of them were trained on, themselves or a re-shot: read every figure here as too good."
    )
    return [
        Heading("Judged by the controls"),
        Text(
            f"Level {outcome.bundle.level}, through the device's own pipeline, {outcome.made[:10]}: "
            f"{outcome.fields.asked} test fields of split '{outcome.fields.split}' (fold {outcome.fields.fold}). {leak}"
        ),
        tables.headline(outcome, found),
        tables.by_class(found),
        tables.shares(
            "Controls: what decides is the cells, or it is not",
            (*outcome.background, *outcome.transplant, *outcome.bars, *outcome.looked_at),
        ),
        tables.shares("Strangers", outcome.refused),
        tables.graded(outcome),
        Command(without_folders(outcome.command)),
    ]


def without_folders(command: str) -> str:
    """Return `command` with each path cut to its last part: a card travels, and the folders of a machine do not."""
    return shlex.join(Path(word).name if "/" in word else word for word in shlex.split(command))


def extend(bundle: Path, outcome: Outcome, found: Evaluation) -> Path:
    """Write the controls' part into the card of `bundle` and renew its checksum.

    Raises:
        BundleError: the bundle is damaged.
        TrainingError: it is signed, or holds no card.
    """
    opened = load_bundle(bundle)
    if (bundle / SIGNATURE).exists():
        raise TrainingError(f"bundle {bundle}: it is signed, and a new card would break that; remove {SIGNATURE} first")
    card = bundle / FILE
    if FILE not in opened.manifest.files:
        raise TrainingError(f"bundle {bundle}: it holds no {FILE}; make it again with 'smearscope convert'")
    kept = card.read_text(encoding="utf-8").partition(BEGIN)[0].rstrip()
    added = to_markdown("", blocks(outcome, found)).partition("\n\n")[2]
    write_atomic(card, f"{kept}\n\n{BEGIN}\n\n{added}".encode())
    files = opened.manifest.files | {FILE: sha256_of(card)}
    write_manifest(bundle, opened.manifest.model_copy(update={"files": files}))
    load_bundle(bundle)
    return card
