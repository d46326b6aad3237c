"""`smearscope train out-of-distribution`: fit a bundle's detector, each laboratory held out in turn."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from smear.bundle.derivation import derive
from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.levels import LEVELS
from smear.bundle.manifest import SCHEMA_VERSION, Figure
from smear.errors import TrainingError
from smear.images import write_atomic
from smear.inference.verification import verify
from train.commands import options
from train.commands.options import EXISTING, PATH
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


@click.command()
@click.option("--bundle", type=EXISTING, required=True, help="Bundle whose classifier gives features.")
@click.option("--level", type=click.Choice(LEVELS), default="int8", show_default=True, help="To fit and measure with.")
@options.data
@options.fields
@options.split
@options.fold
@click.option("--out", type=PATH, required=True, help="Folder of the bundle to write; may be --bundle itself.")
@click.option("--report", type=PATH, required=True, help=f"Folder for {PAGE} and {FIGURES}.")
@click.option("--seed", default=0, show_default=True, help="Of the corruptions and of the cells that are left out.")
@options.quiet
def command(
    bundle: Path, level: str, data: Path, fields: str, split: Path, fold: int, out: Path, report: Path, seed: int,
    quiet: bool,
) -> None:  # fmt: skip
    """Fit what tells a bundle that a field shows none of the four classes.

    Looks at our own fields and at those of other laboratories, below DATA/others and DATA/wbc_masks, without a scale,
    at the right one, and white-balanced as well. Measures with each laboratory held out in turn, then fits to all.
    """
    opened = load_bundle(bundle)
    if not opened.manifest.classifier.features:
        raise TrainingError(f"bundle {bundle}: its classifier gives no features; run 'smearscope convert add-features'")
    split_data = load_split_data(data, fields, split, None, quiet)
    observer = Observer(opened, level)
    own = observe_own(observer, split_data, fold, seed, quiet)
    laboratories = [observe_laboratory(observer, one, data, quiet) for one in LABORATORIES]
    observer.close()
    fitted, results = evaluate(opened, own, laboratories, level)
    _write_report(results, report)
    write_detector(opened, out, fitted, results)
    click.echo(f"wrote {out} and {report / PAGE}")


def evaluate(
    bundle: Bundle, own: OwnFields, laboratories: list[LaboratoryFields], level: str
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
        command=without_folders(options.command_line()),
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


def _write_report(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / PAGE, to_markdown("Other laboratories", blocks(results)).encode())
    write_atomic(folder / FIGURES, (json.dumps(asdict(results), indent=1) + "\n").encode())
