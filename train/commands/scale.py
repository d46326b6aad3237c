"""`smearscope train scale`: measure whether a wrong scale is noticed, on pictures whose scale is known."""

from pathlib import Path

import click

from smear.bundle.folder import load_bundle
from smear.errors import DatasetError
from smear.images import list_images
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from train.commands import options
from train.commands.options import EXISTING, FiniteRange
from train.evaluation.scale_check import check_scale, markdown


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=EXISTING)
@options.bundle
@options.level
@click.option("--pixel-size-um", type=FiniteRange(0.01, 10), required=True, help="True pixel size of the pictures.")
@click.option(
    "--times", type=FiniteRange(0.05, 20), multiple=True, default=(0.7, 1.0, 1.4), show_default=True,
    help="Pixel sizes to claim, over the true one; may be given several times.",
)  # fmt: skip
@click.option("--unknown", is_flag=True, help="Also claim none: each picture is then taken for one whole field.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Take every so many pictures.")
def command(
    folders: tuple[Path, ...], bundle: Path, level: str, pixel_size_um: float, times: tuple[float, ...], unknown: bool,
    every: int,
) -> None:  # fmt: skip
    """Examine pictures at their scale and at wrong ones, and print the counts as a Markdown table.

    A picture is right if its label is the name of the folder in which it lies.
    """
    pictures = [path for folder in folders for path in list_images(folder)][::every]
    if not pictures:
        raise DatasetError(f"no picture below {', '.join(map(str, folders))}; give folders with JPEG or PNG files")
    processor = FrameProcessor(Pipeline(load_bundle(bundle), level))
    claimed: list[float | None] = [*times, *([None] if unknown else [])]
    click.echo(markdown([check_scale(processor, pictures, pixel_size_um, each) for each in claimed]))
    processor.close()
