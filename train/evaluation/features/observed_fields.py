"""What a bundle sees in fields before its detector decides: features of each cell, probabilities, other refusals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smear.bundle.folder import Bundle
from smear.classes import LABELS
from smear.findings import Frame, RefusalCode
from smear.imaging.cell_detection import clear_of_scale_bar, find_cells
from smear.imaging.masking import background_of
from smear.imaging.resampling import to_model_scale
from smear.inference.aggregation import FieldOpinion
from smear.inference.classification import classify
from smear.inference.pipeline import Pipeline
from smear.inference.quality_gate import Limits, QualityGate
from smear.inference.segmentation import segment
from smear.inference.stopwatch import Stopwatch

LEAST = 1e-12  # smallest probability whose logarithm is taken
OF_THE_DETECTOR = frozenset({RefusalCode.OUT_OF_DISTRIBUTION, RefusalCode.NOT_THESE_CLASSES, RefusalCode.UNCERTAIN})
"""Refusals that the detector and the temperature for few cells decide anew."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedField:
    """One picture under one condition."""

    name: str
    features: NDArray[np.float64]  # (n, d), of each cell; (0, d) where none was found
    log_probabilities: NDArray[np.float64]  # (4,), before temperature; zeros where no cell was found
    refused: bool  # by light, focus or content: whatever a detector would say
    labelled_before: bool  # by the bundle as it was opened
    other_share: float  # that the classifier's own "other" takes
    centres: NDArray[np.float64]  # (n, 2), x and y in the picture of each cell

    @property
    def cells(self) -> int:
        """How many cells the classifier was shown."""
        return len(self.features)

    @property
    def top(self) -> int:
        """Index of the best class in LABELS."""
        return int(self.log_probabilities.argmax())


class Observer:
    """Looks at pictures with the pipeline of a bundle, any detector of which is taken out."""

    def __init__(self, bundle: Bundle, level: str) -> None:
        """Open the pipeline.

        Raises:
            BundleError: the bundle is damaged, or lacks `level`.
            RuntimeUnavailableError: no inference runtime is installed.
        """
        self._pipeline = Pipeline(without_detector(bundle), level)
        self._facts = self._pipeline.bundle.manifest.classifier
        self._gate = QualityGate(Limits(), self._facts)

    def observe(self, name: str, image: NDArray[np.uint8], pixel_size_um: float | None) -> ObservedField:
        """Return what is seen in RGB uint8 (H, W, 3) `image`."""
        return self.observe_with_cells(name, image, pixel_size_um)[0]

    def observe_with_cells(
        self, name: str, image: NDArray[np.uint8], pixel_size_um: float | None
    ) -> tuple[ObservedField, NDArray[np.bool_]]:
        """Return the same, and which pixels of `image` are cells, bool (H, W)."""
        frame = Frame(image, name, pixel_size_um=pixel_size_um)
        seen = self._pipeline.observe(frame, Stopwatch(lambda: 0.0))
        refusals = self._gate.decide(seen).refusals
        refused = any(refusal.code not in OF_THE_DETECTOR for refusal in refusals)
        centres = [seen.cells[i].centroid for i in seen.visible]
        return self._field(name, seen.opinion, refused, not refusals, centres), seen.mask.cell

    def observe_few_cells(
        self, name: str, image: NDArray[np.uint8], counts: Sequence[int], rng: np.random.Generator
    ) -> list[ObservedField]:
        """Return `image`, a field of the data set, as it would be with one of `counts` of its cells, drawn at random.

        The other cells are painted out. A count that is not less than the cells there are is left out.
        """
        manifest = self._pipeline.bundle.manifest
        view = to_model_scale(image)
        found = find_cells(segment(view, self._pipeline.segmenter, manifest.segmenter), view)
        visible, background = clear_of_scale_bar(view, found.cells), background_of(view, found.cell)
        fields = []
        for count in counts:
            if len(visible) <= count:
                continue
            chosen = [found.cells[i] for i in rng.choice(visible, count, replace=False)]
            kept = np.zeros_like(found.cell)
            for cell in chosen:
                kept[cell.window] |= found.pixels_of(cell)
            opinion = classify(view, kept, background, chosen, self._pipeline.classifier, self._facts)
            fields.append(self._field(name, opinion, False, False, [each.cell.centroid for each in chosen]))
        return fields

    def _field(
        self,
        name: str,
        opinion: FieldOpinion | None,
        refused: bool,
        labelled: bool,
        centres: Sequence[tuple[float, float]],
    ) -> ObservedField:
        places = np.array(centres, np.float64).reshape(-1, 2)
        if opinion is None or opinion.features is None:
            none = np.zeros((0, self._facts.features))
            return ObservedField(name, none, np.zeros(len(LABELS)), True, False, 1.0, places[:0])
        log = np.log(np.maximum(opinion.probabilities, LEAST)) * self._facts.temperature
        share = 0.0 if opinion.ood_score is None else opinion.ood_score
        return ObservedField(name, np.asarray(opinion.features, np.float64), log, refused, labelled, share, places)

    def close(self) -> None:
        """Free the models."""
        self._pipeline.close()


def without_detector(bundle: Bundle) -> Bundle:
    """Return `bundle` with the classifier's features, but no detector that reads them."""
    plain = bundle.manifest.classifier.model_copy(update={"detector": None, "few_cells_temperature": ()})
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"classifier": plain}))
