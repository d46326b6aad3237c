"""`smearscope train statistics`: let a bundle carry what an adaptation to another site must not forget."""

from pathlib import Path

import click
import numpy as np

from smear.bundle.derivation import derive
from smear.bundle.folder import load_bundle
from smear.classes import LABELS
from smear.images import read_image
from smear.inference.verification import verify
from smear.progress import progress
from train.commands import options
from train.commands.options import EXISTING, PATH


@click.command()
@click.option("--bundle", type=EXISTING, required=True, help="Bundle whose classifier is shown all cells at once.")
@options.of_a_split
@click.option("--out", type=PATH, required=True, help="Folder of the bundle to write; may be --bundle itself.")
@options.quiet
def command(bundle: Path, data: Path, fields: str, split: Path, fold: int, out: Path, quiet: bool) -> None:
    """Store mean and covariance of the features of the training fields in a bundle.

    'smearscope train adapt' draws from them where the pictures themselves are not: they are replayed, so that a bundle
    that is fitted to another site keeps its answers on this one. No model is changed.
    """
    from train.data.splits import load_split_data
    from train.evaluation.features.field_features import FeatureReader
    from train.fitting.adaptation.site_adaptation import statistics_of
    from train.fitting.adaptation.site_statistics import FILE, to_bytes

    opened = load_bundle(bundle)
    loaded = load_split_data(data, fields, split, None, quiet)
    rows, truth = [], []
    with FeatureReader(opened) as reader:
        for record in progress(loaded.records(loaded.fold(fold).train), "Reading fields", quiet):
            seen = reader.read(read_image(record.path), record.file)
            if seen.features is not None:
                rows.append(seen.features)
                truth.append(LABELS.index(record.label))
    derive(opened, out, {FILE: to_bytes(statistics_of(np.stack(rows), np.array(truth)))}, opened.manifest)
    verify(out)
    click.echo(f"wrote {out}: statistics of {len(rows)} fields")
