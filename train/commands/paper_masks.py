"""`smearscope train paper-masks`: a network fitted to threshold masks, as in the paper, for its table 3."""

from dataclasses import asdict
from pathlib import Path

import click

from train.commands import options
from train.commands.options import PATH
from train.data.splits import load_split_data
from train.networks.registry import segmenters

FILE = "paper_masks.json"


@click.command()
@options.data
@options.fields
@click.option("--split", type=PATH, required=True, help="File of 'train split --name paper'.")
@click.option("--out", type=PATH, required=True, help=f"Folder for {FILE}.")
@options.model([spec.name for spec in segmenters()], "unet")
@click.option("--epochs", default=4, show_default=True, help="Of 60 batches of 8 fields.")
@options.precision
@options.resume
def command(
    data: Path, fields: str, split: Path, out: Path, model: str, epochs: int, precision: str, resume: bool
) -> None:
    """Fit a network to HSV-threshold masks, then score it against such masks and against masks drawn by hand.

    The first score is the paper's own, and cannot show what the threshold misses; the second can.
    """
    import keras  # here, so that --help does not wait for TensorFlow

    from train.fitting.paper_protocol import run
    from train.fitting.training_loop import write_json

    keras.mixed_precision.set_global_policy(precision)
    of = load_split_data(data, fields, split, None)
    fold = of.fold(0)
    found = run(data, of.records(fold.train), of.records(fold.test), out, model=model, epochs=epochs, resume=resume)
    write_json(out / FILE, asdict(found))
    click.echo(f"against HSV masks: Dice {found.hsv_dice:.4f} ({found.hsv_low:.4f} to {found.hsv_high:.4f}), "
               f"pixel accuracy {found.hsv_accuracy:.4f}, n={found.hsv_n}")  # fmt: skip
    click.echo(f"against drawn masks: Dice {found.drawn_dice:.4f} ({found.drawn_low:.4f} to {found.drawn_high:.4f}), "
               f"pixel accuracy {found.drawn_accuracy:.4f}, n={found.drawn_n}")  # fmt: skip
