"""`smearscope train networks`: the paper's compared networks under one equal budget, one row of table 4 each."""

import json
from pathlib import Path
from typing import Any

import click

from smear.errors import TrainingError
from train.dataset import read
from train.networks import BATCH, NAMES, RATE, build, run
from train.splits import load


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Root of the training data.")
@click.option("--fields", "folder", default="taleqani", show_default=True, help="Folder of the classes, below --data.")
@click.option("--split", "split_file", type=click.Path(path_type=Path), required=True, help="Of 'train split'.")
@click.option("--fold", default=0, show_default=True, help="Which fold of the split.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of one JSON for each network.")
@click.option("--models", default=",".join(NAMES), show_default=True, help="Which, parted by commas.")
@click.option("--weights", type=click.Choice(["none", "imagenet"]), default="none", show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=3, show_default=True)
@click.option("--steps", type=click.IntRange(1), help="Batches of an epoch, at most; all of them if not given.")
@click.option("--size", type=click.IntRange(32), default=96, show_default=True, help="Edge; InceptionV3 needs 75.")
@click.option("--seed", default=0, show_default=True)
def command(
    data: Path, folder: str, split_file: Path, fold: int, out: Path, models: str,
    weights: str, epochs: int, steps: int | None, size: int, seed: int,
) -> None:  # fmt: skip
    """Fit the networks the paper compares on whole fields, all under one equal budget, and score each on the test part.

    Same size, epochs, batch, rate and augmentation for all. To be fair to the large ones takes a GPU, 224 pixels and
    tens of epochs: a few epochs on a CPU say what the budget allows, not what a network can do. A network whose JSON
    stands in --out is not run again; 'train report --networks' takes the folder.
    """
    names = [name.strip() for name in models.split(",") if name.strip()]
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        raise TrainingError(f"no network is called {', '.join(unknown) or models!r}; choose from {', '.join(NAMES)}")
    if size < 75 and "InceptionV3" in names:
        build("InceptionV3", size)  # says at once what hours of the others would only lead up to
    fields = read(data / folder)
    split = load(split_file, fields.fingerprint)
    if not 0 <= fold < len(split.folds):
        raise TrainingError(f"{split_file}: has {len(split.folds)} folds, none is {fold}; give a smaller --fold")
    part = split.folds[fold]
    train, test = (
        [(record.path, record.label) for record in fields.records if record.file in set(of)]
        for of in (part.train, part.test)
    )
    out.mkdir(parents=True, exist_ok=True)
    asked: dict[str, Any] = {"split": split.name, "fold": fold, "seed": seed, "epochs": epochs, "size": size}
    for name in names:
        row = _finished(out / f"{name}.json", asked)
        if row is None:
            row = run(name, train, test, out, weights=weights, steps=steps, **asked)
        click.echo(
            f"{name}: accuracy {row['accuracy']:.4f}, macro F1 {row['macro_f1']:.4f}, {split.name}, n={row['n']}, "
            f"{size} px, {epochs} epochs, batch {BATCH}, rate {RATE}, {row['minutes']} min"
        )


def _finished(path: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return the row a finished run left at `path`; none if there is none.

    Raises:
        TrainingError: it was run under another budget, which one table must not mix.
    """
    if not path.exists():
        return None
    try:
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["rows"][0]
    except (ValueError, KeyError, IndexError) as error:
        raise TrainingError(f"{path}: no row of a network ({error}); delete it to run that network again") from error
    other = [key for key, value in asked.items() if row.get(key) != value]
    if other:
        raise TrainingError(f"{path}: run with another {', '.join(other)}; choose another --out")
    return row
