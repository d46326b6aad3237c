"""The part of a bundle's MODEL_CARD.md that the controls add: `convert` writes the card, this extends it in place."""

import shlex
from pathlib import Path

from smear.bundle.derivation import derive
from smear.bundle.folder import load_bundle
from smear.bundle.manifest import SIGNATURE
from smear.errors import TrainingError
from train.evaluation.control_results import Outcome
from train.evaluation.scores import Evaluation
from train.reporting import tables
from train.reporting.page import Block, Command, Heading, Text, blocks_to_markdown

FILE = "MODEL_CARD.md"
BEGIN = "<!-- written by 'smearscope train report'; all below is replaced by the next one -->"  # in cards on disk


def blocks(outcome: Outcome, found: Evaluation) -> list[Block]:
    """Return the part of the card about the controls."""
    fields = outcome.fields
    seen = fields.trained_on
    leak = {None: "It was not checked whether any of them was trained on.", 0: "None of them was trained on."}.get(
        seen, f"{seen} of them, or a near-duplicate, were trained on: every figure here is too optimistic."
    )
    return [
        Heading("Controls"),
        Text(
            f"Level {outcome.bundle.level}, through the pipeline of the device, {outcome.made[:10]}: "
            f"{fields.evaluated} test fields of split '{fields.split}' (fold {fields.fold}). {leak}"
        ),
        tables.headline(outcome, found),
        tables.by_class(found),
        tables.shares(
            "Controls: do the cells decide?",
            (*outcome.background, *outcome.transplant, *outcome.scale_bars, *outcome.occlusion_shares),
        ),
        tables.shares("Out-of-distribution pictures, and the test fields", outcome.refused),
        tables.graded(outcome),
        Command(without_folders(outcome.command)),
    ]


def without_folders(command: str) -> str:
    """Return `command` with each path cut to its last part: a card is published, the folders of a machine are not."""
    return shlex.join(Path(word).name if "/" in word else word for word in shlex.split(command))


def extend(bundle: Path, outcome: Outcome, found: Evaluation) -> Path:
    """Write the part about the controls into the card of `bundle` and update its checksum.

    Raises:
        BundleError: the bundle is damaged.
        TrainingError: it is signed, or has no card.
    """
    opened = load_bundle(bundle)
    if (bundle / SIGNATURE).exists():
        raise TrainingError(
            f"bundle {bundle}: it is signed, and a new card would invalidate the signature; remove {SIGNATURE} first"
        )
    if FILE not in opened.manifest.files:
        raise TrainingError(f"bundle {bundle}: it has no {FILE}; create it again with 'smearscope convert'")
    kept = opened.read(FILE).decode().partition(BEGIN)[0].rstrip()
    card = f"{kept}\n\n{BEGIN}\n\n{blocks_to_markdown(blocks(outcome, found))}"
    return derive(opened, bundle, {FILE: card.encode()}, opened.manifest).path / FILE
