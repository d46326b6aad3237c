"""The results of the controls as one JSON file, from which every figure and table of the report is drawn."""

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from smear.errors import TrainingError
from smear.inference.evaluator import Answer, Answers
from smear.output_files import OutputFolder
from train.evaluation.occlusion import Occlusion
from train.evaluation.shares import Share
from train.evaluation.shortcut_controls import Graded
from train.evaluation.threshold_masks import MaskScore

SCHEMA = 2
FILE = "controls.json"


@dataclass(frozen=True, slots=True)
class EvaluatedBundle:
    """The bundle that was evaluated, as far as the report needs it."""

    name: str
    sha256: str
    identity: str  # see smear.inference.evaluator.Evaluator
    level: str
    segmenter: str
    classifier: str
    shown: str
    temperature: float
    abstain_below: float
    ood_above: float | None


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """The fields that it was evaluated on."""

    split: str
    seed: int
    fold: int
    fingerprint: str
    counts: dict[str, dict[str, int]]  # train, validation, test -> class -> fields
    evaluated: int  # of the test fields: all, unless --limit
    trained_on: int | None  # of them, how many the bundle was trained on, or a near-duplicate; None: not known


@dataclass(frozen=True, slots=True)
class OutOfDistribution:
    """The pictures of one source that must get no label."""

    source: str
    n: int
    ood_scores: tuple[float, ...]  # of those in which a cell was found
    refusals: dict[str, int]  # refusal code -> how many pictures were refused for it


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one run of the controls measured."""

    schema: int
    bundle: EvaluatedBundle
    fields: FieldCounts
    command: str
    made: str  # ISO 8601, UTC
    minutes: float
    machine: str
    clean: tuple[Answer, ...]  # to the test fields as they are
    validation: tuple[Answer, ...]  # to the fields that the temperature was fitted on, and a refit trained on
    forest: tuple[Share, ...]
    background: tuple[Share, ...]
    transplant: tuple[Share, ...]
    graded: tuple[Graded, ...]
    scale_bars: tuple[Share, ...]
    out_of_distribution: tuple[OutOfDistribution, ...]
    refused: tuple[Share, ...]  # by source out of distribution, and the share of the test fields that got a label
    occlusion: tuple[Occlusion, ...]
    occlusion_shares: tuple[Share, ...]
    masks: tuple[MaskScore, ...]

    @property
    def answers(self) -> Answers:
        """The answers to the test fields as they are."""
        return Answers(self.clean)

    @property
    def shares(self) -> tuple[Share, ...]:
        """Every control that has one figure, in the order of the report."""
        return (
            *self.forest, *self.background, *self.transplant, *self.scale_bars, *self.refused, *self.occlusion_shares
        )  # fmt: skip


_ADAPTER = TypeAdapter(Outcome)


def save(outcome: Outcome, path: Path) -> None:
    """Write `outcome` to `path`, whole or not at all."""
    with OutputFolder(path.parent, create=True) as folder:
        folder.write(path.name, _ADAPTER.dump_json(outcome, indent=1) + b"\n")


def load(path: Path) -> Outcome:
    """Read what `save` wrote.

    Raises:
        TrainingError: it cannot be read, or another version wrote it.
    """
    again = "run 'smearscope train controls' again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
        if schema != SCHEMA:
            raise TrainingError(f"{path}: schema {schema}, not {SCHEMA}; {again}")
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise TrainingError(f"{path}: not a result of the controls ({error.errors()[0]['msg']}); {again}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: not a result of the controls ({error}); {again}") from error


def machine() -> str:
    """Describe the machine, without its name."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
