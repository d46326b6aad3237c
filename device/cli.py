"""The `smearscope` command: a table of sub-commands, each imported only when it is asked for."""

import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from device.system.process import set_process_defaults
from device.system.streams import OutputError, protect_streams
from smear import RESEARCH_USE_ONLY, __version__
from smear.errors import SmearscopeError
from smear.output_files import printable

COMPLETION_VARIABLE = "_SMEARSCOPE_COMPLETE"  # set by click's script for the shell
INTERRUPTED = 130  # 128 + SIGINT, what a shell expects of a program ended by Ctrl-C
OTHER_EXTRAS = {  # of packages in no command's own extra
    "cryptography": "sign", "distributed": "cluster", "fsspec": "cluster", "hl7apy": "hl7", "openslide": "slides",
    "pyarrow": "parquet", "pygame": "screen", "s3fs": "s3",
}  # fmt: skip
OWN_PACKAGES = frozenset({"smear", "device", "web", "train", "convert", "benchmarks"})


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a sub-command is, and what `--help` says about it without importing it."""

    target: str  # "module:attribute"
    extra: str  # the pip extra that installs what it needs
    help: str


COMMANDS: dict[str, LazyCommand] = {
    "run": LazyCommand("device.commands.run:command", "device", "Examine fields live until Ctrl-C or N fields."),
    "capture": LazyCommand("device.commands.capture:command", "device", "Take and examine one field now."),
    "analyze": LazyCommand("device.commands.analyze:command", "device", "Examine picture files or folders."),
    "slides": LazyCommand("device.commands.slides:command", "device", "List, show, export or mark what was stored."),
    "cells": LazyCommand("device.commands.cells:command", "device", "List, show and classify the cells of a slide."),
    "slide": LazyCommand("device.commands.slide:command", "device", "Start or end a slide on the running device."),
    "status": LazyCommand("device.commands.status:command", "device", "Show how the running device is doing."),
    "calibrate": LazyCommand(
        "device.commands.calibrate:command", "device", "Calibrate white, flat field, scale, focus."
    ),
    "site": LazyCommand("device.commands.site:command", "device", "Check the labels on fields of this laboratory."),
    "qc": LazyCommand("device.commands.qc:command", "device", "Do the quality control of the day; show its charts."),
    "backup": LazyCommand("device.commands.backup:command", "device", "Back up all that the device keeps."),
    "restore": LazyCommand("device.commands.backup:restore", "device", "Make a data folder of a backup."),
    "cameras": LazyCommand("device.commands.cameras:command", "device", "List cameras; show what one offers."),
    "model": LazyCommand("device.commands.model:command", "device", "Show, install or roll back the model bundle."),
    "config": LazyCommand("device.commands.config:command", "device", "Check, show or describe the settings."),
    "doctor": LazyCommand("device.commands.doctor:command", "device", "Check this machine and say what to fix."),
    "web": LazyCommand("web.cli:command", "web", "Serve pages and an API in a browser; off until enabled."),
    "train": LazyCommand("train.cli:command", "train", "Audit data, train, evaluate, report (desktop)."),
    "convert": LazyCommand("convert.cli:command", "convert", "Turn trained models into a bundle (desktop)."),
    "bench": LazyCommand("benchmarks.cli:command", "bench", "Measure speed, memory and accuracy by level."),
}


class LazyGroup(click.Group):
    """The sub-commands in `COMMANDS`; every expected error of theirs is reported here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the sub-commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one sub-command; None when there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise SmearscopeError(_missing(cmd_name, error)) from error
        assert isinstance(found, click.Command)
        found.name = cmd_name  # every module calls its own "command"; the reference is generated from the names
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of sub-commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; an expected error becomes one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except SmearscopeError as error:
            _fail(ctx, str(error))
        except ModuleNotFoundError as error:
            _fail(ctx, _missing(ctx.invoked_subcommand or "", error))
        except KeyboardInterrupt:
            click.echo("smearscope: stopped", err=True)
            ctx.exit(INTERRUPTED)
        except PermissionError as error:  # from a path that was named, and pathlib cannot tell what is there
            _fail(ctx, f"{error.filename}: {error.strerror}; give yourself permission, or choose another")


def _fail(ctx: click.Context, message: str) -> NoReturn:
    if ctx.params.get("verbose"):
        traceback.print_exc()
    click.echo(f"smearscope: {printable(' '.join(message.split()))}", err=True)
    ctx.exit(1)


def _missing(command: str, error: ModuleNotFoundError) -> str:
    """Return which extra installs what `command` lacks; raise `error` again where none does."""
    entry = COMMANDS.get(command)
    missing = error.name or ""
    if entry is None:
        raise error
    own = missing.split(".")[0] in OWN_PACKAGES
    if own and not f"{entry.target.split(':')[0]}.".startswith(f"{missing}."):
        raise error  # a file of ours imports one that does not exist: a defect, not a missing extra
    what = "is not part of this installation" if own else f"needs the Python package {missing!r}"
    extra = OTHER_EXTRAS.get(missing.split(".")[0], entry.extra)
    return f"'{command}' {what}; install it with: pip install 'smearscope[{extra}]'"


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=RESEARCH_USE_ONLY,
)
@click.version_option(__version__, prog_name="smearscope")
@click.option("--verbose", is_flag=True, help="Show the full traceback of an error.")
def cli(verbose: bool) -> None:
    """Segment and classify white cells in stained blood smears, on a desktop or beside the microscope."""


def main() -> None:
    """Entry point of the `smearscope` script."""
    set_process_defaults(os.environ)
    protect_streams()
    try:
        cli(prog_name="smearscope")
    except OutputError as error:  # of --help, which is printed before the group runs
        click.echo(f"smearscope: {error}", err=True)
        sys.exit(1)
    except (ModuleNotFoundError, SmearscopeError):  # a command whose extra is missing has nothing to suggest
        if COMPLETION_VARIABLE not in os.environ:
            raise
        sys.exit(1)
    except KeyboardInterrupt:  # before or after the group ran: importing, or writing the last line
        sys.exit(INTERRUPTED)
