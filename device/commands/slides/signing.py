"""`smearscope slides sign`, `amend` and `verify`: signed results."""

from typing import Any

import click
from rich.console import Console

from device.commands.options import json_text, operator_option, with_store, with_store_and_settings
from device.commands.slides.counting import target_option
from device.commands.slides.group import command, slide_number
from device.exports.hl7 import require_ready, write_message
from device.quality_control.state import qc_state
from device.reporting.counts import count_report, signature_text, verification_line
from device.settings import Settings
from device.store import Store
from device.store.review.sign_off import Concessions
from device.system.clock import moment
from smear.errors import SmearscopeError, StoreError
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
    slide = store.slide_called(slide_name)
    folder = settings.laboratory.hl7_folder
    if folder is not None:
        require_ready(folder)
    state = qc_state(store, settings.qc, moment(), slide.simulated)
    signature = store.sign(
        slide.id,
        operator,
        settings.cells.classes,
        target or settings.cells.target,
        Concessions(allow_unidentified, short, passed_over),
        qc_faults=state.reasons if state.asked else None,
        settings=_that_matter(settings),
    )
    counts = store.counted(store.slide(slide.id), settings.cells.classes, settings.cells.target).counts
    Console().print(count_report({operator: counts[operator]}))
    click.echo(f"slide {slide.id} ({slide.name}): {signature_text(signature)}")
    click.echo(f"sha256 {signature.sha256}")
    if folder is not None:
        try:
            click.echo(f"wrote {printable(write_message(signature, folder))}")
        except SmearscopeError as error:
            raise StoreError(
                f"slide {slide.id} is signed, but its HL7 message is missing ({error}); then: smearscope slides export "
                f"{slide.id} --format hl7 --out {printable(folder)}"
            ) from error


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
    slide_id = slide_number(store, slide_name, store.signatures)
    found = [store.verify(each) for each in store.signatures(slide_id)]
    if not found:
        raise StoreError(f"slide {slide_id} was never signed; 'smearscope slides sign {slide_id}' does")
    for each in found:
        about = each.signature.to_json() | {"compared": each.compared, "faults": each.faults}
        click.echo(json_text(about) if as_json else verification_line(each))
    if any(each.faults for each in found):
        raise StoreError(f"slide {slide_id}: a signed result does not hold; restore the last backup")


def _that_matter(settings: Settings) -> dict[str, Any]:
    """Return the settings that what is counted depends on, as JSON types."""
    return settings.model_dump(mode="json", include={"gate", "qc", "site", "slide"})
