"""`smearscope slides count`: the differential count of an operator, and how far two agree."""

from dataclasses import replace

import click
from rich.console import Console

from device.commands.options import json_text, operator_option, with_store_and_settings
from device.commands.slides.group import command
from device.counting.agreement import agreement
from device.reporting.counts import agreement_report, count_report, state_lines
from device.settings import Settings
from device.store import Store
from device.store.names import checked_operator
from device.store.review.sign_off import Counted
from smear import RESEARCH_USE_ONLY
from smear.errors import StoreError

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
    slide = store.slide_called(slide_name)
    names = [checked_operator(name) for name in compare or (operator,)]
    with store.snapshot():
        counted = store.counted(slide, settings.cells.classes, target or settings.cells.target)
        found = _of(counted, slide.id, names)
        pairs = store.both_classified(slide.id, *names) if compare else None
    compared = agreement(pairs) if pairs is not None else None
    if as_json:
        about = {"notice": RESEARCH_USE_ONLY, "slide": slide.id, "name": slide.name, "version": slide.version}
        extra = {} if compared is None else {"agreement": compared.to_json()}
        click.echo(json_text(about | found.to_json() | extra))
        return
    click.echo(f"Slide {slide.id} ({slide.name}), version {slide.version}")
    click.echo(state_lines(counted)[0])
    Console().print(count_report(found.counts))
    if compared is not None:
        Console().print(agreement_report(names[0], names[1], compared))


def _of(counted: Counted, slide_id: int, operators: list[str]) -> Counted:
    """Return the counts of `operators` alone.

    Raises:
        StoreError: one of them has classified no cell of the slide.
    """
    for name in operators:
        if name not in counted.counts:
            others = ", ".join(counted.counts) or "nobody"
            raise StoreError(
                f"{name} has classified no cell of slide {slide_id} ({others} has); "
                "'smearscope cells classify' first, or give another --operator"
            )
    return replace(counted, counts={name: counted.counts[name] for name in operators})
