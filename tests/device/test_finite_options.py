"""Every option of every command that takes a number refuses what is none."""

from collections.abc import Iterator

import click
import pytest

from device.cli import cli

LEFT_TO_SETTINGS = {("classifier", "dropout")}  # checked with the network's other settings


def options(command: click.Command, ctx: click.Context) -> Iterator[tuple[str | None, click.Option]]:
    for option in command.params:
        if isinstance(option, click.Option) and isinstance(option.type, click.types.FloatParamType):
            yield command.name, option
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            if inner is not None:
                yield from options(inner, ctx)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "NaN", "1e999"])
def test_no_option_takes_what_is_no_finite_number(value: str) -> None:
    ctx = click.Context(cli)
    found = [(name, option) for name, option in options(cli, ctx) if (name, option.name) not in LEFT_TO_SETTINGS]
    assert {option.name for _, option in found} >= {"pixel_size_um", "division_um", "slower"}
    for _, option in found:
        with pytest.raises(click.BadParameter):
            option.type.convert(value, option, ctx)
