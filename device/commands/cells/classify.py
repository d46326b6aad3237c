"""`smearscope cells classify` and `undo`: what a person calls cells, one by one or by keys."""

import os
import re
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from device.actions.cells import known_class
from device.commands.cells.group import PNG, cell_place, command, write_picture
from device.commands.cells.key_walk import KeyWalk
from device.commands.cells.listing import order_option
from device.commands.options import operator_option, with_store, with_store_and_settings
from device.counting.cell_classes import class_called
from device.reporting.cell_pictures import PhotographGoneError
from device.reporting.events import change_text
from device.settings import Settings
from device.store import CellRecord, Store
from device.store.review.gallery import Order
from device.store.review.sign_off import is_signed

_KEY = re.compile(r"\x1b(?:\[[0-9;]*.|O.)?|.", re.DOTALL)  # what a key sends: an arrow, for one, sends several bytes


@command.command()
@click.argument("what", metavar="CELL... | SLIDE", nargs=-1, required=True)
@click.option("--class", "class_name", metavar="CLASS", help="What they are; name or key of a class of the settings.")
@click.option("--keys", is_flag=True, help="Walk through the cells of SLIDE and read one key for each.")
@order_option
@click.option("--picture", type=PNG, help="With --keys: keep the picture of the present cell, a PNG, in this file.")
@operator_option
@with_store_and_settings
def classify(
    store: Store,
    settings: Settings,
    what: tuple[str, ...],
    class_name: str | None,
    keys: bool,
    order: Order,
    picture: Path | None,
    operator: str,
) -> None:
    """Say what cells are.

    With --keys, the cells of SLIDE that this operator has not classified come one after another, or with --class those
    that were last called so. Each takes one key, from the terminal or from standard input: that of a class, a space to
    pass it over, '-' to take the last answer back, '.' to end.
    """
    classes = settings.cells.classes
    if keys:
        if len(what) != 1:
            raise click.UsageError("with --keys, give one slide")
        slide = store.slide_called(what[0])
        if slide.signed:  # before the first cell is shown, and not after it was looked at
            raise is_signed(slide.id)
        wanted = None if class_name is None else known_class(store, slide.id, classes, class_name)
        walk = KeyWalk(store, slide.id, operator, classes, settings.cells.target, order, wanted)
        click.echo(walk.legend())
        with _keys() as pressed:
            for line in walk.lines(pressed, lambda cell: _show(store, cell, picture)):
                click.echo(line)
        return
    if class_name is None:
        raise click.UsageError("what are they? give --class CLASS, or --keys and a slide")
    if picture is not None:
        raise click.UsageError("--picture goes with --keys; 'smearscope cells show CELL --out FILE' writes one")
    cells = [cell_place(each) for each in what]
    events = store.classify(operator, cells, class_called(classes, class_name).name)
    for event in events:
        click.echo(f"{change_text(event)} (by {operator})")
    if len(events) < len(cells):
        click.echo(f"{len(cells) - len(events)} were called so already")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@operator_option
@with_store
def undo(store: Store, slide_name: str, operator: str) -> None:
    """Take back the last classification by this operator on a slide; again, the one before it."""
    slide = store.slide_called(slide_name)
    event = store.undo(operator, slide.id)
    if event is None:
        click.echo(f"slide {slide.id} ({slide.name}): {operator} has nothing to take back")
    else:
        click.echo(f"{change_text(event)} (taken back by {operator})")


@contextmanager
def _keys() -> Iterator[Iterator[str]]:
    """Give the keys that are pressed at the terminal, each at once; else what standard input holds, to its end.

    The terminal stays in this mode for the whole walk: between two calls of `click.getchar` it would drop keys.
    """
    if not sys.stdin.isatty():
        yield iter(lambda: sys.stdin.read(1), "")
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin, termios.TCSADRAIN)
    try:
        yield _pressed(sys.stdin.fileno())
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _pressed(terminal: int) -> Iterator[str]:
    while text := os.read(terminal, 1024).decode(errors="replace"):
        yield from _KEY.findall(text)


def _show(store: Store, cell: CellRecord, picture: Path | None) -> None:
    """Keep the picture of `cell` in the file `picture`; where its photograph is gone say so, and leave no other."""
    if picture is None:
        return
    try:
        write_picture(store, cell, picture)
    except PhotographGoneError as error:
        picture.unlink(missing_ok=True)
        click.echo(error, err=True)
