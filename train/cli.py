"""`smearscope train`: data, splits, networks and their evaluation; each command is imported when it is called."""

import importlib

import click

COMMANDS = {
    "fetch": ("train.commands.fetch", "Get the data set, or check a folder of it."),
    "audit": ("train.commands.audit", "Find near-duplicates, stain sessions and scale bars."),
    "split": ("train.commands.split", "Write a named split to a file."),
    "segmenter": ("train.commands.segmenter", "Fit a segmenter and score it on held-out masks."),
    "classifier": ("train.commands.classifier", "Fit a classifier, calibrate it and write run.json."),
    "networks": ("train.commands.networks", "Compare networks on whole fields, under one budget."),
    "paper-masks": ("train.commands.paper_masks", "Fit a U-Net to threshold masks, as in the paper."),
    "out-of-distribution": ("train.commands.out_of_distribution", "Fit what refuses cells of none of the classes."),
    "adapt": ("train.commands.adapt", "Fit a bundle to the reviewed fields of another site."),
    "statistics": ("train.commands.statistics", "Let a bundle carry what an adaptation must not forget."),
    "controls": ("train.commands.controls", "Test a bundle: does it look at cells, and what does it refuse?"),
    "scale": ("train.commands.scale", "Measure whether a wrong scale is noticed."),
    "report": ("train.commands.report", "Write a page about a bundle: scores, controls, and the paper's figures."),
}
"""Name -> (module that holds `command`, its help); imported only when called."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of `cmd_name` and return its command."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        found.name = cmd_name  # every module calls its own "command"; the reference is generated from the names
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy)
def command() -> None:
    """Train the networks on a desktop, and evaluate them."""
