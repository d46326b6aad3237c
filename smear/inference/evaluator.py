"""A bundle judged through the device's own pipeline: what it says of pictures, as rows and as arrays.

The only file of this room that imports `device`, and only when a bundle is opened: docs/decisions/0007.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from smear.bundle.manifest import Manifest, load_bundle
from smear.classes import LABELS
from smear.findings import Finding, Frame, Refusal, RefusalCode
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.progress import progress

NO_CELL = len(LABELS)  # index of what is said of a field in which no cell was found: no class, always wrong
LEAST = 1e-12  # least probability of which a logarithm is taken


class Judge:
    """The pipeline of a bundle at one level, as a device would open it."""

    def __init__(self, bundle: Path, level: str = "int8") -> None:
        """Open and prove the bundle.

        Raises:
            BundleError: it is damaged, or lacks `level`.
            RuntimeUnavailableError: no inference runtime is installed (the extra `device`).
        """
        self._processor = FrameProcessor(Pipeline(load_bundle(bundle), level))
        self.level = level

    @property
    def manifest(self) -> Manifest:
        """The bundle's own account of itself."""
        return self._processor.pipeline.bundle.manifest

    @property
    def sha256(self) -> str:
        """What names the bundle."""
        return self._processor.pipeline.bundle.sha256

    @property
    def identity(self) -> str:
        """Sha256 of all in the manifest that can change an answer: stays when the model card is written anew."""
        return hashlib.sha256(self.manifest.model_copy(update={"files": {}}).model_dump_json().encode()).hexdigest()

    def examine(self, image: np.ndarray, source: str = "") -> Finding:
        """Return what the device would conclude from RGB uint8 (H, W, 3), taken as one field of the data set."""
        return self._processor.examine(Frame(image, source))

    def close(self) -> None:
        """Free the models."""
        self._processor.close()

    def __enter__(self) -> Self:
        """Return the judge itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the models."""
        self.close()


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture put before a bundle; `truth` is None where no label would be right."""

    file: str
    image: np.ndarray  # RGB uint8 (H, W, 3)
    truth: str | None
    group: str  # re-shots of one field share it


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bundle said of one picture."""

    file: str
    truth: str | None
    group: str
    label: str | None  # None: refused
    top: str | None  # best class whether or not refused; None: no cell was found
    probabilities: tuple[float, ...]  # in the order of LABELS, calibrated; empty when no cell was found
    refusals: tuple[Refusal, ...]
    cells: int
    ood_score: float | None


def ask(judge: Judge, pictures: Iterable[Shown], text: str, quiet: bool = False, total: int | None = None) -> "Answers":
    """Put every picture before `aggregate`, behind a progress bar called `text`."""
    rows = []
    for shown in progress(pictures, text, quiet, total):
        rows.append(answer(shown, judge.examine(shown.image, shown.file)))
    return Answers(tuple(rows))


def answer(shown: Shown, finding: Finding) -> Answer:
    """Return what `finding` says of `shown`."""
    said = tuple(finding.probabilities[name] for name in LABELS) if finding.probabilities else ()
    return Answer(
        shown.file, shown.truth, shown.group, finding.label, finding.top, said, finding.refusals, len(finding.cells),
        finding.quality.ood_score,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answers:
    """What a bundle said of a list of pictures."""

    rows: tuple[Answer, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def groups(self) -> list[str]:
        """The group of each row."""
        return [row.group for row in self.rows]

    @property
    def truth(self) -> np.ndarray:
        """Int (n,), index in LABELS; NO_CELL where no label would be right."""
        return _indices(row.truth for row in self.rows)

    @property
    def top(self) -> np.ndarray:
        """Int (n,), index of the best class in LABELS; NO_CELL where no cell was found."""
        return _indices(row.top for row in self.rows)

    @property
    def labelled(self) -> np.ndarray:
        """Bool (n,): not refused."""
        return np.array([row.label is not None for row in self.rows], bool)

    @property
    def ood_scores(self) -> np.ndarray:
        """Float (m,): the out-of-distribution scores of the rows that have one."""
        return np.array([row.ood_score for row in self.rows if row.ood_score is not None], float)

    def with_cells(self) -> "Answers":
        """Return the rows in which a cell was found: those that have probabilities."""
        return Answers(tuple(row for row in self.rows if row.probabilities))

    def probabilities(self, temperature: float = 1.0) -> np.ndarray:
        """Return float (n, 4) of rows that all have cells; with the bundle's `temperature`, what it was divided by.

        The pipeline tells calibrated probabilities p = softmax(l / T) alone; softmax(T log p) = softmax(l).
        """
        log = np.log(np.maximum(np.array([row.probabilities for row in self.rows]).reshape(-1, len(LABELS)), LEAST))
        grown = np.exp((log - log.max(axis=1, keepdims=True)) * temperature)
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _indices(names: Iterable[str | None]) -> np.ndarray:
    return np.array([NO_CELL if name is None else LABELS.index(name) for name in names], np.int64)


def refused_for(answers: Sequence[Answer], code: RefusalCode) -> np.ndarray:
    """Return bool (n,): refused with `code`, whatever else."""
    return np.array([any(refusal.code == code for refusal in row.refusals) for row in answers], bool)
