"""One training run becomes one proven bundle: convert, compare, measure, leave out what fails, write, verify."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from convert import examples
from convert.bundle_writer import Files, Outcome, Proven, put_in_place, stage
from convert.export import edgetpu
from convert.export.onnx import export_onnx
from convert.export.tflite import convert_levels, convert_rounded
from convert.options import REFERENCE, ROLES, Options
from convert.quantization.quantization_aware import finetune, with_corrected_biases
from convert.reporting import conversion_record
from convert.verification import golden_outputs
from convert.verification.level_evaluation import TRAIN, Inputs, Proof, inputs_of
from convert.verification.parity import KerasRuntime, check_elsewhere
from smear.bundle.manifest import Bundle, Figure, Level, Role, load_bundle
from smear.bundle.training_run import Run
from smear.classes import LABELS
from smear.errors import BundleError, ConversionError
from smear.inference import verification
from smear.inference.aggregation import MAP_STRIDE
from smear.inference.runtime import Runtime
from smear.inference.verification import answer_stride

MENDED: tuple[tuple[Level, ...], ...] = (("int8",), ("dynamic", "int16x8"))  # those of one tuple in the same way
FINETUNE_FIELDS = 1200  # of the training split: fine-tuning must not learn four hundred by heart
CROPS = 400  # of the representative fields' cells, for a classifier that is shown crops: calibration takes time


def build(run: Run, data: Path, out: Path, options: Options) -> Outcome:
    """Convert `run` into the bundle `out`, proving each level on the pictures below the data root `data`.

    An existing `out` is replaced only when the new one is complete.

    Raises:
        ConversionError: the run cannot be converted, or no level passed.
    """
    examples.check_pictures(run, data)
    if options.tflite_python is not None:
        check_elsewhere(options.tflite_python)
    keras_models = {role: open_keras(run, role) for role in ROLES}
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        maker = _Maker(run, data, Path(scratch), keras_models, options)
        files = maker.convert()
        onnx = maker.onnx(out) if options.onnx else {}
        proven = maker.prove(files, onnx)
        wanted = [level for level in options.levels if level not in proven.left_out]
        if not wanted:
            told = "; ".join(f"{level}: {why}" for level, why in proven.left_out.items())
            raise ConversionError(f"{run.path}: no level passed ({told}); train further or loosen --limits")
        if "int8" in wanted:
            maker.edgetpu(files, proven)
            wanted += ["edgetpu"] if "edgetpu" in files["segmenter"] else []
        final = maker.stage(out.name, {r: {v: files[r][v] for v in wanted} for r in ROLES}, proven)
        verification.verify(final.path)
        put_in_place(final.path, out)
        predictions = {role: edgetpu.predict(files[role]["int8"]) for role in ROLES if "int8" in files[role]}
    outcome = Outcome(load_bundle(out), tuple(proven.differences), predictions, tuple(proven.notes))
    conversion_record.write(outcome)
    return outcome


def open_keras(run: Run, role: Role) -> Any:
    """Load the Keras model for `role` and check its shapes against `run.json`.

    Raises:
        ConversionError: it cannot be loaded, or takes or gives something else.
    """
    import keras

    path, facts = run.model(role), run.facts
    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConversionError(f"{path}: not a Keras model this version loads ({first}); train again") from error
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

    if all(layer.compute_dtype in {None, "float32"} for layer in model._flatten_layers(include_self=False)):
        return model

    def in_float32(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    clone = keras.models.clone_model(model, clone_function=in_float32, recursive=True)
    clone.set_weights(model.get_weights())
    return clone


class _Maker:
    """The steps that share a run, its models and a scratch folder."""

    def __init__(self, run: Run, data: Path, work: Path, keras_models: dict[Role, Any], options: Options) -> None:
        self.run, self.data, self.work, self.options = run, data, work, options
        self.keras_models = keras_models
        self.other = keras_models["classifier"].output_shape[-1] > len(LABELS)
        self.inputs: dict[Role, np.ndarray] = dict(
            zip(ROLES, examples.golden_inputs(run.facts.input.size, run.facts.classifier.input_size), strict=True)
        )
        self.reference: Bundle | None = None
        self.seen: dict[Role, list[np.ndarray]] = {}  # what calibration and correction see

    def convert(self) -> dict[Role, dict[Level, Path]]:
        """Write every level of both models; the reference first, since its pipeline makes the calibration inputs."""
        files: dict[Role, dict[Level, Path]] = {role: {} for role in ROLES}
        for role in ROLES:
            self._write(files, role, self.keras_models[role], (REFERENCE,))
        self.reference = self.stage("reference", files, Proven())
        levels = tuple(level for level in self.options.levels if level != REFERENCE)
        if any(set(alike) & set(levels) for alike in MENDED):
            self.seen = {role: inputs.tensors for role, inputs in self._training(self.options.representative).items()}
            rng = np.random.default_rng(self.run.facts.seed)
            cells = self.seen["classifier"]
            self.seen["classifier"] = [cells[i] for i in rng.permutation(len(cells))[:CROPS]]
        for role in ROLES:
            self._write(files, role, self.keras_models[role], levels)
        return files

    def _write(self, files: dict[Role, dict[Level, Path]], role: Role, model: Any, levels: tuple[Level, ...]) -> None:
        self.options.say(f"converting the {role} to {', '.join(levels)}")
        representative = (lambda: iter(self.seen[role])) if role in self.seen else None
        for level, data in convert_levels(model, levels, representative).items():
            files[role][level] = self.work / f"{role}.{level}.tflite"
            files[role][level].write_bytes(data)

    def _training(self, fields: int) -> dict[Role, Inputs]:
        """Let the device's own pipeline at float32 make the inputs of both models from training fields."""
        assert self.reference is not None
        pictures = examples.stratified(self.run.facts.train_images, fields, self.run.facts.seed)
        found = inputs_of(self.reference, examples.frames(self.data, pictures), self.options.runtimes[0])
        if not found["classifier"].tensors:
            raise ConversionError(
                f"{self.run.path}: its segmenter finds no cell in {len(pictures)} training fields, so the classifier "
                "cannot be calibrated; train it further, or convert float levels only with --levels"
            )
        return found

    def prove(self, files: dict[Role, dict[Level, Path]], onnx: dict[Role, Path]) -> Proven:
        """Measure every level; one that loses too much to rounded weights is mended and measured once more."""
        assert self.reference is not None
        proof = Proof(self.run, self.data, self.reference, self.options)
        keras: dict[Role, Runtime] = {role: KerasRuntime(self.keras_models[role]) for role in ROLES}
        levels = self.options.levels
        proven = proof.prove(levels, self.stage("staged", files, Proven()), files, keras, onnx)
        mended: dict[Level, str] = {}
        for alike in MENDED:
            losing = {level: proven.left_out[level] for level in alike if level in proven.left_out}
            if not losing:
                continue
            try:
                how = self._finetune(files) if "int8" in losing else self._correct(files, tuple(losing))
            except ConversionError as error:
                proven.notes.append(f"{', '.join(losing)} could not be mended: {error}")
                continue
            mended |= {level: f"{level} {how}; without that: {plain}" for level, plain in losing.items()}
        if mended:
            again = proof.prove(tuple(mended), self.stage("mended", files, Proven()), files, keras, {})
            if "int8" in mended and self.options.finetune_steps:
                tuned_on = Figure(value=self._tuned_on, split=TRAIN, n=self._tuned_on)
                for role in ROLES:
                    again.figures[role]["int8"]["finetuned_fields"] = tuned_on
            proven.replace(again, mended)
            proven.notes += mended.values()
        return proven

    @property
    def _tuned_on(self) -> int:
        return min(FINETUNE_FIELDS, len(self.run.facts.train_images))

    def _finetune(self, files: dict[Role, dict[Level, Path]]) -> str:
        """Replace int8 of both models by one on a grid of its own; return what was done."""
        steps, shown = self.options.finetune_steps, self.seen
        if steps:
            shown = {role: inputs.tensors for role, inputs in self._training(self._tuned_on).items()}
        for role in ROLES:
            self.options.say(f"fine-tuning the {role} for int8: {steps} steps on {len(shown[role])} inputs")
            pictures = np.round(np.concatenate(shown[role]) * 255.0).astype(np.uint8)
            tuned = finetune(self.keras_models[role], self.seen[role], pictures, self.run.facts.seed, steps)
            files[role]["int8"].write_bytes(convert_rounded(*tuned))
        tuning = f" and is fine-tuned for {steps} steps on {self._tuned_on} training fields" if steps else ""
        return f"has its biases corrected{tuning}"

    def _correct(self, files: dict[Role, dict[Level, Path]], levels: tuple[Level, ...]) -> str:
        """Replace `levels` of both models by those of weights whose biases are corrected; return what was done."""
        for role in ROLES:
            self._write(files, role, with_corrected_biases(self.keras_models[role], self.seen[role]), levels)
        return "has its biases corrected"

    def stage(self, folder: str, files: Files, proven: Proven) -> Bundle:
        """Write a bundle of `files` into the scratch folder."""
        arrays = golden_outputs.golden_arrays(files, self.inputs, self.options.runtimes[0])
        return stage(
            self.run, self.work / "bundles" / folder, folder, files, golden_outputs.to_bytes(arrays), self.other, proven
        )

    def edgetpu(self, files: dict[Role, dict[Level, Path]], proven: Proven) -> None:
        """Add what an Edge TPU would take of int8: predicted always, compiled where Coral's compiler is there."""
        for role in ROLES:
            prediction = edgetpu.predict(files[role]["int8"])
            share = Figure(value=prediction.share, split=edgetpu.PREDICTED, n=len(prediction.verdicts))
            proven.figures[role]["int8"] |= {"edgetpu_predicted_share": share}
        if edgetpu.compiler() is None:
            return
        try:
            compiled = {role: edgetpu.compile_model(files[role]["int8"], self.work) for role in ROLES}
        except ConversionError as error:
            proven.left_out["edgetpu"] = str(error)
            return
        for role, made in compiled.items():
            files[role]["edgetpu"] = made.file
            share = Figure(value=made.share, split=edgetpu.COMPILER, n=made.on_tpu + made.on_cpu)
            proven.figures[role]["edgetpu"] = {"mapped_share": share}

    def onnx(self, out: Path) -> dict[Role, Path]:
        """Write both models as ONNX beside the bundle `out`."""
        out.parent.mkdir(parents=True, exist_ok=True)
        files = {role: out.with_name(f"{out.name}.{role}.onnx") for role in ROLES}
        for role, file in files.items():
            self.options.say(f"writing {file.name}")
            export_onnx(self.keras_models[role], file)
        return files
