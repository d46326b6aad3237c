"""`smearscope train`: data, splits, both models, and what they are worth."""

import importlib
from typing import Any

import click

COMMANDS = {
    "fetch": ("train.data.fetch", "Get the data set, or check a folder of it."),
    "audit": ("train.data.audit", "Find duplicates, re-shots, stain sessions and scale bars."),
    "split": ("train.data.splits", "Write a named split to a file."),
    "segmenter": ("train.commands.segmenter", "Fit a segmenter and score it on masks left out."),
    "classifier": ("train.commands.classifier", "Fit a classifier, calibrate it and write run.json."),
    "networks": ("train.commands.networks", "Fit the networks the paper compares, under one budget."),
    "paper-masks": ("train.commands.paper_masks", "Fit a U-Net to threshold masks, as the paper did."),
    "controls": ("train.commands.controls", "Judge a bundle: does it look at cells, and what does it refuse?"),
    "report": ("train.commands.report", "One page about a bundle: figures, controls, and the paper beside them."),
}
"""Name -> (module that holds `command`, what it does); imported only when asked, since TensorFlow takes seconds."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of `cmd_name` and return its command."""
        if cmd_name not in COMMANDS:
            return None
        found: Any = importlib.import_module(COMMANDS[cmd_name][0]).command
        found.name = cmd_name  # every module calls its own "command"; the reference is generated from the names
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy)
def command() -> None:
    """Train the models on a desktop, and find out what they are worth."""
