"""What the controls found, as one JSON file: every figure and table of the report is drawn from it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from smear.errors import TrainingError
from smear.images import write_atomic
from smear.inference.evaluator import Answer, Answers
from train.evaluation.occlusion import Occlusion
from train.evaluation.shortcut_controls import Graded, Share
from train.evaluation.threshold_masks import MaskScore

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Judged:
    """The bundle that was judged, as far as the report needs it."""

    name: str
    sha256: str
    identity: str  # see smear.inference.evaluator.Judge
    level: str
    segmenter: str
    classifier: str
    shown: str
    temperature: float
    abstain_below: float
    ood_above: float | None


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields it was judged on."""

    split: str
    seed: int
    fold: int
    fingerprint: str
    counts: dict[str, dict[str, int]]  # train, validation, test -> class -> fields
    asked: int  # of the test fields, unless --limit asked fewer
    trained_on: int | None  # of them, how many the bundle was trained on, itself or a re-shot; None: not known


@dataclass(frozen=True, slots=True)
class Strangers:
    """Pictures of one source that must get no label."""

    source: str
    n: int
    ood_scores: tuple[float, ...]  # of those in which a cell was found
    refusals: dict[str, int]  # refusal code -> how often it was given


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one run of the controls found."""

    schema: int
    bundle: Judged
    fields: Fields
    command: str
    made: str  # ISO 8601, UTC
    minutes: float
    machine: str
    clean: tuple[Answer, ...]
    validation: tuple[Answer, ...]  # what the temperature was fitted on, and a refit went on over
    forest: tuple[Share, ...]
    background: tuple[Share, ...]
    transplant: tuple[Share, ...]
    graded: tuple[Graded, ...]
    bars: tuple[Share, ...]
    strangers: tuple[Strangers, ...]
    refused: tuple[Share, ...]  # by source of strangers, and what is kept of the test fields
    occlusion: tuple[Occlusion, ...]
    looked_at: tuple[Share, ...]
    masks: tuple[MaskScore, ...]

    @property
    def answers(self) -> Answers:
        """What was said of the test fields as they are."""
        return Answers(self.clean)

    @property
    def shares(self) -> tuple[Share, ...]:
        """Every control that has one figure, in the order of the report."""
        return (*self.forest, *self.background, *self.transplant, *self.bars, *self.refused, *self.looked_at)


_ADAPTER = TypeAdapter(Outcome)


def save(outcome: Outcome, path: Path) -> None:
    """Write `outcome` to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, _ADAPTER.dump_json(outcome, indent=1) + b"\n")


def load(path: Path) -> Outcome:
    """Read what `save` wrote.

    Raises:
        TrainingError: it cannot be read, or another version wrote it.
    """
    try:
        outcome = _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise TrainingError(f"{path}: not an outcome ({first}); run 'smearscope train controls' again") from error
    if outcome.schema != SCHEMA:
        raise TrainingError(f"{path}: schema {outcome.schema}, not {SCHEMA}; run 'smearscope train controls' again")
    return outcome


def machine() -> str:
    """Say what this runs on, without its name."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
