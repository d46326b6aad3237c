"""Turns one training run into one verified bundle: convert, compare, measure, leave out what fails, write, verify."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert import examples
from convert.bundle_writer import file_name, write_bundle
from convert.export import edgetpu, edgetpu_compiler
from convert.export.features import with_features
from convert.export.onnx import export_pair
from convert.export.tflite import convert_levels, convert_with_ranges
from convert.options import BASELINE, ROLES, Options
from convert.quantization.quantization_aware import finetune, with_corrected_biases
from convert.reporting import conversion_record
from convert.results import Conversion, LevelResults
from convert.verification import golden_outputs
from convert.verification.level_evaluation import TRAIN, LevelEvaluator, ModelInputs, pipeline_inputs
from convert.verification.parity import KerasRuntime, check_tflite_python
from smear.bundle.derivation import replace_bundle
from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.levels import Level
from smear.bundle.manifest import Figure, Role
from smear.bundle.training_run import Run
from smear.classes import LABELS
from smear.errors import BundleError, ConversionError, first_line
from smear.inference import verification
from smear.inference.aggregation import MAP_STRIDE
from smear.inference.runtime import Runtime
from smear.inference.tflite import open_runtime
from smear.inference.verification import answer_stride, golden_bytes

CORRECTABLE: tuple[tuple[Level, ...], ...] = (("int8",), ("dynamic", "int16x8"))
"""Levels that are corrected and measured again when they lose too much; those of one tuple in the same way."""
FINETUNE_FIELDS = 1200  # of the training split: with four hundred, fine-tuning overfits
CROPS = 400  # of the representative fields' cells, for a classifier of crops: calibration takes time


def build(run: Run, data: Path, out: Path, options: Options) -> Conversion:
    """Convert `run` into the bundle `out`, evaluating each level on the pictures below the data root `data`.

    An existing `out` is replaced only when the new one is complete.

    Raises:
        ConversionError: the run cannot be converted, or no level passed.
    """
    examples.check_pictures(run, data)
    if options.tflite_python is not None:
        check_tflite_python(options.tflite_python)
    kept = run.facts.segmenter.kept is not None
    if kept and options.onnx:
        raise ConversionError(f"{run.path}: its segmenter was kept from a bundle, which has no ONNX; leave out --onnx")
    for level in {BASELINE, *options.levels} if kept else ():
        run.kept(level)
    trained: tuple[Role, ...] = ("classifier",) if kept else ROLES
    keras_models = {role: open_keras(run, role) for role in trained}
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        steps = _Steps(run, data, Path(scratch), keras_models, options)
        steps.convert()
        files = steps.files
        onnx = export_pair(keras_models, out, options.report) if options.onnx else {}
        results = steps.evaluate(onnx)
        passed = [level for level in options.levels if level not in results.left_out]
        if not passed:
            reasons = "; ".join(f"{level}: {why}" for level, why in results.left_out.items())
            raise ConversionError(f"{run.path}: no level passed ({reasons}); train further or loosen --limits")
        steps.add_features(passed, results)
        if "int8" in passed:
            steps.add_edgetpu(results)
            passed += ["edgetpu"] if "edgetpu" in files["segmenter"] else []
        final = steps.write(out.name, passed, results)
        verification.verify(final.path)
        replace_bundle(final.path, out)
        predictions = {role: edgetpu.predict(files[role]["int8"]) for role in ROLES if "int8" in files[role]}
    conversion = Conversion(load_bundle(out), tuple(results.differences), predictions, tuple(results.notes))
    conversion_record.write(conversion)
    return conversion


def open_keras(run: Run, role: Role) -> Any:
    """Load the Keras model for `role` and check its shapes against `run.json`.

    Raises:
        ConversionError: it cannot be loaded, or has another input or output shape.
    """
    import keras

    path, facts = run.model(role), run.facts
    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = first_line(error)
        raise ConversionError(f"{path}: not a Keras model this version loads ({reason}); train again") from error
    model = _in_float32(model)
    size = facts.input.size if role == "segmenter" else facts.classifier.input_size
    taken, given = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if taken != (size, size, 3):
        raise ConversionError(f"{path}: takes {taken}, not {(size, size, 3)} as run.json says; train again")
    places = (size // MAP_STRIDE,) * 2 if facts.classifier.shown == "cells" else ()
    classes = [(*places, len(LABELS)), (*places, len(LABELS) + 1)]
    if role == "classifier" and given not in classes:
        raise ConversionError(f"{path}: gives {given}, not {' or '.join(map(str, classes))}; train again")
    if role == "segmenter":
        try:
            answer_stride((1, *taken), (1, *given))
        except BundleError as error:
            raise ConversionError(f"{path}: {error}; train again") from error
    return model


def _in_float32(model: Any) -> Any:
    """Return `model` computing in float32: one trained in mixed bfloat16 has operations that TFLite lacks.

    Its weights are float32 already, so nothing is lost; the outputs gain the digits that training left out.
    """
    import keras

    if all(layer.compute_dtype in {None, "float32"} for layer in _layers_within(model)):
        return model

    def in_float32(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    clone = keras.models.clone_model(model, clone_function=in_float32, recursive=True)
    clone.set_weights(model.get_weights())
    return clone


def _layers_within(model: Any) -> Iterator[Any]:
    """Yield the layers of `model` and those of the models inside it."""
    for layer in model.layers:
        yield layer
        yield from _layers_within(layer) if hasattr(layer, "layers") else ()


class _Steps:
    """The steps of one conversion, which share a run, its models, a scratch folder and the files made there."""

    def __init__(self, run: Run, data: Path, work: Path, keras_models: dict[Role, Any], options: Options) -> None:
        self.run, self.data, self.work, self.options = run, data, work, options
        self.keras_models = keras_models  # of the roles that were trained: a kept segmenter has none
        self.other = keras_models["classifier"].output_shape[-1] > len(LABELS)
        self.golden: dict[Role, NDArray[np.uint8]] = dict(
            zip(ROLES, examples.golden_inputs(run.facts.input.size, run.facts.classifier.input_size), strict=True)
        )
        self.files: dict[Role, dict[Level, Path]] = {role: {} for role in ROLES}
        self.baseline: Bundle | None = None
        self.calibration: dict[Role, list[NDArray[np.float32]]] = {}  # inputs for quantization and bias correction

    def convert(self) -> None:
        """Write every level of both models; float32 first, since its pipeline makes the calibration inputs."""
        self._convert_trained((BASELINE,))
        self.baseline = self.write("baseline", (BASELINE,), LevelResults())
        levels = tuple(level for level in self.options.levels if level != BASELINE)
        if any(set(alike) & set(levels) for alike in CORRECTABLE):
            inputs = self._training_inputs(self.options.representative)
            self.calibration = {role: found.tensors for role, found in inputs.items()}
            rng = np.random.default_rng(self.run.facts.seed)
            cells = self.calibration["classifier"]
            self.calibration["classifier"] = [cells[i] for i in rng.permutation(len(cells))[:CROPS]]
        self._convert_trained(levels)

    def _convert_trained(self, levels: tuple[Level, ...]) -> None:
        """Write `levels` of both models; those of a segmenter that was kept are copied."""
        for role in ROLES:
            if role in self.keras_models:
                self._convert_role(role, self.keras_models[role], levels)
                continue
            for level in levels:  # a copy, as whatever is converted may be replaced
                shutil.copyfile(self.run.kept(level), self._file(role, level))

    def _file(self, role: Role, level: Level) -> Path:
        return self.files[role].setdefault(level, self.work / file_name(role, level))

    def _convert_role(self, role: Role, model: Any, levels: tuple[Level, ...]) -> None:
        self.options.report(f"converting the {role} to {', '.join(levels)}")
        representative = (lambda: iter(self.calibration[role])) if role in self.calibration else None
        for level, data in convert_levels(model, levels, representative).items():
            self._file(role, level).write_bytes(data)

    def _training_inputs(self, fields: int) -> dict[Role, ModelInputs]:
        """Return what the device's own pipeline at float32 gives both models for training fields."""
        assert self.baseline is not None
        pictures = examples.stratified(self.run.facts.train_images, fields, self.run.facts.seed)
        found = pipeline_inputs(self.baseline, examples.frames(self.data, pictures), self.options.runtimes[0])
        if not found["classifier"].tensors:
            raise ConversionError(
                f"{self.run.path}: its segmenter finds no cell in {len(pictures)} training fields, so the classifier "
                "cannot be calibrated; train it further, or convert float levels only with --levels"
            )
        return found

    def evaluate(self, onnx: dict[Role, Path]) -> LevelResults:
        """Measure every level; a quantized one that loses too much is corrected and measured once more."""
        assert self.baseline is not None
        evaluator = LevelEvaluator(self.run, self.data, self.baseline, self.options)
        keras: dict[Role, Runtime] = {role: KerasRuntime(model) for role, model in self.keras_models.items()}
        if "segmenter" not in keras:
            keras["segmenter"] = open_runtime(self.run.kept(BASELINE), self.options.runtimes[0])
        made = tuple(self.files["classifier"])
        bundle = self.write("converted", made, LevelResults())
        results = evaluator.evaluate(self.options.levels, bundle, self.files, keras, onnx)
        corrected = self._correct(results)
        if corrected:
            bundle = self.write("corrected", made, LevelResults())
            newer = evaluator.evaluate(tuple(corrected), bundle, self.files, keras, {})
            if "int8" in corrected and self.options.finetune_steps:
                fields = Figure(value=self._finetune_fields, split=TRAIN, n=self._finetune_fields)
                for role in self.keras_models:
                    newer.figures[role]["int8"]["finetuned_fields"] = fields
            results.replace(newer, corrected)
            results.notes += corrected.values()
        return results

    def _correct(self, results: LevelResults) -> dict[Level, str]:
        """Replace the files of rejected levels that can be corrected; return by level what was done."""
        corrected: dict[Level, str] = {}
        for alike in CORRECTABLE:
            rejected = {level: results.left_out[level] for level in alike if level in results.left_out}
            if not rejected:
                continue
            try:
                how = self._finetune() if "int8" in rejected else self._correct_biases(tuple(rejected))
            except ConversionError as error:
                results.notes.append(f"{', '.join(rejected)} could not be corrected: {error}")
                continue
            corrected |= {level: f"{level} {how}; without that: {plain}" for level, plain in rejected.items()}
        return corrected

    @property
    def _finetune_fields(self) -> int:
        return min(FINETUNE_FIELDS, len(self.run.facts.train_images))

    def _finetune(self) -> str:
        """Replace int8 of both models by one with corrected biases and known ranges; return what was done."""
        steps, inputs = self.options.finetune_steps, self.calibration
        if steps:
            inputs = {role: found.tensors for role, found in self._training_inputs(self._finetune_fields).items()}
        for role in self.keras_models:
            self.options.report(f"fine-tuning the {role} for int8: {steps} steps on {len(inputs[role])} inputs")
            pictures = np.round(np.concatenate(inputs[role]) * 255.0).astype(np.uint8)
            tuned = finetune(self.keras_models[role], self.calibration[role], pictures, self.run.facts.seed, steps)
            self._file(role, "int8").write_bytes(convert_with_ranges(*tuned))
        tuning = f" and is fine-tuned for {steps} steps on {self._finetune_fields} training fields" if steps else ""
        return f"has its biases corrected{tuning}"

    def _correct_biases(self, levels: tuple[Level, ...]) -> str:
        """Replace `levels` of both models by those of weights with corrected biases; return what was done."""
        for role in self.keras_models:
            corrected = with_corrected_biases(self.keras_models[role], self.calibration[role])
            self._convert_role(role, corrected, levels)
        return "has its biases corrected"

    def write(self, folder: str, levels: Sequence[Level], results: LevelResults) -> Bundle:
        """Write a bundle of `levels` into the scratch folder."""
        files = {role: {level: self.files[role][level] for level in levels} for role in ROLES}
        arrays = golden_outputs.golden_arrays(files, self.golden, self.options.runtimes[0])
        golden = golden_bytes(arrays)
        return write_bundle(self.run, self.work / "bundles" / folder, folder, files, golden, self.other, results)

    def add_features(self, levels: Sequence[Level], results: LevelResults) -> None:
        """Let a classifier of cells give its features too, once it is proven: its logits stay the same bit by bit."""
        if self.run.facts.classifier.shown != "cells":
            return
        try:
            changed = {level: with_features(self._file("classifier", level).read_bytes()) for level in levels}
        except ConversionError as error:
            results.notes.append(f"no features, so no out-of-distribution detector: {error}")
            return
        for level, data in changed.items():
            self._file("classifier", level).write_bytes(data)

    def add_edgetpu(self, results: LevelResults) -> None:
        """Add what an Edge TPU would run of int8: always predicted, and compiled where Coral's compiler is found."""
        for role in ROLES:
            prediction = edgetpu.predict(self._file(role, "int8"))
            share = Figure(value=prediction.share, split=edgetpu.PREDICTED, n=len(prediction.operations))
            results.figures[role]["int8"] |= {"edgetpu_predicted_share": share}
        if edgetpu_compiler.compiler() is None:
            return
        try:
            compiled = {role: edgetpu_compiler.compile_model(self._file(role, "int8"), self.work) for role in ROLES}
        except ConversionError as error:
            results.left_out["edgetpu"] = str(error)
            return
        for role, made in compiled.items():
            self.files[role]["edgetpu"] = made.file
            share = Figure(value=made.share, split=edgetpu_compiler.COMPILER, n=made.on_tpu + made.on_cpu)
            results.figures[role]["edgetpu"] = {"mapped_share": share}
