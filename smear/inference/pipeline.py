"""The two models of a bundle on one frame: resample, segment, find cells, classify. What it means, the gate decides."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smear.bundle.folder import Bundle
from smear.bundle.levels import level_spec
from smear.bundle.manifest import InputScale, Role
from smear.errors import BundleError, ImageError
from smear.findings import Cell, CellMask, Frame, RedCellScale, Scale
from smear.imaging.cell_detection import DetectedCell, Detection, clear_of_scale_bar, find_cells, without_cells
from smear.imaging.field_of_view import hide_outside, without_rim
from smear.imaging.masking import background_of
from smear.imaging.pixel_size import estimate_pixel_size
from smear.imaging.resampling import ModelFrame, to_model_scale
from smear.inference.aggregation import FieldOpinion
from smear.inference.classification import classify
from smear.inference.detection import assess, open_detector
from smear.inference.runtime import CheckedModel, Runtime, RuntimeKind
from smear.inference.segmentation import segment
from smear.inference.stopwatch import Stopwatch
from smear.inference.tflite import choose_runtime
from smear.inference.verification import GOLDEN, answer_fault, answer_stride, read_golden

EstimateScale = Callable[[NDArray[np.uint8], ModelFrame, NDArray[np.bool_], float], RedCellScale | None]
"""`estimate_pixel_size`, or what stands in for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What the two models see in one frame, before anything is decided."""

    view: ModelFrame
    cell_pixels: NDArray[np.bool_]  # bool (h, w) at model scale: what belongs to any cell
    background: NDArray[np.float64]  # float (3,) RGB of the empty glass, 0..255
    cells: tuple[Cell, ...]
    visible: tuple[int, ...]  # indices of the cells that the classifier may see, in the order of its answers
    opinion: FieldOpinion | None  # None: there was nothing to classify
    mask: CellMask  # in the pixels of the frame
    finite: bool  # every number that the models answered is one, and none is out of all proportion
    scale: Scale


class Pipeline:
    """The two models of a bundle at one level, proven on its golden inputs."""

    def __init__(
        self,
        bundle: Bundle,
        level: str = "int8",
        runtime: str | None = None,
        threads: int = 1,
        wrap: Callable[[Role, Runtime], Runtime] = lambda role, model: model,
        delegate: str | None = None,
    ) -> None:
        """Load both models; `wrap` may put something between the pipeline and a proven model, such as a recorder.

        `delegate` is the library of an accelerator, for a level that needs one.

        Raises:
            BundleError: the bundle lacks `level`, or answers otherwise than its golden outputs here.
            RuntimeUnavailableError: the runtime is not installed.
        """
        kind = choose_runtime(runtime)
        self.bundle, self.level, self.runtime = bundle, level, kind.name
        segmenter = _opened(kind, bundle, "segmenter", level, threads, delegate)
        classifier = _opened(kind, bundle, "classifier", level, threads, delegate)
        answer_stride(segmenter.input_shape, segmenter.output_shape)
        self._detector = open_detector(bundle)
        self._prove({"segmenter": segmenter, "classifier": classifier})
        self.segmenter = CheckedModel(wrap("segmenter", segmenter))
        self.classifier = CheckedModel(wrap("classifier", classifier))

    def _prove(self, models: dict[Role, Runtime]) -> None:
        # A bundle in the making is proven once it has golden outputs; those of an Edge TPU need the accelerator.
        if GOLDEN not in self.bundle.manifest.files or level_spec(self.level).needs_delegate:
            return
        golden = read_golden(self.bundle)
        for role, model in models.items():
            fault = answer_fault(self.bundle, role, self.level, golden, model)
            if fault:
                raise BundleError(
                    f"bundle {self.bundle.path}: {fault}; choose another runtime or level, or install the bundle again"
                )

    def observe(
        self, frame: Frame, stopwatch: Stopwatch, estimate_scale: EstimateScale = estimate_pixel_size
    ) -> Observation:
        """Return what both models see in `frame`; each stage is timed by `stopwatch`.

        Raises:
            ImageError: its pixel size makes the frame larger than can be examined.
            InferenceError: a model did not answer.
        """
        manifest = self.bundle.manifest
        self.segmenter.begin()
        self.classifier.begin()
        with stopwatch.stage("resample"):
            view = _view_of(frame, manifest.input)
        with stopwatch.stage("segment"):
            probabilities = hide_outside(segment(view, self.segmenter, manifest.segmenter), view)
        found, background, opinion, visible = self._classified(probabilities, view, frame.pixel_size_um, stopwatch)
        others = self._no_leukocytes(opinion)
        if others.any():  # what is none is painted out, and the field is looked at again without it
            taken = [found.cells[i] for i, other in zip(visible, others, strict=True) if other]
            probabilities = without_cells(probabilities, found, taken)
            found, background, opinion, visible = self._classified(probabilities, view, frame.pixel_size_um, stopwatch)
        with stopwatch.stage("cells"):
            mask = found.contours.in_frame(found.boxes, view)
        with stopwatch.stage("scale"):
            model_um = manifest.input.pixel_size_um
            no_red_cell = found.cell if view.outside is None else found.cell | view.outside
            red_cells = estimate_scale(frame.image, view, no_red_cell, model_um)
        opinion = None if opinion is None else self._with_familiarity(opinion)
        finite = self.segmenter.valid and self.classifier.valid and (opinion is None or opinion.finite)
        return Observation(
            view=view,
            cell_pixels=found.cell,
            background=background,
            cells=_with_opinions(found.cells, opinion if finite else None, visible),
            visible=tuple(visible),
            opinion=opinion if finite else None,
            mask=mask,
            finite=finite,
            scale=Scale(model_um * view.scale, frame.pixel_size_um is not None, red_cells),
        )

    def _classified(
        self, probabilities: NDArray[np.float32], view: ModelFrame, pixel_size_um: float | None, stopwatch: Stopwatch
    ) -> tuple[Detection, NDArray[np.float64], FieldOpinion | None, list[int]]:
        """Return the cells, the colour of the background, and the classifier's answer to the cells that it may see."""
        with stopwatch.stage("cells"):
            found = find_cells(probabilities, view, pixel_size_um)
            background, visible = background_of(view, found.cell), clear_of_scale_bar(view, found.cells)
        if not visible:
            return found, background, None, visible
        with stopwatch.stage("classify"):
            seen, facts = [found.cells[i] for i in visible], self.bundle.manifest.classifier
            opinion = classify(view, found.cell, background, seen, self.classifier, facts)
        return found, background, opinion, visible

    def _no_leukocytes(self, opinion: FieldOpinion | None) -> NDArray[np.bool_]:
        """Return bool (n,): which of the classified cells are none, as giant platelets and parasites."""
        if self._detector is None or opinion is None or opinion.features is None or not self.classifier.valid:
            return np.zeros(0, bool)
        return self._detector.leukocyte(opinion.features) < 0

    def _with_familiarity(self, opinion: FieldOpinion) -> FieldOpinion:
        facts = self.bundle.manifest.classifier.detector
        if self._detector is None or facts is None or opinion.features is None:
            return opinion
        return opinion.judged(assess(opinion.features, self._detector, facts))

    def close(self) -> None:
        """Free both models."""
        self.segmenter.close()
        self.classifier.close()


def _opened(kind: RuntimeKind, bundle: Bundle, role: Role, level: str, threads: int, delegate: str | None) -> Runtime:
    """Load a model from the very bytes that were compared with the manifest's checksum."""
    return kind.open(bundle.read_model(role, level), bundle.model(role, level).name, threads, delegate)


def _view_of(frame: Frame, facts: InputScale) -> ModelFrame:
    try:
        return without_rim(to_model_scale(frame.image, frame.pixel_size_um, facts.pixel_size_um, facts.size))
    except ImageError as error:
        raise ImageError(f"{frame.source}: {error}") from error


def _with_opinions(detected: list[DetectedCell], opinion: FieldOpinion | None, visible: list[int]) -> tuple[Cell, ...]:
    """Return the measured cells, each with the classifier's opinion of it where there is one.

    A classifier of whole fields has none of any cell; one of crops has none beyond the first `MAX_CELLS`.
    """
    cells = [each.cell for each in detected]
    if opinion is not None:
        for index, probabilities in zip(visible, opinion.cell_probabilities.tolist(), strict=False):
            cells[index] = cells[index].with_probabilities(tuple(probabilities))
    return tuple(cells)
