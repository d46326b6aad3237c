"""Evaluates each level: its outputs against Keras for each runtime, and its figures through the device's pipeline."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert import examples
from convert.export.onnx import OnnxRuntime
from convert.export.tflite import CALIBRATED
from convert.options import BASELINE, ROLES, Options
from convert.results import LevelResults, ModelFiles
from convert.verification import figures, parity
from convert.verification.acceptance import rejection_reason
from convert.verification.parity import Difference, RunModel
from smear.bundle.folder import Bundle
from smear.bundle.levels import SLOW, Level
from smear.bundle.manifest import Figure, Role
from smear.bundle.training_run import Run
from smear.findings import Finding, Frame
from smear.imaging.masking import cell_share
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.runtime import RecordingRuntime, Runtime
from smear.inference.tflite import TFLITE_RUNTIME, open_runtime

VALIDATION, TRAIN = "validation", "train"

RoleFigures = dict[Role, dict[str, Figure]]


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """What the device's pipeline gives one model, and the index of the field that each input was made from."""

    tensors: list[NDArray[np.float32]]  # each (1, h, w, 3) in 0..1
    fields: list[int]

    def of_first(self, count: int) -> "ModelInputs":
        """Return the inputs of the first `count` fields."""
        kept = [i for i, field in enumerate(self.fields) if field < count]
        return ModelInputs([self.tensors[i] for i in kept], [self.fields[i] for i in kept])


class LevelEvaluator:
    """The pictures of one run with what float32 makes of them: every level is compared with that."""

    def __init__(self, run: Run, data: Path, baseline: Bundle, options: Options) -> None:
        """Read the pictures below the data root `data`; `baseline` is a bundle with float32 alone."""
        self.run, self.options = run, options
        pictures = examples.stratified(
            run.facts.validation_images, len(run.facts.validation_images), run.facts.seed
        )  # in an order in which the first n are stratified for every n
        self._labels = [picture.label for picture in pictures]
        self._fields = examples.frames(data, pictures)
        self._masked = examples.fields_with_masks(data, run.facts.train_images)
        self._inputs = pipeline_inputs(baseline, self._fields[: options.fields], options.runtimes[0])
        self._baseline = baseline
        self._baseline_figures: dict[int, RoleFigures] = {}  # number of fields -> figures of float32 on them

    def evaluate(
        self,
        levels: Sequence[Level],
        bundle: Bundle,
        files: ModelFiles,
        keras: Mapping[Role, Runtime],
        onnx: Mapping[Role, Path],
    ) -> LevelResults:
        """Measure each of `levels` of `bundle`, whose models are `files`, and decide which may ship."""
        chosen = {role: {level: files[role][level] for level in levels} for role in ROLES}
        differences = self._compare(chosen, keras, onnx)
        results = LevelResults(differences=differences)
        for level in levels:
            measured = self._measure(bundle, level)
            limit, baseline = self.options.limits.of(level), self._measure(self._baseline, BASELINE, level)
            reason = rejection_reason(level, limit, _flat(baseline), _flat(measured), differences)
            if reason is not None:
                results.reject(level, reason, keep=self.options.reference)
            for role in ROLES:
                figures_of_role = self._with_controls(role, measured[role])
                results.figures[role][level] = figures_of_role | self._parity_figures(role, level, differences)
        return results

    def _compare(self, files: ModelFiles, keras: Mapping[Role, Runtime], onnx: Mapping[Role, Path]) -> list[Difference]:
        """Compare every file with Keras under every runtime, on the same inputs."""
        found: list[Difference] = []
        for role in ROLES:
            for slow in (False, True):
                chosen: list[tuple[str, Path]] = [(v, f) for v, f in files[role].items() if (v in SLOW) == slow]
                if not chosen:
                    continue
                inputs = self._inputs[role].of_first(self.options.slow_fields if slow else self.options.fields)
                self.options.report(f"comparing the {role} with Keras on {len(inputs.tensors)} inputs")
                found += self._compare_role(role, chosen, inputs, keras[role], None if slow else onnx.get(role))
        return found

    def _compare_role(
        self, role: Role, files: list[tuple[str, Path]], inputs: ModelInputs, keras: Runtime, onnx: Path | None
    ) -> list[Difference]:
        tensors, options = inputs.tensors, self.options
        expected = parity.outputs_of(keras, tensors)
        fields, weights = None, None
        if role == "classifier":
            fields, weights = inputs.fields, [cell_share(tensor) for tensor in tensors]
        with ExitStack() as stack:
            runs: list[tuple[str, RunModel, list[tuple[str, Path]]]] = [
                (name, parity.in_process(partial(open_runtime, runtime=name), tensors), files)
                for name in options.runtimes
            ]
            if options.tflite_python is not None and tensors:
                run_apart = stack.enter_context(parity.in_subprocess(options.tflite_python, tensors))
                runs.append((TFLITE_RUNTIME.name, run_apart, files))
            if onnx is not None:
                runs.append((OnnxRuntime.name, parity.in_process(OnnxRuntime, tensors), [("onnx", onnx)]))
            return [
                found
                for name, run, those in runs
                for found in parity.compare_files(role, those, name, run, expected, weights, fields)
            ]

    def _measure(self, bundle: Bundle, level: Level, same_fields_as: Level | None = None) -> RoleFigures:
        """Return the figures of both models at `level`, on the fields that `same_fields_as` is measured on.

        Their number, smaller for slow levels, is in the figures.
        """
        slow = (same_fields_as or level) in SLOW
        count = min(len(self._fields), self.options.slow_fields) if slow else len(self._fields)
        if level == BASELINE and count in self._baseline_figures:
            return self._baseline_figures[count]
        fields, masked = self._fields[:count], self._masked[:count]
        self.options.report(f"measuring {level} on {len(fields)} validation fields and {len(masked)} drawn masks")
        processor = FrameProcessor(Pipeline(bundle, level, self.options.runtimes[0]))
        findings: list[Finding] = [processor.examine(frame) for frame in fields]
        masks = [(processor.examine(frame).mask.cell, truth) for frame, truth in masked]
        processor.close()
        seed = self.run.facts.seed
        measured: RoleFigures = {
            "segmenter": figures.of_masks(masks, examples.DRAWN_MASKS, seed),
            "classifier": figures.of_labels(findings, self._labels[:count], VALIDATION, seed),
        }
        if level == BASELINE:
            self._baseline_figures[count] = measured
        return measured

    def _with_controls(self, role: Role, found: Mapping[str, Figure]) -> dict[str, Figure]:
        """Return the figures with training's background-only control beside each: one control for all levels."""
        facts = self.run.facts
        trained = facts.segmenter.figures if role == "segmenter" else facts.classifier.figures
        controls = {name: trained[name].background_only for name in found if name in trained}
        return {n: figure.model_copy(update={"background_only": controls.get(n)}) for n, figure in found.items()}

    def _parity_figures(self, role: Role, level: Level, differences: Sequence[Difference]) -> dict[str, Figure]:
        """Return the figures of the comparison with Keras, under the runtime that measured the level."""
        found: dict[str, Figure] = {}
        for one in differences:
            if (one.role, one.level, one.runtime) == (role, level, self.options.runtimes[0]) and not one.fault:
                for name in ("agreement", "max_difference", "mean_difference"):
                    found[name] = Figure(value=getattr(one, name), split=VALIDATION, n=one.n)
        if level in CALIBRATED and not (role == "segmenter" and self.run.facts.segmenter.kept):
            count = min(self.options.representative, len(self.run.facts.train_images))
            found["representative_fields"] = Figure(value=count, split=TRAIN, n=count)
        return found


def pipeline_inputs(bundle: Bundle, fields: Sequence[Frame], runtime: str) -> dict[Role, ModelInputs]:
    """Return the exact inputs that the device's pipeline makes of `fields` for each model of `bundle` at float32."""
    recorders: dict[Role, RecordingRuntime] = {}

    def record(role: Role, model: Runtime) -> Runtime:
        recorders[role] = RecordingRuntime(model)
        return recorders[role]

    processor = FrameProcessor(Pipeline(bundle, BASELINE, runtime, wrap=record))
    found = {role: ModelInputs(recorder.inputs, []) for role, recorder in recorders.items()}
    for number, frame in enumerate(fields):
        processor.examine(frame)
        for inputs in found.values():
            inputs.fields.extend([number] * (len(inputs.tensors) - len(inputs.fields)))
    processor.close()
    return found


def _flat(measured: Mapping[Role, Mapping[str, Figure]]) -> dict[str, Figure]:
    return {name: figure for part in measured.values() for name, figure in part.items()}
