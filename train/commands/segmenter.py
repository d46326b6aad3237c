"""`smearscope train segmenter`: fit a segmenter in stages, and score it on masks that were held out."""

from typing import Any

import click

from train.commands import options
from train.commands.options import PATH
from train.fitting.settings import SegmenterEpochs, SegmenterSettings
from train.networks.registry import segmenters

USUAL = SegmenterEpochs()


@click.command()
@options.data
@click.option("--out", type=PATH, required=True, help="Folder of the run.")
@options.model([spec.name for spec in segmenters()], "unet_light")
@options.pretrained
@click.option("--rough-epochs", default=USUAL.rough, show_default=True, help="On masks found by a threshold.")
@click.option(
    "--epochs", "drawn_epochs", default=USUAL.drawn, show_default=True, help="Of the teacher, on masks drawn by hand."
)
@click.option(
    "--student-epochs", default=USUAL.student, show_default=True,
    help="Of the student, on those and the teacher's pseudo-labels.",
)  # fmt: skip
@click.option(
    "--folds/--no-folds", "cross_validate", default=True, show_default=True,
    help="Score every mask drawn by hand by a model that was not fitted to it.",
)  # fmt: skip
@options.precision
@options.strategy
@options.resume
def command(
    rough_epochs: int, drawn_epochs: int, student_epochs: int, precision: str, strategy: str, **given: Any
) -> None:
    """Fit a segmenter and save it as segmenter.keras; its scores go to segmenter.json.

    With --resume, a fold that has been scored and a model that has been fitted are kept.
    """
    import keras  # here, so that --help does not wait for TensorFlow

    from train.fitting.segmenter_run import run
    from train.fitting.strategies import replicas

    epochs = SegmenterEpochs(rough_epochs, drawn_epochs, student_epochs)
    with replicas(strategy):
        keras.mixed_precision.set_global_policy(precision)
        figures = run(SegmenterSettings(epochs=epochs, **given))
    for name, figure in figures.items():
        click.echo(f"{name}: {figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f}), {figure.split}, n={figure.n}")
