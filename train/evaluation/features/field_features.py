"""The mean features of a field that the last layer of a bundle's classifier reads, cut out as on the device."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smear.bundle.folder import Bundle
from smear.bundle.manifest import Role
from smear.findings import Finding, Frame
from smear.imaging.masking import cell_share
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.runtime import RecordingRuntime, Runtime
from smear.inference.tflite import open_runtime
from train.networks.tflite_head import without_head

LEVEL = "float32"


@dataclass(frozen=True, slots=True, eq=False)
class SeenField:
    """What the device concludes of one field, and what its classifier's last layer read."""

    finding: Finding
    features: NDArray[np.float64] | None  # (d,), mean over its map and, by area of cell, its tiles; None: no cell
    places: NDArray[np.float32]  # (n, d), of every place of its map
    shown: NDArray[np.float32] | None  # (1, h, w, 3), the first input of its classifier


class FeatureReader:
    """One bundle at float32, with its classifier opened a second time up to its widest feature map."""

    def __init__(self, bundle: Bundle) -> None:
        """Open both.

        Raises:
            BundleError: the bundle is damaged, or lacks float32.
            TrainingError: its classifier does not end with a 1x1 convolution.
        """
        self._processor = FrameProcessor(Pipeline(bundle, LEVEL, wrap=self._record))
        self._features = _up_to_features(bundle, LEVEL)

    def _record(self, role: Role, model: Runtime) -> Runtime:
        if role == "segmenter":
            return model
        self._recorder = RecordingRuntime(model)
        return self._recorder

    def read(self, image: NDArray[np.uint8], source: str) -> SeenField:
        """Return what is seen in RGB uint8 (H, W, 3) `image`, one field of the data set's size or of a camera."""
        self._recorder.inputs = []
        finding = self._processor.examine(Frame(image, source))
        maps = [self._features.invoke(shown)[0] for shown in self._recorder.inputs]
        if not maps:
            return SeenField(finding, None, np.zeros((0, self._features.output_shape[-1]), np.float32), None)
        places = [wide.reshape(-1, wide.shape[-1]) for wide in maps]
        areas = np.array([cell_share(shown) for shown in self._recorder.inputs]) + 1e-6
        mean = np.average([each.mean(axis=0) for each in places], axis=0, weights=areas)
        return SeenField(finding, np.asarray(mean, np.float64), np.concatenate(places), self._recorder.inputs[0])

    def close(self) -> None:
        """Free the models."""
        self._processor.close()
        self._features.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def feature_shift(bundle: Bundle, level: str, shown: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return float (d,): by how much the mean features of the inputs `shown` at `level` differ from those at float32.

    Quantized activations are off by nearly the same in every field. A layer that was fine-tuned with them allows for
    it, one that is fitted at float32 does not.
    """
    means = []
    for each in (level, LEVEL):
        model = _up_to_features(bundle, each)
        means.append(np.mean([model.invoke(one)[0].mean(axis=(0, 1)) for one in shown], axis=0))
        model.close()
    return np.asarray(means[0] - means[1], np.float64)


def _up_to_features(bundle: Bundle, level: str) -> Runtime:
    with tempfile.TemporaryDirectory(prefix="smearscope-") as folder:
        file = Path(folder, "features.tflite")
        file.write_bytes(without_head(bundle.model("classifier", level).read_bytes()))
        return open_runtime(file)
