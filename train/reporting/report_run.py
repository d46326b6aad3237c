"""One run of the report: controls measured if need be, the page written in both forms, the model card extended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smear.errors import TrainingError
from smear.inference.evaluator import Evaluator
from smear.output_files import OutputFolder
from train.data.dataset import class_root
from train.evaluation import control_results
from train.evaluation.control_results import Outcome
from train.evaluation.scores import evaluate
from train.evaluation.shortcut_controls import count_selected
from train.reporting import model_card
from train.reporting.experiments import read_rows, spreads
from train.reporting.page import Block, Picture, to_html, to_markdown
from train.reporting.report import TITLE, Material, blocks
from train.reporting.training_cost import stages

HTML, MARKDOWN, FIGURES = "report.html", "report.md", "figures"
SEGMENTER_SCORES = "segmenter.json"  # of 'train segmenter'


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """What is reported, from which files, and where to."""

    bundle: Path
    level: str
    data: Path  # root of the training data
    fields: str  # folder of the classes, below `data`
    split: Path
    fold: int
    run: Path | None
    approaches: Path | None
    networks: Path | None
    protocol: Path | None
    out: Path
    again: bool
    extend_card: bool
    limit: int | None
    command: str


def run(settings: ReportSettings, measure: Callable[[Evaluator], Outcome]) -> Path | None:
    """Write the report; return the model card if it was extended.

    `measure` runs the controls; it is called unless their results for this bundle and split are in the folder.
    """
    stored = settings.out / control_results.FILE
    with Evaluator(settings.bundle, settings.level) as evaluator:
        if settings.again or not _up_to_date(stored, evaluator, settings):
            control_results.save(measure(evaluator), stored)
        outcome = control_results.load(stored)
        write(settings.out, blocks(_material(settings, evaluator, outcome)))
    if not settings.extend_card:
        return None
    return model_card.extend(settings.bundle, outcome, evaluate(outcome.answers, outcome.bundle.temperature))


def _material(settings: ReportSettings, evaluator: Evaluator, outcome: Outcome) -> Material:
    scores = settings.run / SEGMENTER_SCORES if settings.run else None
    return Material(
        outcome=outcome,
        evaluator=evaluator,
        root=settings.data,
        fields=class_root(settings.data / settings.fields),
        command=settings.command,
        cross_validated=_json(scores) if scores and scores.exists() else {},
        protocol=_json(settings.protocol) if settings.protocol else {},
        stages=stages(settings.run) if settings.run else (),
        approaches=spreads(read_rows(settings.approaches)) if settings.approaches else (),
        networks=read_rows(settings.networks) if settings.networks else (),
    )


def write(out: Path, page: list[Block]) -> None:
    """Write both forms of the report into `out`."""
    with OutputFolder(out, create=True) as folder:
        for block in page:
            if isinstance(block, Picture):
                folder.write(f"{FIGURES}/{block.name}.png", block.png)
        folder.write(MARKDOWN, to_markdown(TITLE, page, FIGURES).encode())
        folder.write(HTML, to_html(TITLE, page).encode())


def _up_to_date(stored: Path, evaluator: Evaluator, settings: ReportSettings) -> bool:
    """Return whether `stored` holds the results of these controls: same bundle, same fields."""
    if not stored.exists():
        return False
    outcome = control_results.load(stored)
    wanted, fields = _json(settings.split), outcome.fields
    same_split = (fields.split, fields.seed, fields.fold, fields.fingerprint) == (
        wanted.get("name"), wanted.get("seed"), settings.fold, wanted.get("fingerprint"))  # fmt: skip
    same_bundle = (outcome.bundle.identity, outcome.bundle.level) == (evaluator.identity, evaluator.level)
    same_fields = fields.evaluated == count_selected(fields.counts["test"], settings.limit)
    return same_split and same_bundle and same_fields


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); write it again or leave it out") from error
    if not isinstance(found, dict):
        raise TrainingError(f"{path}: holds no JSON object; write it again or leave it out")
    return found
