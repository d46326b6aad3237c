"""The out-of-distribution detector from pictures to a bundle: observed, fitted, measured by laboratory, written."""

import json
from dataclasses import asdict
from pathlib import Path

from smear.bundle.derivation import derive
from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.manifest import SCHEMA_VERSION, Figure
from smear.errors import TrainingError
from smear.inference.verification import verify
from smear.output_files import OutputFolder
from train.data.laboratories import CONDITIONS, LABORATORIES
from train.data.splits import load_split_data
from train.evaluation.features.observed_fields import Observer
from train.fitting.detection.ablation import ablate
from train.fitting.detection.detector import OwnFields
from train.fitting.detection.leave_one_laboratory_out import (
    Fitted,
    fit_detector,
    held_out_rows,
    leave_one_out,
    own_figures,
)
from train.fitting.detection.observation_run import LaboratoryFields, observe_laboratory, observe_own
from train.reporting.model_card import FILE as CARD
from train.reporting.model_card import without_folders
from train.reporting.other_laboratories import Results, blocks, card_with_section
from train.reporting.page import to_markdown

PAGE, FIGURES = "other_laboratories.md", "other_laboratories.json"
PARTS = {"pbc": ("lymphocyte",)}  # rows of their own: mature lymphocytes are what was taken for Pro-B


def fit_and_report(
    bundle: Path, level: str, data: Path, fields: str, split: Path, fold: int, out: Path, report: Path, seed: int,
    quiet: bool, command_line: str,
) -> None:  # fmt: skip
    """Fit the detector of `bundle` to all laboratories, measure it with each held out, write `out` and `report`.

    Raises:
        TrainingError: the bundle's classifier gives no features.
    """
    opened = load_bundle(bundle)
    if not opened.manifest.classifier.features:
        raise TrainingError(f"bundle {bundle}: its classifier gives no features; run 'smearscope convert add-features'")
    split_data = load_split_data(data, fields, split, None, quiet)
    observer = Observer(opened, level)
    own = observe_own(observer, split_data, fold, seed, quiet)
    laboratories = [observe_laboratory(observer, one, data, quiet) for one in LABORATORIES]
    observer.close()
    fitted, results = evaluate(opened, own, laboratories, level, command_line)
    with OutputFolder(report, create=True) as written:
        written.write(PAGE, to_markdown("Other laboratories", blocks(results)).encode())
        written.write(FIGURES, (json.dumps(asdict(results), indent=1) + "\n").encode())
    write_detector(opened, out, fitted, results)


def evaluate(
    bundle: Bundle, own: OwnFields, laboratories: list[LaboratoryFields], level: str, command_line: str
) -> tuple[Fitted, Results]:
    """Fit the detector that ships, and measure it with each laboratory held out."""
    classifier = bundle.manifest.classifier
    fitted = fit_detector(own, laboratories, classifier)
    results = Results(
        level=level,
        held_out=leave_one_out(own, laboratories, classifier, PARTS),
        in_sample=[row for one in laboratories for row in held_out_rows(fitted, one)],
        own=own_figures(own, fitted),
        ablation=ablate(own, laboratories),
        sources=fitted.facts.sources,
        temperatures=fitted.classifier.few_cells_temperature,
        temperature=classifier.temperature,
        command=without_folders(command_line),
    )
    return fitted, results


def write_detector(bundle: Bundle, out: Path, fitted: Fitted, results: Results) -> None:
    """Write `bundle` with the detector and a model card that leads with other laboratories to `out`, and verify it."""
    figures = {
        f"leukaemia, {row.laboratory} held out, {row.condition}": Figure(
            value=row.gated.leukaemia / max(1, row.gated.n), split="leave one laboratory out", n=row.gated.n,
            low=0.0, high=row.gated.leukaemia_upper,
        )
        for row in results.held_out
        if row.condition == CONDITIONS[-1]  # the card has the others
    }  # fmt: skip
    detector = fitted.facts.model_copy(update={"figures": figures})
    classifier = fitted.classifier.model_copy(update={"detector": detector})
    card = card_with_section((bundle.path / CARD).read_text(encoding="utf-8"), results)
    changed = {detector.file: fitted.model.to_bytes(), CARD: card.encode()}
    update = {"classifier": classifier, "schema_version": SCHEMA_VERSION}
    derive(bundle, out, changed, bundle.manifest.model_copy(update=update))
    verify(out)
