"""From one frame to one finding: segment, part the cells, classify what was segmented, and judge the field."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from smear.bundle.levels import level_spec
from smear.bundle.manifest import Bundle, InputScale, Role
from smear.classes import LABELS
from smear.errors import BundleError, ImageError
from smear.findings import Cell, Finding, Frame
from smear.imaging.cell_detection import Body, clear_of_scale_bar, find_cells
from smear.imaging.masking import glass_of
from smear.imaging.resampling import ModelFrame, to_model_scale
from smear.inference.aggregation import Verdict
from smear.inference.classification import classify
from smear.inference.quality_gate import Limits, measure_quality, refusals
from smear.inference.runtime import Runtime
from smear.inference.segmentation import segment
from smear.inference.tflite import choose_runtime
from smear.inference.verification import GOLDEN, answer_fault, answer_stride, read_golden


class Pipeline:
    """The two models of a bundle at one level, proven on its golden inputs, ready to examine frames."""

    def __init__(
        self,
        bundle: Bundle,
        level: str = "int8",
        runtime: str | None = None,
        threads: int = 1,
        limits: Limits | None = None,
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
        self._limits = limits or Limits()
        self.segmenter = kind.open(bundle.model("segmenter", level), threads, delegate)
        self.classifier = kind.open(bundle.model("classifier", level), threads, delegate)
        answer_stride(self.segmenter.input_shape, self.segmenter.output_shape)
        self._prove()
        self.segmenter = wrap("segmenter", self.segmenter)
        self.classifier = wrap("classifier", self.classifier)

    def _prove(self) -> None:
        # A bundle in the making is proven once it has golden outputs; those of an Edge TPU need the accelerator.
        if GOLDEN not in self.bundle.manifest.files or level_spec(self.level).needs_delegate:
            return
        golden = read_golden(self.bundle)
        models: tuple[tuple[Role, Runtime], ...] = (("segmenter", self.segmenter), ("classifier", self.classifier))
        for role, model in models:
            fault = answer_fault(self.bundle, role, self.level, golden, model)
            if fault:
                raise BundleError(
                    f"bundle {self.bundle.path}: {fault}; choose another runtime or level, or install the bundle again"
                )

    def examine(self, frame: Frame) -> Finding:
        """Return what is concluded from `frame`.

        Raises:
            ImageError: its pixel size makes the frame larger than can be examined.
            InferenceError: a model did not answer.
        """
        timing = _Timing()
        manifest = self.bundle.manifest
        with timing.of("resample"):
            view = _view_of(frame, manifest.input)
        with timing.of("segment"):
            probabilities = segment(view, self.segmenter, manifest.segmenter)
        with timing.of("cells"):
            found = find_cells(probabilities, view, frame.pixel_size_um)
            bodies, cell = found.bodies, found.cell
            framed = found.borders.in_frame(found.boxes, view)
            glass = glass_of(view, cell)
        with timing.of("classify"):
            verdict, shown = None, clear_of_scale_bar(view, bodies)
            if shown:
                seen = [bodies[i] for i in shown]
                verdict = classify(view, cell, glass, seen, self.classifier, manifest.classifier)
        with timing.of("gate"):
            quality, tint = measure_quality(view, cell, glass, verdict)
            hidden = len(bodies) - len(shown)
            refused = refusals(quality, tint, len(shown), verdict, manifest.classifier, self._limits, hidden)
        top = LABELS[int(verdict.probabilities.argmax())] if verdict else None
        return Finding(
            label=None if refused else top,
            top=top,
            probabilities=dict(zip(LABELS, map(float, verdict.probabilities), strict=True)) if verdict else {},
            refusals=refused,
            cells=_with_opinions(bodies, verdict, shown),
            mask=framed,
            quality=quality,
            timing_ms=timing.total(),
            bundle_sha256=self.bundle.sha256,
            level=self.level,
            runtime=self.runtime,
        )

    def close(self) -> None:
        """Free both models."""
        self.segmenter.close()
        self.classifier.close()


def _view_of(frame: Frame, facts: InputScale) -> ModelFrame:
    try:
        return to_model_scale(frame.image, frame.pixel_size_um, facts.pixel_size_um, facts.size)
    except ImageError as error:
        raise ImageError(f"{frame.source}: {error}") from error


def _with_opinions(bodies: list[Body], verdict: Verdict | None, shown: list[int]) -> tuple[Cell, ...]:
    cells = [body.cell for body in bodies]
    if verdict is not None:  # of a classifier of whole fields no cell has an opinion, of one of crops the first have
        for index, opinion in zip(shown, verdict.of_cells.tolist(), strict=False):
            cells[index] = cells[index].resembling(tuple(opinion))
    return tuple(cells)


class _Timing:
    """Milliseconds of each stage."""

    def __init__(self) -> None:
        self._stages: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Time what runs inside as `stage`."""
        started = time.perf_counter()
        yield
        self._stages[stage] = (time.perf_counter() - started) * 1000.0

    def total(self) -> dict[str, float]:
        """Return the stages in their order, and their sum as "total"."""
        return {**self._stages, "total": sum(self._stages.values())}
