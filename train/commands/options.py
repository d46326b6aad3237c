"""Options that several commands of `smearscope train` share, and what they do with them."""

import math
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from smear.bundle.levels import LEVELS
from smear.errors import TrainingError
from train.fitting.strategies import STRATEGIES

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
EXISTING = click.Path(path_type=Path, exists=True)
PRECISIONS = ("mixed_bfloat16", "mixed_float16", "float32")


class FiniteRange(click.FloatRange):
    """A number inside its bounds; click's own comparison lets pass what is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` as a number; see `click.ParamType`."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


data = click.option("--data", type=EXISTING, required=True, help="Root of the training data.")
fields = click.option("--fields", default="taleqani", show_default=True, help="Folder of the classes, below --data.")
split = click.option("--split", type=PATH, required=True, help="File of 'train split'.")
fold = click.option("--fold", default=0, show_default=True, help="Fold of the split, counted from 0.")
audit = click.option(
    "--audit", type=PATH, help="File of 'train audit': intervals are then resampled by group of near-duplicates."
)
bundle = click.option("--bundle", type=EXISTING, required=True, help="Folder of a model bundle.")
level = click.option("--level", type=click.Choice(LEVELS), default="int8", show_default=True, help="Of the bundle.")
limit = click.option("--limit", type=click.IntRange(4), help="Evaluate at most so many test fields; for a quick look.")
pretrained = click.option(
    "--weights", type=click.Choice(["imagenet", "none"]), default="imagenet", show_default=True,
    help="What a network with ImageNet weights starts from.",
)  # fmt: skip
quiet = click.option("--quiet", is_flag=True, help="No progress bars.")
resume = click.option("--resume", is_flag=True, help="Continue an interrupted run.")
precision = click.option(
    "--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True, help="Of the arithmetic."
)
strategy = click.option(
    "--strategy", type=click.Choice(STRATEGIES), default="auto", show_default=True,
    help="Over all GPUs, or all machines of TF_CONFIG; see docs/distributed.md.",
)  # fmt: skip
network_settings = click.option(
    "--setting", "network", multiple=True, metavar="NAME=VALUE",
    help="A setting of the network, see 'train networks --list'; may be given several times.",
)  # fmt: skip


def of_a_split(command: CommandT) -> CommandT:
    """Add the options that name one fold of a split: `data`, `fields`, `split` and `fold`."""
    return data(fields(split(fold(command))))


def model(names: Sequence[str], default: str, text: str = "The network.") -> Callable[[CommandT], CommandT]:
    """Return the option that chooses one of the networks called `names`."""
    return click.option("--model", type=click.Choice(names), default=default, show_default=True, help=text)


def parsed_settings(words: Sequence[str]) -> dict[str, object]:
    """Return `NAME=VALUE` words as settings of a network.

    Raises:
        TrainingError: a word is not of that form.
    """
    settings: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise TrainingError(f"--setting {word}: write NAME=VALUE, such as dropout=0.3")
        settings[name] = value
    return settings


def command_line() -> str:
    """Return the command line of this run, as it can be typed again."""
    return shlex.join(["smearscope", *sys.argv[1:]])
