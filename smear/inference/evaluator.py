"""Evaluation of a bundle on a list of pictures with the pipeline that the device runs: answers as rows and arrays."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from smear.bundle.folder import load_bundle
from smear.bundle.manifest import Manifest
from smear.classes import LABELS
from smear.findings import Finding, Frame, Refusal, RefusalCode
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.metrics import softmax
from smear.progress import progress

NO_CELL = len(LABELS)  # class index where no cell was found: none of the classes, so it counts as wrong
MIN_PROBABILITY = 1e-12  # probabilities are clipped here before their logarithm


class Evaluator:
    """A bundle at one level, opened as on a device."""

    def __init__(self, bundle: Path, level: str = "int8") -> None:
        """Open and verify the bundle.

        Raises:
            BundleError: it is damaged, or lacks `level`.
            RuntimeUnavailableError: no inference runtime is installed (the extra `device`).
        """
        self._processor = FrameProcessor(Pipeline(load_bundle(bundle), level))
        self.level = level

    @property
    def manifest(self) -> Manifest:
        """The bundle's manifest."""
        return self._processor.pipeline.bundle.manifest

    @property
    def sha256(self) -> str:
        """The checksum that identifies the bundle."""
        return self._processor.pipeline.bundle.sha256

    @property
    def identity(self) -> str:
        """Sha256 of everything in the manifest that can change an answer; not of the model card."""
        return hashlib.sha256(self.manifest.model_copy(update={"files": {}}).model_dump_json().encode()).hexdigest()

    def examine(self, image: NDArray[np.uint8], source: str = "") -> Finding:
        """Return the finding of the device for RGB uint8 (H, W, 3), taken as one field of the data set."""
        return self._processor.examine(Frame(image, source))

    def close(self) -> None:
        """Free the models."""
        self._processor.close()

    def __enter__(self) -> Self:
        """Return the evaluator itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the models."""
        self.close()


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """One picture to be answered; `truth` is None where any label would be wrong."""

    file: str
    image: NDArray[np.uint8]  # RGB (H, W, 3)
    truth: str | None
    group: str  # shared by near-duplicates of one field


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a bundle to one picture."""

    file: str
    truth: str | None
    group: str
    label: str | None  # None: refused
    top: str | None  # best class whether or not refused; None: no cell was found
    probabilities: tuple[float, ...]  # in the order of LABELS, calibrated; empty when no cell was found
    refusals: tuple[Refusal, ...]
    cells: int
    ood_score: float | None


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a bundle to a list of pictures."""

    rows: tuple[Answer, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def groups(self) -> list[str]:
        """The group of each row."""
        return [row.group for row in self.rows]

    @property
    def truth(self) -> NDArray[np.int64]:
        """Int (n,), index in LABELS; NO_CELL where any label would be wrong."""
        return _indices(row.truth for row in self.rows)

    @property
    def top(self) -> NDArray[np.int64]:
        """Int (n,), index of the best class in LABELS; NO_CELL where no cell was found."""
        return _indices(row.top for row in self.rows)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Bool (n,): not refused."""
        return np.array([row.label is not None for row in self.rows], bool)

    @property
    def ood_scores(self) -> NDArray[np.float64]:
        """Float (m,): the out-of-distribution scores of the rows that have one."""
        return np.array([row.ood_score for row in self.rows if row.ood_score is not None], float)

    def with_cells(self) -> "Answers":
        """Return the rows in which a cell was found: those that have probabilities."""
        return Answers(tuple(row for row in self.rows if row.probabilities))

    def probabilities(self, temperature: float = 1.0) -> NDArray[Any]:
        """Return float (n, 4) of rows that all have cells; with the bundle's `temperature`, those before calibration.

        A finding holds only calibrated probabilities p = softmax(l / T), and softmax(T log p) = softmax(l).
        """
        calibrated = np.array([row.probabilities for row in self.rows]).reshape(-1, len(LABELS))
        return softmax(np.log(np.maximum(calibrated, MIN_PROBABILITY)) * temperature)


def _indices(names: Iterable[str | None]) -> NDArray[np.int64]:
    return np.array([NO_CELL if name is None else LABELS.index(name) for name in names], np.int64)


def collect_answers(
    evaluator: Evaluator, pictures: Iterable[LabelledPicture], text: str, quiet: bool = False, total: int | None = None
) -> Answers:
    """Return the answers to `pictures`, with a progress bar titled `text` unless `quiet`."""
    rows = []
    for picture in progress(pictures, text, quiet, total):
        rows.append(answer_of(picture, evaluator.examine(picture.image, picture.file)))
    return Answers(tuple(rows))


def answer_of(picture: LabelledPicture, finding: Finding) -> Answer:
    """Return the answer that `finding` gives to `picture`."""
    probabilities = tuple(finding.probabilities[name] for name in LABELS) if finding.probabilities else ()
    return Answer(
        picture.file, picture.truth, picture.group, finding.label, finding.top, probabilities, finding.refusals,
        len(finding.cells), finding.quality.ood_score,
    )  # fmt: skip


def refused_for(answers: Sequence[Answer], code: RefusalCode) -> NDArray[np.bool_]:
    """Return bool (n,): refused for the reason `code`, alone or among others."""
    return np.array([any(refusal.code == code for refusal in row.refusals) for row in answers], bool)
