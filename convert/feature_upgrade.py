"""A bundle whose classifier gives logits alone becomes one whose classifier gives its features too."""

import tempfile
from pathlib import Path

from convert.export.features import channels, with_features
from convert.verification import golden_outputs
from smear.bundle.derivation import derive
from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.levels import Level, level_spec
from smear.bundle.manifest import SCHEMA_VERSION
from smear.errors import ConversionError
from smear.inference import verification
from smear.inference.tflite import AI_EDGE_LITERT
from smear.inference.verification import GOLDEN, INPUTS, golden_bytes, read_golden


def add_features(path: Path, out: Path) -> Bundle:
    """Write the bundle at `path` to `out` with a classifier that gives features, and verify it.

    Raises:
        BundleError: the bundle is damaged, or what was written does not hold.
        ConversionError: its classifier has no features to give, gives them, or is compiled for an accelerator.
    """
    bundle = load_bundle(path)
    facts = bundle.manifest.classifier
    if facts.shown != "cells":
        raise ConversionError(f"bundle {path}: its classifier is not shown all cells at once, so it has no features")
    if facts.features:
        raise ConversionError(f"bundle {path}: its classifier gives features already; there is nothing to do")
    if any(level_spec(level).needs_delegate for level in facts.levels):
        raise ConversionError(f"bundle {path}: compiled for an accelerator; convert its training run again")
    changed = {level: with_features((path / entry.file).read_bytes()) for level, entry in facts.levels.items()}
    features = min(channels(data) for data in changed.values())
    manifest = bundle.manifest.model_copy(
        update={"classifier": facts.model_copy(update={"features": features}), "schema_version": SCHEMA_VERSION}
    )
    files = {facts.levels[level].file: data for level, data in changed.items()}
    derive(bundle, out, files | {GOLDEN: _golden(bundle, changed)}, manifest)
    return verification.verify(out)


def _golden(bundle: Bundle, changed: dict[Level, bytes]) -> bytes:
    """Return the golden file of `bundle` with the outputs of the `changed` classifiers."""
    known = read_golden(bundle)
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        files = {level: Path(scratch, f"{level}.tflite") for level in changed}
        for level, data in changed.items():
            files[level].write_bytes(data)
        inputs = known[INPUTS["classifier"]]
        new = golden_outputs.golden_arrays({"classifier": files}, {"classifier": inputs}, AI_EDGE_LITERT.name)
    return golden_bytes({**known, **new})
