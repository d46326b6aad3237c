"""`run.json`: what conversion and the model card need to know of a training run."""

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from smear.bundle.manifest import Figure
from smear.imaging.masking import CROP_SIZE
from smear.imaging.resampling import FIELD_SIZE, MODEL_PIXEL_SIZE_UM
from train.fitting.calibration import Calibration
from train.fitting.training_loop import write_json

SEGMENTER, CLASSIFIER, RUN = "segmenter.keras", "classifier.keras", "run.json"


@dataclass(frozen=True, slots=True)
class Split:
    """The fields a run was fitted and judged on; paths relative to the data root."""

    name: str
    seed: int
    fingerprint: str
    train: tuple[str, ...]
    validation: tuple[str, ...]


def write_run(
    out: Path,
    *,
    segmenter: str,
    segmenter_figures: dict[str, Figure],
    classifier: str,
    shown: str,
    stain: tuple[float, float] | None,
    calibration: Calibration,
    classifier_figures: dict[str, Figure],
    split: Split,
    sources: tuple[str, ...],
) -> None:
    """Write `out`/run.json; the two Keras models lie beside it."""
    ours = shown != "field"  # of logits, with "other"; the compared networks give the probabilities of four classes
    content: dict[str, Any] = {
        "segmenter": {
            "name": segmenter,
            "output": "probabilities" if segmenter == "unet" else "logits",
            "figures": _plain(segmenter_figures),
        },
        "classifier": {
            "name": classifier,
            "shown": shown,
            "stain": stain,
            "input_size": CROP_SIZE if shown == "crops" else FIELD_SIZE,
            "output": "logits" if ours else "probabilities",
            "other": ours,
            "temperature": calibration.temperature,
            "abstain_below": calibration.abstain_below,
            "ood_above": calibration.ood_above if ours else None,
            "figures": _plain(classifier_figures),
        },
        "input": {"size": FIELD_SIZE, "pixel_size_um": MODEL_PIXEL_SIZE_UM},
        "training_data": {
            "fingerprint": split.fingerprint,
            "n": len(split.train),
            "split": split.name,
            "sources": list(sources),
        },
        "calibration": asdict(calibration),
        "train_images": list(split.train),
        "validation_images": list(split.validation),
        "seed": split.seed,
        "git_revision": _revision(),
    }
    write_json(out / RUN, content)


def _plain(figures: dict[str, Figure]) -> dict[str, Any]:
    return {name: figure.model_dump() for name, figure in figures.items()}


def _revision() -> str:
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        return found.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
