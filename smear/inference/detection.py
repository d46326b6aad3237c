"""Whether the cells of a field are of the kind that the four classes describe, or of none of them.

Two scores that miss different things are added: how far the cells' mean features lie from every class of the training
fields (a Mahalanobis distance with one covariance; Lee et al. 2018, "A simple unified framework for detecting
out-of-distribution samples"), and a linear classifier that has learnt cells of other laboratories as "none of these".
"""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np

from smear.bundle.arrays import read_arrays
from smear.bundle.folder import Bundle
from smear.bundle.manifest import Detector
from smear.classes import LABELS
from smear.errors import BundleError

FILE = "out_of_distribution.npz"


@dataclass(frozen=True, slots=True, eq=False)
class FeatureModel:
    """What is known of the features of training cells and of cells of other laboratories; d features, 4 classes."""

    mean: np.ndarray  # float (d,), taken from the features first
    scale: np.ndarray  # float (d,), what is left is divided by it
    centres: np.ndarray  # float (4, d), mean of each class after that
    precision: np.ndarray  # float (d, d), inverse of the covariance of fields about the mean of their class
    weights: np.ndarray  # float (d,), of the linear classifier: positive for "none of these"
    bias: np.ndarray  # float (), its intercept
    typical: np.ndarray  # float (2, 2): median, and spread up to the 95th percentile, of distance and linear score
    cell_weights: np.ndarray  # float (d,), of the linear classifier of single cells: positive for leukocytes
    cell_bias: np.ndarray  # float (), its intercept

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Return float (n,): how far each row of float (n, d) lies from the nearest class, in standard deviations."""
        away = self._scaled(features)[:, np.newaxis] - self.centres
        return np.asarray(np.sqrt((away @ self.precision * away).sum(axis=2).min(axis=1)))

    def linear(self, features: np.ndarray) -> np.ndarray:
        """Return float (n,): the log-odds that each row of float (n, d) is none of the four classes."""
        return np.asarray(self._scaled(features) @ self.weights + self.bias)

    def score(self, features: np.ndarray) -> np.ndarray:
        """Return float (n,): both scores added, each so that training fields have a median of 0 and a spread of 1."""
        both = np.stack([self.distance(features), self.linear(features)], axis=1)
        return np.asarray(((both - self.typical[:, 0]) / self.typical[:, 1]).sum(axis=1))

    def leukocyte(self, features: np.ndarray) -> np.ndarray:
        """Return float (n,): for each cell of float (n, d) log-odds that it is a leukocyte, of whatever kind.

        0 is where the share of our own cells is lost that fitting allows.
        """
        return np.asarray(self._scaled(features) @ self.cell_weights + self.cell_bias)

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return np.asarray((features - self.mean) / self.scale)

    def to_bytes(self) -> bytes:
        """Return the model as the bytes of an .npz file."""
        buffer = io.BytesIO()
        arrays = {name: np.asarray(getattr(self, name), np.float32) for name in self.__slots__}
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stub takes the keys for its own options
        return buffer.getvalue()

    @classmethod
    def of(cls, content: bytes, name: str, features: int) -> Self:
        """Return the model that `to_bytes` gave as `content`, read from the file called `name`.

        Raises:
            BundleError: it is damaged, or made for another number of `features`.
        """
        arrays = read_arrays(content, name)
        shapes: dict[str, tuple[int, ...]] = {
            "mean": (features,), "scale": (features,), "centres": (len(LABELS), features),
            "precision": (features, features), "weights": (features,), "bias": (), "typical": (2, 2),
            "cell_weights": (features,), "cell_bias": (),
        }  # fmt: skip
        for field, shape in shapes.items():
            values = arrays.get(field)
            if values is None or values.dtype != np.float32 or values.shape != shape or not np.isfinite(values).all():
                raise BundleError(f"{name}: {field} is not {shape} finite numbers; install the bundle again")
        return cls(**{field: arrays[field].astype(np.float64) for field in shapes})


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What the detector found of one field. Each comparison fails closed: a score that is no number is refused."""

    score: float
    limit: float
    other_cells: float  # share of the field's cells that are, each by itself, none of the four classes
    max_other_cells: float
    resembles_others: bool  # the linear classifier takes the field for cells of the kind it learnt elsewhere

    @property
    def within(self) -> bool:
        """True: the field may be labelled."""
        return self.score <= self.limit and self.other_cells <= self.max_other_cells


def assess(features: np.ndarray, model: FeatureModel, facts: Detector) -> Familiarity:
    """Judge one field by the features of its cells, float (n, d) with n > 0."""
    field = features.mean(axis=0, keepdims=True)
    kin = model.score(features) <= facts.cell_limit
    return Familiarity(
        score=float(model.score(field)[0]),
        limit=facts.limit_few if len(features) <= facts.few_cells else facts.limit,
        other_cells=1.0 - float(kin.mean()),
        max_other_cells=facts.max_other_cells,
        resembles_others=bool(model.linear(field)[0] > 0),
    )


def open_detector(bundle: Bundle) -> FeatureModel | None:
    """Return what the detector of `bundle` compares with; None where it has none.

    Raises:
        BundleError: its file is damaged.
    """
    facts = bundle.manifest.classifier
    if facts.detector is None:
        return None
    return FeatureModel.of(bundle.read(facts.detector.file), facts.detector.file, facts.features)
