"""`smearscope convert`: turns a training run into a verified bundle, and compares bundles in one table."""

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from smear.bundle.levels import LEVEL_SPECS, Level
from smear.progress import table_console

PATH = click.Path(path_type=Path)
DEFAULT_LEVELS = ",".join(spec.name for spec in LEVEL_SPECS if not spec.needs_delegate)
FILE_WIDTH = 160  # columns of a table that goes to a file
LEFT_OUT = 3  # exit code: the bundle was written, but a level that was asked for is not in it


class _DefaultToRun(click.Group):
    """Reads `convert RUN ...` as `convert run RUN ...`, so that the main use needs no sub-command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert "run" before a first argument that is no sub-command."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DefaultToRun, invoke_without_command=False)
def command() -> None:
    """Turn the training run RUN into a bundle for the device: convert RUN --out BUNDLE [OPTIONS].

    See 'smearscope convert run --help' for its options.
    """


@command.command()
@click.argument("run", type=PATH)
@click.option(
    "--out", type=PATH, required=True, help="Folder of the bundle to write; an existing one is replaced at the end."
)
@click.option("--levels", default=DEFAULT_LEVELS, show_default=True, help="Comma-separated levels to make.")
@click.option(
    "--data", type=PATH, envvar="SMEARSCOPE_DATA", required=True,
    help="Root folder of the pictures that the run lists; also $SMEARSCOPE_DATA.",
)  # fmt: skip
@click.option("--limits", type=PATH, help="TOML file of what a level may lose.  [default: the project's limits]")
@click.option("--fields", default=200, show_default=True, help="Validation fields on which outputs are compared.")
@click.option("--representative", default=100, show_default=True, help="Training fields that calibrate int8.")
@click.option("--tflite-python", type=PATH, help="Python with tflite-runtime: compare under that runtime too.")
@click.option("--onnx", is_flag=True, help="Also write both models as ONNX beside the bundle.")
@click.option("--slow-fields", default=40, show_default=True, help="Validation fields on which int16x8 is measured.")
@click.option(
    "--finetune-steps", default=800, show_default=True,
    help="Steps of fine-tuning for int8 where plain int8 loses too much; 0: only its biases are corrected.",
)  # fmt: skip
@click.option(
    "--reference", is_flag=True, help="Keep every level, whatever it loses: a bundle to compare with, not to ship."
)
@click.pass_context
def run(ctx: click.Context, /, run: Path, out: Path, levels: str, data: Path, limits: Path | None, **rest: Any) -> None:
    """Convert RUN to every level, measure each, and write the bundle --out.

    Exits with code 3 when a level was left out; the table says why. The record of the conversion is written beside
    the bundle, as BUNDLE.conversion.md and .json.
    """
    _silence_tensorflow()
    from convert.build import build
    from convert.options import Options
    from convert.reporting.summary import print_conversion
    from convert.verification.acceptance import read_limits
    from smear.bundle.training_run import read_run

    console = Console(stderr=True)
    options = Options(
        levels=_levels(levels),
        limits=read_limits(limits),
        report=lambda line: console.print(f"[dim]{line}[/dim]"),
        **rest,
    )
    conversion = build(read_run(run), data, out, options)
    print_conversion(conversion, table_console(FILE_WIDTH))
    if conversion.bundle.manifest.left_out:
        ctx.exit(LEFT_OUT)


@command.command()
@click.argument("bundle", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder of the bundle to write; may be BUNDLE itself.")
def add_features(bundle: Path, out: Path) -> None:
    """Let the classifier of an older BUNDLE give its features too, which an out-of-distribution detector reads.

    Its labels and probabilities stay the same bit by bit. Fit the detector with 'smearscope train out-of-distribution'.
    """
    from convert.feature_upgrade import add_features as upgrade

    written = upgrade(bundle, out)
    click.echo(f"wrote {out}: {written.manifest.classifier.features} features")


@command.command()
@click.argument("bundles", type=PATH, nargs=-1, required=True)
@click.option("--plot", type=PATH, help="PNG file to draw the table into.")
def compare(bundles: tuple[Path, ...], plot: Path | None) -> None:
    """Print one table of BUNDLES: size, figures, a quick speed test and memory of every level."""
    _silence_tensorflow()
    from convert.reporting.comparison import draw, rows_of
    from convert.reporting.summary import print_rows
    from smear.bundle.folder import load_bundle

    rows = [row for path in bundles for row in rows_of(load_bundle(path))]
    print_rows(rows, table_console(FILE_WIDTH))
    if plot is not None:
        draw(rows, plot)
        click.echo(f"drawn: {plot}")


def _levels(given: str) -> tuple[Level, ...]:
    from convert.export.tflite import CONVERTED

    wanted = tuple(part.strip() for part in given.split(",") if part.strip())
    unknown = [level for level in wanted if level not in CONVERTED]
    if unknown or not wanted:
        raise click.BadParameter(
            f"{', '.join(unknown) or 'nothing'}: choose from {', '.join(CONVERTED)}", param_hint="--levels"
        )
    return tuple(level for level in CONVERTED if level in wanted)


def _silence_tensorflow() -> None:
    """Keep TensorFlow's start-up messages off the terminal; its errors still appear."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
