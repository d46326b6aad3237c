"""`smearscope slides count`: the differential count of an operator, and how far two agree."""

import click
from rich.console import Console

from device.actions.base import Context
from device.actions.signing import Count, count_json
from device.actions.signing import count as counted
from device.commands.options import json_text, operator_option, with_store_and_settings
from device.commands.slides.group import command
from device.reporting.counts import agreement_report, count_report, state_lines
from device.settings import Settings
from device.store import Store

target_option = click.option(
    "--target", type=click.IntRange(1, 10_000), help="Leukocytes to count.  [default: cells.target of the settings]"
)


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@target_option
@operator_option
@click.option("--compare", nargs=2, metavar="A B", help="Compare two operators on the cells that both classified.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_store_and_settings
def count(
    store: Store,
    settings: Settings,
    slide_name: str,
    target: int | None,
    operator: str,
    compare: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """Count the cells that an operator classified, in the order taken; of a signed slide as it was signed."""
    wanted = Count.model_construct(slide=slide_name, target=target, compare=compare)
    slide, found, compared = counted(Context(store, settings, operator), wanted)
    if as_json:
        click.echo(json_text(count_json(slide, found, compared)))
        return
    click.echo(f"Slide {slide.id} ({slide.name}), version {slide.version}")
    click.echo(state_lines(found)[0])
    Console().print(count_report(found.counts))
    if compare is not None and compared is not None:
        Console().print(agreement_report(*compare, compared))
