"""The proof of each level: outputs against Keras by runtime, and figures through the device's own pipeline."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from convert import examples
from convert.bundle_writer import Files, Proven
from convert.export.onnx import OnnxRuntime
from convert.export.tflite import CALIBRATED
from convert.options import REFERENCE, ROLES, Options
from convert.verification import figures, parity
from convert.verification.acceptance import why_not
from convert.verification.parity import Answerer, Difference, Tap
from smear.bundle.manifest import SLOW, Bundle, Figure, Level, Role
from smear.bundle.training_run import Run
from smear.findings import Finding, Frame
from smear.inference.pipeline import Pipeline
from smear.inference.runtime import Runtime
from smear.inference.tflite import open_runtime

VALIDATION, TRAIN = "validation", "train"

Measured = dict[Role, dict[str, Figure]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the device's pipeline gives one model, and the number of the field each was made of."""

    tensors: list[np.ndarray]
    owners: list[int]

    def of_first(self, fields: int) -> "Inputs":
        """Return the inputs of the first `fields` fields."""
        kept = [i for i, owner in enumerate(self.owners) if owner < fields]
        return Inputs([self.tensors[i] for i in kept], [self.owners[i] for i in kept])


class Proof:
    """The pictures of one run and what float32 makes of them: every level is held against that."""

    def __init__(self, run: Run, data: Path, reference: Bundle, options: Options) -> None:
        """Read the pictures below the data root `data`; `reference` is a bundle with float32 alone."""
        self.run, self.options = run, options
        every = examples.stratified(
            run.facts.validation_images, len(run.facts.validation_images), run.facts.seed
        )  # in an order of which any beginning is stratified too
        self._labels = [picture.label for picture in every]
        self._fields = examples.frames(data, every)
        self._masked = examples.masked_fields(data, run.facts.train_images)
        self._inputs = inputs_of(reference, self._fields[: options.fields], options.runtimes[0])
        self._reference = reference
        self._of_reference: dict[int, Measured] = {}

    def prove(
        self,
        levels: Sequence[Level],
        staged: Bundle,
        files: Files,
        keras: Mapping[Role, Runtime],
        onnx: Mapping[Role, Path],
    ) -> Proven:
        """Measure each of `levels` of the bundle `staged` and say which may ship."""
        chosen = {role: {level: files[role][level] for level in levels} for role in ROLES}
        differences = self._compare(chosen, keras, onnx)
        proven = Proven(differences=differences)
        for level in levels:
            measured = self._measure(staged, level)
            limit, reference = self.options.limits.of(level), self._measure(self._reference, REFERENCE, level)
            why = why_not(level, limit, _flat(reference), _flat(measured), differences)
            if why is not None:
                proven.refuse(level, why, shipped=self.options.reference)
            for role in ROLES:
                controlled = self._controlled(role, measured[role])
                proven.figures[role][level] = controlled | self._compared(role, level, differences)
        return proven

    def _count(self, level: Level, most: int) -> int:
        """Return on how many of `most` fields `level` is proven; its figures state it."""
        return min(most, self.options.slow_fields) if level in SLOW else most

    def _compare(self, files: Files, keras: Mapping[Role, Runtime], onnx: Mapping[Role, Path]) -> list[Difference]:
        """Compare every file with Keras under every runtime there is, on the same inputs."""
        found: list[Difference] = []
        for role in ROLES:
            for slow in (False, True):
                pairs: list[tuple[str, Path]] = [(v, f) for v, f in files[role].items() if (v in SLOW) == slow]
                if not pairs:
                    continue
                inputs = self._inputs[role].of_first(self.options.slow_fields if slow else self.options.fields)
                self.options.say(f"comparing the {role} with Keras on {len(inputs.tensors)} inputs")
                found += self._compare_role(role, pairs, inputs, keras[role], None if slow else onnx.get(role))
        return found

    def _compare_role(
        self, role: Role, pairs: list[tuple[str, Path]], inputs: Inputs, keras: Runtime, onnx: Path | None
    ) -> list[Difference]:
        tensors, options = inputs.tensors, self.options
        expected = parity.answers(keras, tensors)
        fields, say = None, None
        if role == "classifier":
            fields, say = inputs.owners, [parity.say_of(tensor) for tensor in tensors]
        with ExitStack() as stack:
            ways: list[tuple[str, Answerer, list[tuple[str, Path]]]] = [
                (name, parity.here(partial(open_runtime, runtime=name), tensors), pairs) for name in options.runtimes
            ]
            if options.tflite_python is not None and tensors:
                there = stack.enter_context(parity.elsewhere(options.tflite_python, tensors))
                ways.append((parity.ELSEWHERE, there, pairs))
            if onnx is not None:
                ways.append((OnnxRuntime.name, parity.here(OnnxRuntime, tensors), [("onnx", onnx)]))
            return [
                found
                for name, answer, those in ways
                for found in parity.compare_files(role, those, name, answer, expected, say, fields)
            ]

    def _measure(self, bundle: Bundle, level: Level, like: Level | None = None) -> Measured:
        """Return the figures of both models at `level`, on the fields that the level `like` is measured on."""
        count = self._count(like or level, len(self._fields))
        if level == REFERENCE and count in self._of_reference:
            return self._of_reference[count]
        fields, masked = self._fields[:count], self._masked[:count]
        self.options.say(f"measuring {level} on {len(fields)} validation fields and {len(masked)} drawn masks")
        pipeline = Pipeline(bundle, level, self.options.runtimes[0])
        findings: list[Finding] = [pipeline.examine(frame) for frame in fields]
        masks = [(pipeline.examine(frame).mask.cell, truth) for frame, truth in masked]
        pipeline.close()
        seed = self.run.facts.seed
        measured: Measured = {
            "segmenter": figures.of_masks(masks, examples.DRAWN_MASKS, seed),
            "classifier": figures.of_labels(findings, self._labels[:count], VALIDATION, seed),
        }
        if level == REFERENCE:
            self._of_reference[count] = measured
        return measured

    def _controlled(self, role: Role, found: Mapping[str, Figure]) -> dict[str, Figure]:
        """Put beside each figure what a model that sees no cell reaches: training's control, one for all levels."""
        facts = self.run.facts
        trained = facts.segmenter.figures if role == "segmenter" else facts.classifier.figures
        controls = {name: trained[name].background_only for name in found if name in trained}
        return {n: figure.model_copy(update={"background_only": controls.get(n)}) for n, figure in found.items()}

    def _compared(self, role: Role, level: Level, differences: Sequence[Difference]) -> dict[str, Figure]:
        """Return the figures that comparing gave, under the runtime that measured."""
        found: dict[str, Figure] = {}
        for one in differences:
            if (one.role, one.level, one.runtime) == (role, level, self.options.runtimes[0]) and not one.fault:
                for name in ("agreement", "max_difference", "mean_difference"):
                    found[name] = Figure(value=getattr(one, name), split=VALIDATION, n=one.n)
        if level in CALIBRATED:
            count = min(self.options.representative, len(self.run.facts.train_images))
            found["representative_fields"] = Figure(value=count, split=TRAIN, n=count)
        return found


def inputs_of(bundle: Bundle, fields: Sequence[Frame], runtime: str) -> dict[Role, Inputs]:
    """Return the exact inputs that the device's pipeline makes of `fields` for each model of `bundle` at float32."""
    taps: dict[Role, Tap] = {}

    def listen(role: Role, model: Runtime) -> Runtime:
        taps[role] = Tap(model)
        return taps[role]

    pipeline = Pipeline(bundle, REFERENCE, runtime, wrap=listen)
    found = {role: Inputs(tap.seen, []) for role, tap in taps.items()}
    for number, frame in enumerate(fields):
        pipeline.examine(frame)
        for inputs in found.values():
            inputs.owners.extend([number] * (len(inputs.tensors) - len(inputs.owners)))
    pipeline.close()
    return found


def _flat(measured: Mapping[Role, Mapping[str, Figure]]) -> dict[str, Figure]:
    return {name: figure for part in measured.values() for name, figure in part.items()}
