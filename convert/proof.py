"""The proof of each level: outputs against Keras by runtime, and figures through the device's own pipeline."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from convert import examples, figures, parity
from convert.gate import why_not
from convert.onnx_export import OnnxRuntime
from convert.options import REFERENCE, ROLES, Options
from convert.parity import Difference, Tap
from convert.run import Run
from convert.stage import Files, Proven
from convert.tflite import CALIBRATED
from device.pipeline import Pipeline
from device.protocols import Runtime
from device.runtimes import open_runtime
from smear.bundle import Bundle, Figure, Level, Role
from smear.field import Finding, Frame

VALIDATION, TRAIN = "validation", "train"


def prove(
    run: Run,
    data: Path,
    reference: Bundle,
    staged: Bundle,
    files: Files,
    keras: Mapping[Role, Runtime],
    onnx: Mapping[Role, Path],
    options: Options,
) -> Proven:
    """Measure every level of the bundle `staged` and say which may ship."""
    shown = examples.stratified(run.facts.validation_images, options.fields, run.facts.seed)
    tensors, owners = tensors_of(reference, examples.frames(data, shown), options.runtimes[0])
    pooled = owners if run.facts.classifier.shown == "crops" else None
    differences = compare_all(tensors, files, keras, onnx, options, pooled)
    fields = examples.frames(data, run.facts.validation_images)
    labels = [picture.label for picture in run.facts.validation_images]
    masked = examples.masked_fields(data, run.facts.train_images)
    proven = Proven(differences=differences)
    measured: dict[Level, dict[Role, dict[str, Figure]]] = {}
    for level in (REFERENCE, *(level for level in options.levels if level != REFERENCE)):
        options.say(f"measuring {level} on {len(fields)} validation fields and {len(masked)} drawn masks")
        measured[level] = measure(staged, level, options.runtimes[0], fields, labels, masked, run.facts.seed)
    for level in options.levels:
        why = why_not(level, options.limits.of(level), _flat(measured[REFERENCE]), _flat(measured[level]), differences)
        if why is not None:
            proven.left_out[level] = why
        for role in ROLES:
            controlled = _controlled(run, role, measured[level][role])
            proven.figures[role][level] = controlled | _compared(run, role, level, differences, options)
    return proven


def tensors_of(bundle: Bundle, fields: Sequence[Frame], runtime: str) -> tuple[dict[Role, list[np.ndarray]], list[int]]:
    """Return the exact inputs that the device's pipeline makes of `fields` for each model of `bundle` at float32.

    Beside them, for each input of the classifier, the number of the field it was made of.
    """
    taps: dict[Role, Tap] = {}

    def listen(role: Role, model: Runtime) -> Runtime:
        taps[role] = Tap(model)
        return taps[role]

    pipeline = Pipeline(bundle, REFERENCE, runtime, wrap=listen)
    owners: list[int] = []
    for number, frame in enumerate(fields):
        pipeline.examine(frame)
        owners += [number] * (len(taps["classifier"].seen) - len(owners))
    pipeline.close()
    return {role: tap.seen for role, tap in taps.items()}, owners


def compare_all(
    tensors: Mapping[Role, Sequence[np.ndarray]],
    files: Files,
    keras: Mapping[Role, Runtime],
    onnx: Mapping[Role, Path],
    options: Options,
    owners: Sequence[int] | None = None,
) -> list[Difference]:
    """Compare every file with Keras under every runtime there is, on the same `tensors`.

    `owners` names the field of each classifier input where a field's cells are pooled.
    """
    found: list[Difference] = []
    for role in ROLES:
        options.say(f"comparing the {role} with Keras on {len(tensors[role])} inputs")
        expected = parity.answers(keras[role], tensors[role])
        pairs = list(files[role].items())
        fields = owners if role == "classifier" else None
        for runtime in options.runtimes:
            found += parity.compare_files(
                role, pairs, tensors[role], expected, partial(open_runtime, runtime=runtime), runtime, fields
            )
        if options.tflite_python is not None:
            found += parity.compare_elsewhere(role, pairs, tensors[role], expected, options.tflite_python, fields)
        if role in onnx:
            found += parity.compare_files(
                role, [("onnx", onnx[role])], tensors[role], expected, OnnxRuntime, OnnxRuntime.name, fields
            )
    return found


def measure(
    bundle: Bundle,
    level: Level,
    runtime: str,
    fields: Sequence[Frame],
    labels: Sequence[str],
    masked: Sequence[tuple[Frame, np.ndarray]],
    seed: int,
) -> dict[Role, dict[str, Figure]]:
    """Examine `fields` and `masked` at `level` and return the figures of each model."""
    pipeline = Pipeline(bundle, level, runtime)
    findings: list[Finding] = [pipeline.examine(frame) for frame in fields]
    masks = [(pipeline.examine(frame).mask.cell, truth) for frame, truth in masked]
    pipeline.close()
    return {
        "segmenter": figures.of_masks(masks, examples.DRAWN_MASKS, seed),
        "classifier": figures.of_labels(findings, labels, VALIDATION, seed),
    }


def _flat(measured: Mapping[Role, Mapping[str, Figure]]) -> dict[str, Figure]:
    return {name: figure for part in measured.values() for name, figure in part.items()}


def _controlled(run: Run, role: Role, figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Put beside each figure what a model that sees no cell reaches: training's control, the same at every level."""
    trained = run.facts.segmenter.figures if role == "segmenter" else run.facts.classifier.figures
    controls = {name: trained[name].background_only for name in figures if name in trained}
    return {n: figure.model_copy(update={"background_only": controls.get(n)}) for n, figure in figures.items()}


def _compared(
    run: Run, role: Role, level: Level, differences: Sequence[Difference], options: Options
) -> dict[str, Figure]:
    """Return the figures that comparing gave, under the runtime that measured."""
    found: dict[str, Figure] = {}
    for one in differences:
        if (one.role, one.level, one.runtime) == (role, level, options.runtimes[0]) and not one.fault:
            found["agreement"] = Figure(value=one.agreement, split=VALIDATION, n=one.n)
            found["max_difference"] = Figure(value=one.max_difference, split=VALIDATION, n=one.n)
    if level in CALIBRATED:
        count = min(options.representative, len(run.facts.train_images))
        found["representative_fields"] = Figure(value=count, split=TRAIN, n=count)
    return found
