"""Golden inputs of a bundle: known pictures whose outputs every runtime must reproduce before it is trusted."""

import io
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smear.bundle.arrays import read_arrays
from smear.bundle.folder import Bundle, find_faults, open_manifest
from smear.bundle.levels import Level, level_spec
from smear.bundle.manifest import MEND, Manifest, ModelFile, Role, manifest_bytes
from smear.bundle.signing import check_signature
from smear.errors import BundleError, InferenceError, RuntimeUnavailableError, SmearscopeError, first_line
from smear.imaging.resampling import to_tensor
from smear.inference.aggregation import MAP_STRIDE
from smear.inference.runtime import Runtime
from smear.inference.tflite import choose_runtime

GOLDEN = "golden.npz"
STRIDE = 8  # golden segmenter outputs keep every 8th place each way: 784 of 50,176 per picture and channel
SEGMENT_CHANNELS = 3
MAX_PICTURES = 64
MAX_TOLERANCE = 0.2  # share of the range of a model's golden outputs; 'smearscope convert' writes 0.05 at most
INPUTS: dict[Role, str] = {"segmenter": "images", "classifier": "crops"}

OpenModel = Callable[[bytes, str], Runtime]
"""Loads a model from its content; its name is for messages."""


def answer(role: Role, model: Runtime, inputs: np.ndarray) -> np.ndarray:
    """Return the golden form of `model`'s outputs for uint8 (n, h, w, 3) `inputs`: float32, subsampled maps."""
    outputs = np.concatenate([model.invoke(to_tensor(picture)) for picture in inputs]).astype(np.float32)
    return outputs[:, ::STRIDE, ::STRIDE] if role == "segmenter" else outputs


def golden_bytes(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return `arrays` as the content of a golden file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stub takes the keys for its own options
    return buffer.getvalue()


def golden_faults(bundle: Bundle, runtime: str | None = None, skip: Collection[str] = ()) -> list[str]:
    """Run the models of `bundle`, but not the files named in `skip`, on the golden inputs with `runtime`.

    Returns what is wrong, each starting with the file's name: unreadable, of another shape, other outputs.

    Raises:
        RuntimeUnavailableError: no such runtime on this machine.
    """
    if GOLDEN in skip:
        return []
    try:
        golden = read_golden(bundle)
    except BundleError as error:
        return [str(error)]
    kind, faults = choose_runtime(runtime), []
    for role, level, file in models(bundle.manifest):
        if file not in skip and not level_spec(level).needs_delegate:  # else it needs the accelerator
            fault = model_fault(bundle, role, level, golden, lambda content, name: kind.open(content, name, 1, None))
            faults += [fault] if fault else []
    return faults


def models(manifest: Manifest) -> list[tuple[Role, str, str]]:
    """Return role, level and file name of every model that `manifest` lists."""
    parts: tuple[tuple[Role, dict[Level, ModelFile]], ...] = (
        ("segmenter", manifest.segmenter.levels),
        ("classifier", manifest.classifier.levels),
    )
    return [(role, level, entry.file) for role, levels in parts for level, entry in levels.items()]


def answer_stride(taken: tuple[int, ...], given: tuple[int, ...]) -> int:
    """Return how many pixels each way one place of a segmenter's answer stands for, from its two shapes.

    Raises:
        BundleError: it is no whole number, or not the same each way.
    """
    stride = taken[1] // max(1, given[1]) if len(taken) == len(given) == 4 else 0
    if not stride or taken[1:3] != (given[1] * stride, given[2] * stride) or given[3] != SEGMENT_CHANNELS:
        raise BundleError(
            f"the segmenter takes {taken} and gives {given}: no map of {SEGMENT_CHANNELS} channels as large as its "
            "picture or smaller by a whole factor; convert it again, or install another bundle"
        )
    return stride


def shape_fault(manifest: Manifest, role: Role, taken: tuple[int, ...], given: tuple[int, ...]) -> str | None:
    """Return why a model with these shapes is not what `manifest` promises for `role`; None if it is."""
    if role == "segmenter":
        size = manifest.input.size
        if taken != (1, size, size, 3):
            return f"takes {taken}, not {(1, size, size, 3)}"
        try:
            answer_stride(taken, given)
        except BundleError:
            return f"takes {taken} and gives {given}, not a map that is smaller by a whole factor"
        return None
    size, answers = manifest.classifier.input_size, manifest.classifier.answers + manifest.classifier.features
    edge = size // MAP_STRIDE
    places = (edge, edge) if manifest.classifier.shown == "cells" else ()
    promised = (1, size, size, 3), (1, *places, answers)
    if (taken, given) == promised:
        return None
    return f"takes {taken} and gives {given}, not {promised[0]} and {promised[1]}"


def model_fault(
    bundle: Bundle, role: Role, level: str, golden: dict[str, np.ndarray], open_model: OpenModel
) -> str | None:
    """Return why one model cannot be trusted: it does not open, has other shapes or other outputs; else None.

    Raises:
        RuntimeUnavailableError: no such runtime on this machine.
    """
    file = bundle.model(role, level)
    try:
        model = open_model(bundle.read_model(role, level), file.name)
    except RuntimeUnavailableError:
        raise
    except (SmearscopeError, ValueError, RuntimeError) as error:
        return f"{file.name} cannot be opened ({first_line(error)})"
    try:
        return answer_fault(bundle, role, level, golden, model)
    finally:
        model.close()


def answer_fault(bundle: Bundle, role: Role, level: str, golden: dict[str, np.ndarray], model: Runtime) -> str | None:
    """Return why the loaded `model` cannot be trusted: other shapes or other outputs than golden; else None."""
    file, key = bundle.model(role, level), f"{role}.{level}"
    missing = {INPUTS[role], key, f"tolerance.{key}"} - golden.keys()
    if missing:
        return f"{GOLDEN} holds no {min(missing)}"
    wrong = shape_fault(bundle.manifest, role, tuple(model.input_shape), tuple(model.output_shape))
    if wrong:
        return f"{file.name} {wrong}"
    try:
        given = answer(role, model, golden[INPUTS[role]])
    except (InferenceError, ValueError, RuntimeError) as error:
        return f"{file.name} does not answer ({first_line(error)})"
    return _output_fault(file.name, model, golden[key], given, golden, key)


def _output_fault(
    name: str, model: Runtime, expected: np.ndarray, given: np.ndarray, golden: dict[str, np.ndarray], key: str
) -> str | None:
    if given.shape != expected.shape:
        return f"{GOLDEN} holds {key} of shape {expected.shape}, not {given.shape}"
    tolerance = golden[f"tolerance.{key}"]
    if tolerance.size != 1 or not 0 <= float(tolerance.item()) <= MAX_TOLERANCE * max(1.0, float(np.ptp(expected))):
        return f"{GOLDEN} holds a tolerance of {key} that would prove nothing"
    allowed = float(tolerance.item())
    worst = float(np.abs(given - expected.astype(np.float32)).max()) if given.size else math.inf
    if worst <= allowed:  # not a number fulfils nothing
        return None
    return f"{name} differs from its golden outputs by {worst:.4g} (allowed {allowed:.4g}) with {model.name}"


def read_golden(bundle: Bundle) -> dict[str, np.ndarray]:
    """Return the arrays of `bundle`'s golden file.

    Raises:
        BundleError: it is missing, altered, unreadable, or holds other pictures than the models take.
    """
    golden = read_arrays(bundle.read(GOLDEN), GOLDEN)
    sizes = {"images": bundle.manifest.input.size, "crops": bundle.manifest.classifier.input_size}
    for key, edge in sizes.items():
        pictures = golden.get(key)
        if pictures is None:  # said where it is needed
            continue
        shown = pictures.dtype == np.uint8 and pictures.shape[1:] == (edge, edge, 3)
        if not shown or not 1 <= len(pictures) <= MAX_PICTURES:
            raise BundleError(
                f"{GOLDEN} holds {key} of {pictures.dtype} {pictures.shape}, not 1 to {MAX_PICTURES} pictures of "
                f"{(edge, edge, 3)}"
            )
    return golden


def verify(path: Path, runtime: str | None = None, public_key: Path | None = None) -> Bundle:
    """Check everything about the bundle at `path`: manifest, checksums, signature, shapes and golden outputs.

    The models run in this process; `smear.inference.proof` runs those of a bundle from elsewhere in one of its own.

    `public_key` makes a valid signature necessary. `runtime` is the runtime that must reproduce the golden
    outputs; None takes the default one.

    Raises:
        BundleError: naming the file at fault.
        RuntimeUnavailableError: no such runtime on this machine.
    """
    content = manifest_bytes(path)
    check_signature(path, content, public_key)
    bundle = open_manifest(path, content)
    faults = find_faults(path, bundle.manifest, content)
    damaged = {fault.split(" ")[0] for fault in faults}  # opening one would prove nothing and may crash a runtime
    faults += golden_faults(bundle, runtime, skip=damaged)
    if faults:
        raise BundleError(f"bundle {path}: {'; '.join(faults)}; {MEND}")
    return bundle
