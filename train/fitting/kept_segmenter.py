"""A segmenter that is taken over from a bundle: its files are copied into the run, and cut cells as on the device."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smear.bundle.folder import load_bundle
from smear.bundle.levels import level_spec
from smear.bundle.training_run import KEPT, KeptSegmenter, TrainedSegmenter
from smear.errors import TrainingError
from smear.imaging.resampling import FIELD_SIZE, MODEL_PIXEL_SIZE_UM, ModelFrame
from smear.inference.segmentation import segment
from smear.inference.tflite import open_runtime
from train.data.sampling.crops import Segment

LEVEL = "float32"  # what cells are cut with: every other level was compared with it


def keep_segmenter(path: Path, out: Path) -> tuple[Segment, TrainedSegmenter]:
    """Copy the segmenter of the bundle at `path` into the run `out`; return it, and what run.json says of it.

    Levels that are compiled for an accelerator are left out: a conversion compiles them again. The segmenter is opened
    when it is first used: a resumed run whose cells are cut needs no inference runtime.

    Raises:
        BundleError: the bundle is damaged, or lacks float32.
        TrainingError: it was made for fields of another size or scale.
    """
    bundle = load_bundle(path)
    facts, scale = bundle.manifest.segmenter, bundle.manifest.input
    if (scale.size, scale.pixel_size_um) != (FIELD_SIZE, MODEL_PIXEL_SIZE_UM):
        raise TrainingError(
            f"bundle {path}: made for {scale.size} pixels of {scale.pixel_size_um} µm, not for {FIELD_SIZE} of "
            f"{MODEL_PIXEL_SIZE_UM}; give another one with --segmenter-from"
        )
    levels = {level: entry for level, entry in facts.levels.items() if not level_spec(level).needs_delegate}
    (out / KEPT).mkdir(parents=True, exist_ok=True)
    for entry in levels.values():
        shutil.copyfile(bundle.path / entry.file, out / KEPT / entry.file)

    opened = cache(open_runtime)

    def segmented(view: ModelFrame) -> NDArray[np.float32]:
        return np.asarray(segment(view, opened(bundle.model("segmenter", LEVEL)), facts), np.float32)

    kept = KeptSegmenter(bundle_sha256=bundle.sha256, levels=levels)
    return segmented, TrainedSegmenter(name=facts.name, output=facts.output, figures=facts.figures, kept=kept)
