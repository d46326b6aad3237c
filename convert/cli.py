"""`smearscope convert`: a training run becomes a proven bundle; bundles are compared in one table."""

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from smear.bundle.manifest import Level

PATH = click.Path(path_type=Path)
FILE_WIDTH = 160  # columns of a table that goes to a file
LEFT_OUT = 3  # exit code: the bundle was written, but a level that was asked for is not in it


class _RunOrCommand(click.Group):
    """Takes `convert RUN ...` for `convert run RUN ...`, so that the main use needs no second word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put "run" before a first word that is no sub-command."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunOrCommand, invoke_without_command=False)
def command() -> None:
    """Turn the training run RUN into a bundle that devices trust: convert RUN --out BUNDLE [OPTIONS].

    See 'smearscope convert run --help' for its options.
    """


@command.command()
@click.argument("run", type=PATH)
@click.option(
    "--out", type=PATH, required=True, help="Folder of the bundle to write; an old one is replaced at the end."
)
@click.option("--levels", default="float32,float16,dynamic,int8,int16x8", show_default=True, help="Which to make.")
@click.option(
    "--data",
    type=PATH,
    envvar="SMEARSCOPE_DATA",
    required=True,
    help="Root of the pictures that the run names; also $SMEARSCOPE_DATA.",
)
@click.option("--limits", type=PATH, help="TOML file of what a level may lose; default: the project's limits.")
@click.option("--fields", default=200, show_default=True, help="Validation fields on which outputs are compared.")
@click.option("--representative", default=100, show_default=True, help="Training fields that calibrate int8.")
@click.option("--tflite-python", type=PATH, help="Python with tflite-runtime: compare with that runtime as well.")
@click.option("--onnx", is_flag=True, help="Leave both models as ONNX beside the bundle too.")
@click.option("--slow-fields", default=40, show_default=True, help="Validation fields that int16x8 is proven on.")
@click.option(
    "--finetune-steps",
    default=800,
    show_default=True,
    help="Steps of fine-tuning for int8 where plain int8 loses too much; 0: its biases are corrected and no more.",
)
@click.option(
    "--reference", is_flag=True, help="Keep every level, whatever it loses: a pair to compare with, not to ship."
)
@click.pass_context
def run(ctx: click.Context, /, run: Path, out: Path, levels: str, data: Path, limits: Path | None, **rest: Any) -> None:
    """Convert RUN to every level, prove each, and write the bundle --out.

    Ends with code 3 when a level was left out; the table says why. The record of the conversion lies beside the
    bundle, as BUNDLE.conversion.md and .json.
    """
    _quiet()
    from convert.build import build
    from convert.options import Options
    from convert.reporting.summary import print_outcome
    from convert.verification.acceptance import read_limits
    from smear.bundle.training_run import read_run

    console = Console(stderr=True)
    options = Options(
        levels=_levels(levels), limits=read_limits(limits), say=lambda line: console.print(f"[dim]{line}[/dim]"), **rest
    )
    outcome = build(read_run(run), data, out, options)
    print_outcome(outcome, _wide())
    if outcome.bundle.manifest.left_out:
        ctx.exit(LEFT_OUT)


@command.command()
@click.argument("bundles", type=PATH, nargs=-1, required=True)
@click.option("--plot", type=PATH, help="PNG file to draw the table into.")
def compare(bundles: tuple[Path, ...], plot: Path | None) -> None:
    """Print one table for each of BUNDLES: size, figures, quick speed and memory of every level."""
    _quiet()
    from convert.reporting.comparison import draw, rows_of
    from convert.reporting.summary import print_rows
    from smear.bundle.manifest import load_bundle

    rows = [row for path in bundles for row in rows_of(load_bundle(path))]
    print_rows(rows, _wide())
    if plot is not None:
        draw(rows, plot)
        click.echo(f"drawn: {plot}")


def _levels(given: str) -> tuple[Level, ...]:
    from convert.export.tflite import CONVERTED

    asked = tuple(part.strip() for part in given.split(",") if part.strip())
    unknown = [level for level in asked if level not in CONVERTED]
    if unknown or not asked:
        raise click.BadParameter(
            f"{', '.join(unknown) or 'nothing'}: choose of {', '.join(CONVERTED)}", param_hint="--levels"
        )
    return tuple(level for level in CONVERTED if level in asked)


def _wide() -> Console:
    """A terminal is as wide as it is; a file or pipe gets whole rows."""
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)


def _quiet() -> None:
    """Keep TensorFlow's greetings off the terminal; its errors still come."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
