"""`smearscope train paper-masks`: a U-Net fitted to threshold masks, as the paper did, for its table 3."""

from pathlib import Path

import click
import keras

from train.data.dataset import read
from train.data.splits import load
from train.fitting.paper_protocol import EPOCHS, plain, run
from train.fitting.training_loop import write_json

FILE = "paper_masks.json"


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Root of the training data.")
@click.option("--fields", "folder", default="taleqani", show_default=True, help="Folder of the classes, below --data.")
@click.option("--split", "split_file", type=click.Path(path_type=Path), required=True, help="Of 'train split': paper.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help=f"Folder that gets {FILE}.")
@click.option("--model", type=click.Choice(["unet", "unet_light"]), default="unet", show_default=True)
@click.option("--epochs", default=EPOCHS, show_default=True, help="Of 60 batches of 8 fields.")
@click.option("--precision", type=click.Choice(["mixed_bfloat16", "mixed_float16", "float32"]), default="float32")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
def command(
    data: Path, folder: str, split_file: Path, out: Path, model: str, epochs: int, precision: str, resume: bool
) -> None:
    """Fit to HSV-threshold masks, then score against such masks and against masks drawn by hand.

    The first figure is the paper's own, and cannot see what the threshold misses; the second can.
    """
    keras.mixed_precision.set_global_policy(precision)
    fields = read(data / folder)
    fold = load(split_file, fields.fingerprint).folds[0]
    known = {record.file: record for record in fields.records}
    train, test = ([known[file] for file in files] for files in (fold.train, fold.test))
    found = run(data, train, test, out, model=model, epochs=epochs, resume=resume)
    write_json(out / FILE, plain(found))
    click.echo(f"against HSV masks: Dice {found.hsv_dice:.4f} ({found.hsv_low:.4f} to {found.hsv_high:.4f}), "
               f"pixel accuracy {found.hsv_accuracy:.4f}, n={found.hsv_n}")  # fmt: skip
    click.echo(f"against drawn masks: Dice {found.drawn_dice:.4f} ({found.drawn_low:.4f} to {found.drawn_high:.4f}), "
               f"pixel accuracy {found.drawn_accuracy:.4f}, n={found.drawn_n}")  # fmt: skip
