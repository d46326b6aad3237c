"""`smearscope train report`: one page about a bundle, with its controls, the paper beside it, and its model card."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from smear.bundle.levels import LEVELS
from smear.errors import TrainingError
from smear.images import write_atomic
from smear.inference.evaluator import Judge
from train.commands import controls
from train.data.dataset import class_root
from train.evaluation import control_results
from train.evaluation.control_results import Outcome
from train.evaluation.scores import evaluate
from train.reporting import model_card
from train.reporting.experiments import read_rows, spreads
from train.reporting.page import Block, Picture, to_html, to_markdown
from train.reporting.report import TITLE, Material, blocks
from train.reporting.training_cost import stages

HTML, MARKDOWN, FIGURES = "report.html", "report.md", "figures"
SEGMENTER = "segmenter.json"  # of 'train segmenter'
PATH = click.Path(path_type=Path, exists=True)


@click.command()
@click.option("--bundle", type=PATH, required=True, help="Folder of a model bundle.")
@click.option("--level", type=click.Choice(LEVELS), default="int8", show_default=True, help="Of the bundle.")
@click.option("--data", type=PATH, required=True, help="Root of the training data.")
@click.option("--fields", "folder", default="taleqani", show_default=True, help="Folder of the classes, below --data.")
@click.option("--split", "split_file", type=PATH, required=True, help="Of 'train split'.")
@click.option("--fold", default=0, show_default=True, help="Which fold of the split.")
@click.option("--audit", type=PATH, help="Of 'train audit': intervals then resample by group.")
@click.option("--run", "run_folder", type=PATH, help="Run the bundle was made from: leak, curves, budget.")
@click.option("--approaches", type=PATH, help="JSON or CSV of runs: approach, split, fold, seed, epochs, accuracy ...")
@click.option("--networks", type=PATH, help="JSON or CSV of networks for table 4, or a folder of such files.")
@click.option("--protocol", type=PATH, help="JSON of 'train paper-masks', for table 3.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the report.")
@click.option(
    "--again", is_flag=True, help="Run the controls again, though --out holds those of this bundle and split."
)
@click.option("--card", "write_card", is_flag=True, help="Extend the bundle's MODEL_CARD.md by the controls.")
@click.option("--limit", type=click.IntRange(4), help="Judge so many test fields only; for a quick look.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
@click.pass_context
def command(
    ctx: click.Context,
    bundle: Path,
    level: str,
    data: Path,
    folder: str,
    split_file: Path,
    fold: int,
    audit: Path | None,
    run_folder: Path | None,
    approaches: Path | None,
    networks: Path | None,
    protocol: Path | None,
    out: Path,
    again: bool,
    write_card: bool,
    limit: int | None,
    quiet: bool,
) -> None:
    """Write report.html, which needs no other file, and report.md with its figures.

    Runs the controls first, unless --out holds them for this bundle and split. The paper's tables and figures stand
    beside ours; what is not given is left out, never made up.
    """
    stored = out / controls.FILE
    with Judge(bundle, level) as judge:
        if again or not _fresh(stored, judge, split_file, fold, limit):
            ctx.invoke(
                controls.command,
                bundle=bundle,
                level=level,
                data=data,
                folder=folder,
                split_file=split_file,
                fold=fold,
                audit=audit,
                run_folder=run_folder,
                out=out,
                limit=limit,
                without_strangers=False,
                without_masks=False,
                quiet=quiet,
            )
        found = control_results.load(stored)
        material = Material(
            outcome=found,
            judge=judge,
            root=data,
            fields=class_root(data / folder),
            command=controls.said(),
            crossed=_json(run_folder / SEGMENTER) if run_folder and (run_folder / SEGMENTER).exists() else {},
            protocol=_json(protocol) if protocol else {},
            stages=stages(run_folder) if run_folder else (),
            approaches=spreads(read_rows(approaches)) if approaches else (),
            networks=read_rows(networks) if networks else (),
        )
        write(out, blocks(material))
    if write_card:
        _extend(bundle, found)
    click.echo(f"wrote {out / HTML} and {out / MARKDOWN}")


def write(out: Path, page: list[Block]) -> None:
    """Write both forms of the report into `out`."""
    (out / FIGURES).mkdir(parents=True, exist_ok=True)
    for block in page:
        if isinstance(block, Picture):
            write_atomic(out / FIGURES / f"{block.name}.png", block.png)
    write_atomic(out / MARKDOWN, to_markdown(TITLE, page, FIGURES).encode())
    write_atomic(out / HTML, to_html(TITLE, page).encode())


def _fresh(stored: Path, judge: Judge, split_file: Path, fold: int, limit: int | None) -> bool:
    """Whether `stored` holds what the controls would find again."""
    if not stored.exists():
        return False
    found = control_results.load(stored)
    wanted = _json(split_file)
    same_split = (found.fields.split, found.fields.seed, found.fields.fold, found.fields.fingerprint) == (
        wanted.get("name"), wanted.get("seed"), fold, wanted.get("fingerprint"))  # fmt: skip
    same_bundle = found.bundle.identity == judge.identity and found.bundle.level == judge.level
    every = sum(found.fields.counts["test"].values())
    as_many = found.fields.asked == every if limit is None else found.fields.asked <= limit
    return same_split and same_bundle and as_many


def _extend(bundle: Path, found: Outcome) -> None:
    where = model_card.extend(bundle, found, evaluate(found.answers, found.bundle.temperature))
    Console().print(f"wrote {where}; the bundle's manifest holds its new checksum")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); write it again or leave it out") from error
    if not isinstance(found, dict):
        raise TrainingError(f"{path}: holds no JSON object; write it again or leave it out")
    return found
