"""`smearscope train networks`: the paper's compared networks under one equal budget, one row of table 4 each."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import keras

from smear.errors import TrainingError
from smear.images import write_atomic
from train.data.dataset import Dataset, read
from train.data.splits import Fold, load, read_audit
from train.evaluation.colour_forest import histograms, judge
from train.fitting import distributed
from train.fitting.compared_networks import BATCH, NAMES, RATE, Budget, build, ground_row, run, save_row, table
from train.reporting.experiments import read_rows
from train.reporting.page import Text, to_markdown

FAIR = (
    "A few epochs on a CPU rank networks by how fast they start, not by what they can do: InceptionV3, ResNet50, "
    "DenseNet201, NASNetMobile and the ViT need a GPU, 224 pixels, ImageNet weights and tens of epochs to be fair."
)


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Root of the training data.")
@click.option("--fields", "folder", default="taleqani", show_default=True, help="Folder of the classes, below --data.")
@click.option(
    "--split", "splits", type=click.Path(path_type=Path), required=True, multiple=True,
    help="Of 'train split'; may be given several times.",
)  # fmt: skip
@click.option("--audit", type=click.Path(path_type=Path), help="Of 'train audit': intervals then resample by group.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the rows and networks.md.")
@click.option("--models", default=",".join(NAMES), show_default=True, help="Which, parted by commas.")
@click.option("--weights", type=click.Choice(["none", "imagenet"]), default="none", show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=3, show_default=True)
@click.option("--steps", type=click.IntRange(1), help="Batches of an epoch, at most; all of them if not given.")
@click.option("--size", type=click.IntRange(32), default=96, show_default=True, help="Edge; InceptionV3 needs 75.")
@click.option("--precision", type=click.Choice(["mixed_bfloat16", "mixed_float16", "float32"]), default="float32")
@click.option("--seed", default=0, show_default=True)
@distributed.option
def command(
    data: Path, folder: str, splits: Sequence[Path], audit: Path | None, out: Path, models: str,
    weights: str, epochs: int, steps: int | None, size: int, precision: str, seed: int, strategy: str,
) -> None:  # fmt: skip
    """Fit the networks the paper compares on whole fields, all under one equal budget, and score each on the test part.

    Same split, size, epochs, batch, rate, optimizer and augmentation for all; the paper's CNN with a dropout that
    works, and as published. Beside them stands what a forest tells from the ground's colours alone. A network whose
    row stands in --out is not run again; 'train report --networks' takes the folder.
    """
    click.get_current_context().with_resource(distributed.replicas(strategy))
    keras.mixed_precision.set_global_policy(precision)
    names = [name.strip() for name in models.split(",") if name.strip()]
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise TrainingError(f"no network is called {', '.join(unknown) or models!r}; choose from {', '.join(NAMES)}")
    if "InceptionV3" in names and size < 75:
        build("InceptionV3", size)  # says at once what hours of the others would only lead up to
    budget = Budget(epochs, size, weights, steps, seed)
    fields = read(data / folder)
    groups = {name: kin.group for name, kin in read_audit(audit).items()} if audit else {}
    out.mkdir(parents=True, exist_ok=True)
    for path in splits:
        split = load(path, fields.fingerprint)
        if len(split.folds) != 1:
            raise TrainingError(f"{path}: {len(split.folds)} folds; the networks are compared on a split of one")
        asked = {"split": split.name, "precision": precision, **asdict(budget)}
        for row in _rows(names, fields, split.folds[0], groups, out, budget, asked):
            click.echo(
                f"{row['network']}: accuracy {row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f}), "
                f"macro F1 {row['macro_f1']:.4f}, {split.name}, n={row['n']}"
            )
            _write_table(out, budget, precision)


def _rows(
    names: Sequence[str], fields: Dataset, part: Fold, groups: dict[str, str], out: Path, budget: Budget,
    asked: dict[str, Any],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield the row of the ground and of each network, from --out if it stands there."""
    records = {record.file: record for record in fields.records}
    train, test = ([(records[name].path, records[name].label) for name in of] for of in (part.train, part.test))
    kin = [groups.get(name, name) for name in part.test]
    for name in ["ground", *names]:
        path = out / f"{name}.{asked['split']}.json"
        wanted = asked if name != "ground" else {"split": asked["split"], "seed": budget.seed}
        row = _finished(path, wanted)
        if row is None and name == "ground":
            told = judge(fields, histograms(fields.records), part, budget.seed)
            row = ground_row(next(one for one in told if one.shown == "background"), kin)
        elif row is None:
            verbose = 1 if sys.stdout.isatty() else 2  # Keras's own progress bar, or one line an epoch
            row = run(name, train, test, kin, out / "runs" / path.stem, budget, verbose)
        if "asked" not in row:
            row |= {"split": asked["split"], "seed": budget.seed, "asked": wanted}
            save_row(path, row)
        yield row


def _finished(path: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return the row a finished run left at `path`; none if there is none.

    Raises:
        TrainingError: it was run under another budget, which one table must not mix.
    """
    if not path.exists():
        return None
    try:
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["rows"][0]
        before = row["asked"]
    except (ValueError, KeyError, IndexError) as error:
        raise TrainingError(f"{path}: no row of a network ({error}); delete it to run that network again") from error
    other = [key for key, value in asked.items() if before.get(key) != value]
    if other:
        raise TrainingError(f"{path}: run with another {', '.join(other)}; choose another --out")
    return row


def _write_table(out: Path, budget: Budget, precision: str) -> None:
    text = (
        f"Equal for all: {budget.size} pixels, {budget.epochs} epochs"
        + (f" of at most {budget.steps} steps" if budget.steps else "")
        + f", batch {BATCH}, AdamW at {RATE} with warm-up and cosine, weights averaged, {precision}, the paper's six "
        "augmentations; the last epoch is scored. Minutes are of this machine and of whatever else it ran."
    )
    page = to_markdown("Networks on whole fields", [Text(text), Text(FAIR), table(read_rows(out))])
    write_atomic(out / "networks.md", page.encode())
