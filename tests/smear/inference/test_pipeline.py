"""From one frame to one finding, in every size a frame may have."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from smear.bundle.files import sha256_of
from smear.bundle.folder import Bundle, load_bundle, write_manifest
from smear.bundle.manifest import read_manifest
from smear.classes import LABELS
from smear.errors import BundleError, RuntimeUnavailableError
from smear.findings import Finding, Frame
from smear.imaging.resampling import to_tensor
from smear.inference.detection import FeatureModel
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.stopwatch import Stopwatch
from smear.metrics import dice
from smear.synthetic import blank, render
from tests.tiny_bundle import SEGMENT_BIAS, SEGMENT_WEIGHTS, pixel_model

ROOT = Path(__file__).resolve().parents[3]
STAGES = ["correct", "resample", "segment", "cells", "classify", "scale", "gate", "settle", "total"]


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


@pytest.fixture(scope="module")
def processor(bundle: Bundle):
    opened = FrameProcessor(Pipeline(bundle, "float32"))
    yield opened
    opened.close()


def check(finding: Finding, height: int, width: int) -> None:
    """What holds for every finding."""
    assert finding.mask.values.shape == (height, width)
    assert finding.mask.values.dtype == np.uint8
    assert set(np.unique(finding.mask.values)) <= {0, 128, 255}
    for cell in finding.cells:
        x, y, box_width, box_height = cell.bbox
        assert 0 <= x < x + box_width <= width
        assert 0 <= y < y + box_height <= height
        assert finding.mask.cell[y : y + box_height, x : x + box_width].any()
    if finding.cells:
        assert finding.top == max(finding.probabilities, key=finding.probabilities.__getitem__)
        assert sum(finding.probabilities.values()) == pytest.approx(1)
    else:
        assert finding.top is None
        assert finding.probabilities == {}
    assert finding.label in {None, finding.top}
    assert (finding.label is None) == bool(finding.refusals)


@pytest.mark.parametrize(
    ("height", "width", "drawn_um", "known_um"),
    [
        (224, 224, 0.5, None),
        (480, 640, 0.175, None),
        (1200, 1600, 0.25, 0.25),
        (80, 100, 0.5, 0.5),
        (80, 100, 1.1, None),
        (33, 900, 0.5, 0.5),
    ],
)
def test_mask_and_cells_fit_the_frame_whatever_its_size(
    processor: FrameProcessor, height: int, width: int, drawn_um: float, known_um: float | None
) -> None:
    field = render("Pre", 3, (height, width), drawn_um)
    finding = processor.examine(Frame(field.image, "drawn", known_um))
    check(finding, height, width)
    assert finding.cells
    assert dice(field.mask.cell, finding.mask.cell) > 0.75
    assert all((cell.area_um2 is None) == (known_um is None) for cell in finding.cells)


def test_a_cell_measures_the_same_through_another_camera(processor: FrameProcessor) -> None:
    field = render("Pre", 5, (224, 224), 0.5, cells=8)
    larger = cv2.resize(field.image, (448, 448), interpolation=cv2.INTER_CUBIC)
    areas = []
    for image, pixel_size_um in ((field.image, 0.5), (larger, 0.25)):
        finding = processor.examine(Frame(image, "drawn", pixel_size_um))
        areas.append(sorted(cell.area_um2 or 0.0 for cell in finding.cells))
    assert len(areas[0]) == len(areas[1])
    assert areas[0] == pytest.approx(areas[1], rel=0.1, abs=5)


@pytest.mark.parametrize("label", LABELS)
def test_cells_are_found_and_counted(processor: FrameProcessor, label: str) -> None:
    field = render(label, 50)
    finding = processor.examine(Frame(field.image, "drawn"))
    check(finding, 224, 224)
    assert abs(len(finding.cells) - int(field.cells.max())) <= 4  # by a mere threshold of colour
    assert dice(field.mask.cell, finding.mask.cell) > 0.85


def test_a_finding_can_be_traced(processor: FrameProcessor, bundle: Bundle) -> None:
    finding = processor.examine(Frame(render("Pre", 1).image, "drawn"))
    assert finding.bundle_sha256 == bundle.sha256
    assert (finding.level, finding.runtime) == ("float32", "ai-edge-litert")
    assert list(finding.timing_ms) == STAGES
    assert finding.timing_ms["total"] == pytest.approx(sum(finding.timing_ms[stage] for stage in STAGES[:-1]))


def test_the_same_frame_gives_the_same_finding(processor: FrameProcessor) -> None:
    first, second = (processor.examine(Frame(render("Early", 2).image, "drawn")) for _ in range(2))
    assert first.probabilities == second.probabilities
    assert (first.mask.values == second.mask.values).all()


def test_a_frame_is_not_changed_by_being_examined(processor: FrameProcessor) -> None:
    image = render("Early", 2).image
    before = image.copy()
    processor.examine(Frame(image, "drawn"))
    assert (image == before).all()


def test_the_scale_bar_corner_says_nothing_about_the_class(processor: FrameProcessor) -> None:
    image = render("Pre", 3, cells=12).image
    image[-32:, -48:] = image[:32, :48].min(axis=(0, 1))  # one colour in the corner
    other = image.copy()
    other[-28:-4, -44:-4] = (110, 50, 150)  # something violet there
    first, second = (processor.examine(Frame(each, "drawn")).probabilities for each in (image, other))
    assert first == pytest.approx(second, abs=1e-6)


def test_an_empty_field_has_an_empty_mask_and_no_class(processor: FrameProcessor) -> None:
    finding = processor.examine(Frame(blank(1).image, "drawn"))
    check(finding, 224, 224)
    assert finding.cells == ()


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_examined_without_a_fault(processor: FrameProcessor, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(32, 500, 2))
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    check(processor.examine(Frame(image, "noise", [None, 0.3][seed % 2])), height, width)


def test_one_preprocessing_the_mask_is_what_the_same_weights_give_by_hand(processor: FrameProcessor) -> None:
    image = render("Pre", 7).image
    logits = to_tensor(image)[0] @ SEGMENT_WEIGHTS.T + SEGMENT_BIAS
    by_hand = logits.argmax(axis=-1) > 0
    assert dice(by_hand, processor.examine(Frame(image, "drawn")).mask.cell) > 0.97  # but for holes and specks


def test_models_are_wrapped_only_after_they_are_proven(bundle: Bundle) -> None:
    seen: list[str] = []

    class Counting:
        def __init__(self, role: str, model) -> None:
            self.role, self._model = role, model
            self.name, self.input_shape, self.output_shape = model.name, model.input_shape, model.output_shape

        def invoke(self, tensor: np.ndarray) -> np.ndarray:
            seen.append(self.role)
            return self._model.invoke(tensor)

        def close(self) -> None:
            self._model.close()

    opened = FrameProcessor(Pipeline(bundle, "float32", wrap=Counting))
    assert seen == []
    finding = opened.examine(Frame(render("Pre", 1).image, "drawn"))
    opened.close()
    assert seen == ["segmenter"] + ["classifier"] * sum(1 for cell in finding.cells if cell.probabilities)


def test_a_model_that_answers_otherwise_than_its_golden_outputs_is_not_used(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    model = folder / "segmenter.float32.tflite"
    model.write_bytes(pixel_model(SEGMENT_WEIGHTS * 1.1, SEGMENT_BIAS, 224))
    manifest = read_manifest(folder)
    entry = manifest.segmenter.levels["float32"].model_copy(update={"sha256": sha256_of(model)})
    segmenter = manifest.segmenter.model_copy(update={"levels": {"float32": entry}})
    write_manifest(folder, manifest.model_copy(update={"segmenter": segmenter}))
    with pytest.raises(BundleError, match=r"segmenter\.float32\.tflite differs from its golden outputs"):
        Pipeline(load_bundle(folder), "float32")


def test_a_missing_level_or_runtime_is_told_at_the_start(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="no segmenter at level 'int8'; choose one of float32"):
        Pipeline(bundle, "int8")
    with pytest.raises(RuntimeUnavailableError, match="'torch' is no runtime"):
        Pipeline(bundle, "float32", "torch")


class LargestCellIsNone:
    """A detector that takes the largest cell of the first field that it sees for no leukocyte."""

    def __init__(self, detector: FeatureModel) -> None:
        self.score, self.linear, self.asked = detector.score, detector.linear, 0

    def leukocyte(self, features: np.ndarray) -> np.ndarray:
        self.asked += 1
        return np.where(np.arange(len(features)) == 0, -1.0, 1.0)


def test_what_is_no_leukocyte_is_painted_out_and_the_field_looked_at_again_without_it(monkeypatch) -> None:
    pipeline = Pipeline(load_bundle(ROOT / "models/default"))
    frame = Frame(render("Pre", 1).image, "drawn")
    before = pipeline.observe(frame, Stopwatch(lambda: 0.0))
    assert pipeline._detector is not None
    detector = LargestCellIsNone(pipeline._detector)
    monkeypatch.setattr(pipeline, "_detector", detector)
    after = pipeline.observe(frame, Stopwatch(lambda: 0.0))
    pipeline.close()
    x, y = map(int, before.cells[before.visible[0]].centroid)
    assert (len(after.cells), detector.asked) == (len(before.cells) - 1, 1)
    assert (before.mask.cell[y, x], after.mask.cell[y, x]) == (True, False)
    for cell in after.cells:  # the others stay where they were; one that touched it may lose a seam
        assert min(np.hypot(*np.subtract(cell.centroid, each.centroid)) for each in before.cells) < 2
