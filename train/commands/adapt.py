"""`smearscope train adapt`: fit the last layer of a bundle to the reviewed fields of another site."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from smear import RESEARCH_USE_ONLY
from smear.bundle.levels import LEVELS, Level
from train.commands import options
from train.commands.options import EXISTING, PATH

NOT_BETTER = 3  # exit code: all was measured, and the bundle would be no better


@click.command()
@click.option("--bundle", type=EXISTING, required=True, help="Bundle to begin from.")
@click.option(
    "--fields",
    type=EXISTING,
    required=True,
    help="Reviewed fields, as 'smearscope slides export --format training' writes them.",
)
@click.option("--out", type=PATH, default=Path("adapted"), show_default=True, help="Folder of the bundle to write.")
@click.option("--level", type=click.Choice(LEVELS), default="int8", show_default=True, help="To measure with.")
@click.option("--seed", default=0, show_default=True, help="Of the parts that are measured on in turn.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@options.quiet
def command(bundle: Path, fields: Path, out: Path, level: Level, seed: int, as_json: bool, quiet: bool) -> None:
    """Fit the last layer of a bundle's classifier to fields that people reviewed at another site.

    A hundred fields are enough. The segmenter and all other weights stay. The layer is fitted to all fields; whether it
    is better is measured on each third of them, whole slides at a time, by a layer that was fitted to the other two.
    Where it is not, no bundle is written, and the exit code is 3.
    """
    from train.data.reviewed_fields import read_reviewed
    from train.fitting.adaptation.adaptation_run import LEAST_FIELDS, adapt
    from train.fitting.adaptation.outcome import lines_of

    found = adapt(bundle, read_reviewed(fields, LEAST_FIELDS), out, level, seed, quiet)
    if as_json:
        whole = asdict(found) | {"before": _json(found.before), "after": _json(found.after)}
        whole |= {"gain": found.gain.model_dump(), "bundle": None if found.faults else str(out)}
        click.echo(json.dumps(whole | {"notice": RESEARCH_USE_ONLY}, allow_nan=False))
    else:
        for line in lines_of(found, level):
            click.echo(line)
        click.echo(f"no bundle: {'; '.join(found.faults)}" if found.faults else f"wrote {out}")
    if found.faults:
        sys.exit(NOT_BETTER)


def _json(side: object) -> dict[str, object]:
    names = side.__dataclass_fields__  # type: ignore[attr-defined]
    values = {name: getattr(side, name) for name in names}
    return {name: value.model_dump() if hasattr(value, "model_dump") else value for name, value in values.items()}
