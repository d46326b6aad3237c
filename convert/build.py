"""One training run becomes one proven bundle: convert, compare, measure, leave out what fails, write, verify."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert import edgetpu, examples, golden, proof
from convert.onnx_export import export_onnx
from convert.options import REFERENCE, ROLES, Options
from convert.parity import Difference, KerasRuntime
from convert.run import Run
from convert.stage import Files, Proven, put_in_place, stage
from convert.tflite import CALIBRATED, Tensors, convert_levels
from device import models
from device.golden import SEGMENT_CHANNELS
from smear.bundle import Bundle, Figure, Level, Role, load_bundle
from smear.classes import LABELS
from smear.errors import ConversionError

CROPS = 400  # of the representative fields' cells, for a classifier that is shown crops: calibration takes time


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a conversion."""

    bundle: Bundle
    differences: tuple[Difference, ...]
    predictions: dict[Role, edgetpu.Prediction]  # of the int8 files


def build(run: Run, data: Path, out: Path, options: Options) -> Outcome:
    """Convert `run` into the bundle `out`, proving each level on the pictures below the data root `data`.

    An existing `out` is replaced only when the new one is complete.

    Raises:
        ConversionError: the run cannot be converted, or no level passed.
    """
    examples.check_pictures(run, data)
    keras_models = {role: open_keras(run, role) for role in ROLES}
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        work = Path(scratch)
        maker = _Maker(run, data, work, keras_models, options)
        files = maker.convert()
        onnx = maker.onnx(out) if options.onnx else {}
        reference = maker.stage("reference", {role: {REFERENCE: files[role][REFERENCE]} for role in ROLES}, Proven())
        staged = maker.stage("staged", files, Proven())
        keras = {role: KerasRuntime(keras_models[role]) for role in ROLES}
        proven = proof.prove(run, data, reference, staged, files, keras, onnx, options)
        wanted = [level for level in options.levels if level not in proven.left_out]
        if not wanted:
            told = "; ".join(f"{level}: {why}" for level, why in proven.left_out.items())
            raise ConversionError(f"{run.path}: no level passed ({told}); train further or loosen --limits")
        if "int8" in wanted:
            maker.edgetpu(files, proven)
            wanted += ["edgetpu"] if "edgetpu" in files["segmenter"] else []
        final = maker.stage(out.name, {r: {v: files[r][v] for v in wanted} for r in ROLES}, proven)
        models.verify(final.path)
        put_in_place(final.path, out)
        predictions = {role: edgetpu.predict(files[role]["int8"]) for role in ROLES if "int8" in files[role]}
    return Outcome(load_bundle(out), tuple(proven.differences), predictions)


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
    allowed = [(size, size, SEGMENT_CHANNELS)] if role == "segmenter" else [(len(LABELS),), (len(LABELS) + 1,)]
    if given not in allowed:
        raise ConversionError(f"{path}: gives {given}, not {' or '.join(map(str, allowed))}; train again")
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

    def convert(self) -> dict[Role, dict[Level, Path]]:
        """Write every level of both models; the reference first, since its pipeline makes the calibration inputs."""
        files: dict[Role, dict[Level, Path]] = {role: {} for role in ROLES}
        self._write(files, (REFERENCE,), {})
        levels = tuple(level for level in self.options.levels if level != REFERENCE)
        self._write(files, levels, self._representative(files) if CALIBRATED & set(levels) else {})
        return files

    def _write(
        self, files: dict[Role, dict[Level, Path]], levels: tuple[Level, ...], tensors: dict[Role, Tensors]
    ) -> None:
        for role in ROLES:
            self.options.say(f"converting the {role} to {', '.join(levels)}")
            for level, data in convert_levels(self.keras_models[role], levels, tensors.get(role)).items():
                files[role][level] = self.work / f"{role}.{level}.tflite"
                files[role][level].write_bytes(data)

    def _representative(self, files: Files) -> dict[Role, Tensors]:
        """Let the device's own pipeline at float32 make the inputs that calibration sees, from training fields."""
        pictures = examples.stratified(self.run.facts.train_images, self.options.representative, self.run.facts.seed)
        bundle = self.stage("calibration", files, Proven())
        seen, _ = proof.tensors_of(bundle, examples.frames(self.data, pictures), self.options.runtimes[0])
        if not seen["classifier"]:
            raise ConversionError(
                f"{self.run.path}: its segmenter finds no cell in {len(pictures)} training fields, so the classifier "
                "cannot be calibrated; train it further, or convert float levels only with --levels"
            )
        rng = np.random.default_rng(self.run.facts.seed)
        crops = [seen["classifier"][i] for i in rng.permutation(len(seen["classifier"]))[:CROPS]]
        return {"segmenter": lambda: iter(seen["segmenter"]), "classifier": lambda: iter(crops)}

    def stage(self, folder: str, files: Files, proven: Proven) -> Bundle:
        """Write a bundle of `files` into the scratch folder."""
        arrays = golden.golden_arrays(files, self.inputs, self.options.runtimes[0])
        return stage(
            self.run, self.work / "bundles" / folder, folder, files, golden.to_bytes(arrays), self.other, proven
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
