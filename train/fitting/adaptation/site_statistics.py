"""The statistics of the old site's features, which a bundle may carry so that an adaptation does not forget it."""

import io
from collections.abc import Sequence

import numpy as np

from smear.bundle.arrays import read_arrays
from smear.bundle.folder import Bundle
from smear.classes import LABELS
from smear.errors import BundleError
from smear.progress import progress
from smear.synthetic import render
from train.evaluation.features.field_features import FeatureReader, SeenField
from train.fitting.adaptation.site_adaptation import Statistics, statistics_of

FILE = "site_statistics.npz"
RENDERED, RENDERED_SEED = 30, 30_000  # fields of each class, where a bundle carries no statistics


def to_bytes(statistics: Statistics) -> bytes:
    """Return the content of `FILE`; half precision is enough for what is only sampled."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, means=statistics.means.astype(np.float32), covariance=statistics.covariance.astype(np.float32)
    )
    return buffer.getvalue()


def stored_statistics(bundle: Bundle, features: int) -> Statistics | None:
    """Return the statistics that `bundle` carries; None where it carries none.

    Raises:
        BundleError: they are damaged, or of another number of `features`.
    """
    if FILE not in bundle.manifest.files:
        return None
    arrays = read_arrays(bundle.read(FILE), FILE)
    shapes = {"means": (len(LABELS), features), "covariance": (features, features)}
    if any(name not in arrays or arrays[name].shape != shape for name, shape in shapes.items()):
        raise BundleError(f"bundle {bundle.path}: {FILE} is not of {features} features; install the bundle again")
    return Statistics(arrays["means"].astype(np.float64), arrays["covariance"].astype(np.float64))


def rendered_statistics(reader: FeatureReader, quiet: bool = False) -> Statistics:
    """Return the statistics of rendered fields: what the classifier was shown besides photographs, on any machine."""
    labels = [label for label in LABELS for _ in range(RENDERED)]
    rows, truth = [], []
    for number, label in enumerate(progress(labels, "Rendering fields", quiet)):
        seen = reader.read(render(label, RENDERED_SEED + number).image, f"rendered {label}")
        if seen.features is not None:
            rows.append(seen.features)
            truth.append(LABELS.index(label))
    return statistics_of(np.stack(rows), np.array(truth))


def features_of(seen: Sequence[SeenField]) -> np.ndarray:
    """Return float (n, d) of fields that all have cells."""
    return np.stack([each.features for each in seen if each.features is not None])
