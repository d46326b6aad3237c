"""`smearscope train classifier`: fit a classifier, calibrate it, score it by field and write run.json."""

from collections.abc import Sequence
from typing import Any

import click

from train.commands import options
from train.commands.options import PATH
from train.fitting.settings import ClassifierSettings
from train.networks.registry import classifiers

EPOCHS = ", ".join(f"{spec.epochs} for {spec.name}" for spec in classifiers() if spec.name in ("smearnet", "cellnet"))


@click.command()
@options.data
@options.fields
@options.split
@options.audit
@options.fold
@click.option(
    "--out", type=PATH, required=True, help="Folder of the run, which holds its segmenter unless one is kept."
)
@click.option(
    "--segmenter-from", type=options.EXISTING, metavar="BUNDLE",
    help="Keep the segmenter of this bundle: no masks and no segmenter run are needed.",
)  # fmt: skip
@click.option(
    "--foreign-cells/--no-foreign-cells", default=True, show_default=True,
    help="Cells of other laboratories, below DATA/wbc_masks, teach what is none of the classes.",
)  # fmt: skip
@options.model([spec.name for spec in classifiers()], "smearnet", "The network; see 'train networks --list'.")
@click.option("--dropout", type=float, help="Short for --setting dropout=VALUE; the paper's own value is 0.8.")
@options.pretrained
@options.network_settings
@click.option("--epochs", type=click.IntRange(1), help=f"[default: {EPOCHS}, 30 for the others]")
@click.option(
    "--refit-epochs", type=click.IntRange(0), default=40, show_default=True,
    help="Of smearnet, on train and validation part together, after the thresholds were fitted to the validation part.",
)  # fmt: skip
@options.precision
@click.option("--seed", default=0, show_default=True, help="Of weights and batches.")
@options.strategy
@options.resume
def command(
    dropout: float | None, weights: str, network: Sequence[str], precision: str, strategy: str, **given: Any
) -> None:
    """Fit a classifier, calibrate it on the validation part and score it on the test part.

    smearnet is shown all cells of a field on a neutral background, cellnet one crop of each cell, the others whole
    fields. smearnet then continues on train and validation part together, with temperature and thresholds as they were
    fitted on validation fields that it had not seen; the test part shows how good they are.

    Beside the accuracy stands that of a forest that sees the colours of the background alone, on the same fields.
    Writes classifier.keras and run.json.
    """
    import keras  # here, so that --help does not wait for TensorFlow

    from train.fitting.classifier_run import run
    from train.fitting.strategies import replicas

    settings = options.parsed_settings(network) | {"weights": weights}
    if dropout is not None:
        settings["dropout"] = dropout
    with replicas(strategy):
        keras.mixed_precision.set_global_policy(precision)
        done = run(ClassifierSettings(network=settings, **given))
    for name, figure in done.figures.items():
        click.echo(f"{name}: {figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f}), {done.split}, n={figure.n}")
    click.echo(
        f"background alone (colour forest, without cells): {done.background.accuracy:.4f}, n={done.background.n}"
    )
