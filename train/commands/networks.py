"""`smearscope train networks`: the paper's compared networks under one equal budget, one row of table 4 each."""

from collections.abc import Sequence
from pathlib import Path

import click

from smear.images import write_atomic
from train.commands import options
from train.commands.options import PATH
from train.fitting.settings import Budget, ComparisonSettings
from train.networks.registry import NETWORKS, comparable
from train.reporting.experiments import read_rows
from train.reporting.page import Text, to_markdown
from train.reporting.tables import networks_on_whole_fields

FAIR = (
    "A few epochs on a CPU rank networks by how fast they start, not by what they can reach: InceptionV3, ResNet50, "
    "DenseNet201, NASNetMobile and the ViT need a GPU, 224 pixels, ImageNet weights and tens of epochs to be fair."
)
USUAL = Budget()


def list_networks(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    """Print every network with its settings, and leave."""
    if not value:
        return
    for spec in NETWORKS.all():
        settings = ", ".join(spec.settings.model_fields)
        click.echo(f"{spec.name}: {spec.help} ({spec.task}, shown: {spec.shown}; settings: {settings})")
    for problem in NETWORKS.problems():
        click.echo(problem.text, err=True)
    ctx.exit()


@click.command()
@options.data
@options.fields
@click.option(
    "--split", "splits", type=PATH, required=True, multiple=True,
    help="File of 'train split'; may be given several times.",
)  # fmt: skip
@options.audit
@click.option("--out", type=PATH, required=True, help="Folder of the rows and networks.md.")
@click.option(
    "--models", default=",".join(spec.name for spec in comparable()), show_default=True, help="Separated by commas."
)
@click.option(
    "--weights",
    type=click.Choice(["none", "imagenet"]),
    default=USUAL.weights,
    show_default=True,
    help="What a network with ImageNet weights starts from.",
)
@click.option("--epochs", type=click.IntRange(1), default=USUAL.epochs, show_default=True, help="Of every network.")
@click.option("--steps", type=click.IntRange(1), help="Batches of an epoch, at most; all of them if not given.")
@click.option(
    "--size",
    type=click.IntRange(32),
    default=USUAL.size,
    show_default=True,
    help="Edge in pixels; InceptionV3 needs 75.",
)
@options.precision
@click.option("--seed", default=USUAL.seed, show_default=True, help="Of weights and batches.")
@options.strategy
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=list_networks,
    help="Print every network with its settings, and leave.",
)
def command(
    data: Path, fields: str, splits: Sequence[Path], audit: Path | None, out: Path, models: str,
    weights: str, epochs: int, steps: int | None, size: int, precision: str, seed: int, strategy: str,
) -> None:  # fmt: skip
    """Fit the networks that the paper compares on whole fields, under one budget, and score them on the test part.

    Split, size, epochs, batch, rate, optimizer and augmentation are the same for all; the paper's CNN runs with a
    dropout that trains, and as published. Beside them stands a forest that sees the colours of the background alone. A
    network whose row is in --out is not run again; 'train report --networks' reads the folder.
    """
    import keras  # here, so that --help does not wait for TensorFlow

    from train.fitting.compared_networks import compare
    from train.fitting.strategies import replicas

    budget = Budget(epochs, size, weights, steps, seed)
    names = tuple(name.strip() for name in models.split(",") if name.strip())
    settings = ComparisonSettings(
        data=data, fields=fields, splits=splits, audit=audit, out=out, networks=names, budget=budget,
        precision=precision,
    )  # fmt: skip
    with replicas(strategy):
        keras.mixed_precision.set_global_policy(precision)
        for row in compare(settings):
            click.echo(
                f"{row['network']}: accuracy {row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f}), "
                f"macro F1 {row['macro_f1']:.4f}, {row['split']}, n={row['n']}"
            )
            write_atomic(out / "networks.md", _page(out, budget, precision).encode())


def _page(out: Path, budget: Budget, precision: str) -> str:
    text = (
        f"Equal for all: {budget.size} pixels, {budget.epochs} epochs"
        + (f" of at most {budget.steps} steps" if budget.steps else "")
        + f", one batch size and rate, AdamW with warm-up and cosine, weights averaged, {precision}, the paper's six "
        "augmentations; the last epoch is scored. Minutes depend on this machine and on what else it ran."
    )
    return to_markdown("Networks on whole fields", [Text(text), Text(FAIR), networks_on_whole_fields(read_rows(out))])
