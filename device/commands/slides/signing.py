"""`smearscope slides sign`, `amend` and `verify`: signed results."""

import click
from rich.console import Console

from device.actions.base import Context
from device.actions.signing import Sign, verification_json
from device.actions.signing import sign as signed
from device.actions.signing import verify as verified
from device.actions.slides import counted
from device.commands.options import json_text, operator_option, with_store, with_store_and_settings
from device.commands.slides.counting import target_option
from device.commands.slides.group import command
from device.reporting.counts import count_report, signature_text, verification_line
from device.settings import Settings
from device.store import Store
from smear.errors import StoreError
from smear.output_files import printable


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@target_option
@operator_option
@click.option("--allow-unidentified", is_flag=True, help="Sign although cells are unidentified; they are named so.")
@click.option("--short", default="", metavar="REASON", help="Sign although the target is not met.")
@click.option("--passed-over", default="", metavar="REASON", help="Sign although cells were passed over.")
@with_store_and_settings
def sign(
    store: Store,
    settings: Settings,
    slide_name: str,
    target: int | None,
    operator: str,
    allow_unidentified: bool,
    short: str,
    passed_over: str,
) -> None:
    """Sign an operator's count: the slide is read-only from then on, and never removed to make room."""
    asked = Sign.model_construct(
        slide=slide_name, target=target, allow_unidentified=allow_unidentified, short=short, passed_over=passed_over
    )
    context = Context(store, settings, operator)
    signature, message = signed(context, asked)
    slide = store.slide(signature.slide_id)
    Console().print(count_report({operator: counted(context, slide).counts[operator]}))
    click.echo(f"slide {slide.id} ({slide.name}): {signature_text(signature)}")
    click.echo(f"sha256 {signature.sha256}")
    if message is not None:
        click.echo(f"wrote {printable(message)}")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@operator_option
@click.option("--reason", required=True, help="What is wrong with what was signed.")
@with_store
def amend(store: Store, slide_name: str, operator: str, reason: str) -> None:
    """Begin the next version of a signed slide, which can be changed and signed again; what was signed stays."""
    slide = store.amend(store.slide_called(slide_name).id, operator, reason)
    click.echo(f"slide {slide.id} ({slide.name}): version {slide.version} is begun; version {slide.version - 1} stays")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a signature.")
@with_store
def verify(store: Store, slide_name: str, as_json: bool) -> None:
    """Compare what was signed with its checksum and with the records; SLIDE may be the number of a deleted slide."""
    found = verified(store, slide_name)
    for each in found:
        click.echo(json_text(verification_json(each)) if as_json else verification_line(each))
    if any(each.faults for each in found):
        raise StoreError(f"slide {found[0].signature.slide_id}: a signed result does not hold; restore the last backup")
