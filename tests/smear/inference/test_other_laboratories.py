"""The bundle that ships, on other laboratories' cells and on our own sparse fields; needs the data of the README."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from smear.bundle.folder import load_bundle
from smear.findings import Frame, RefusalCode
from smear.images import list_images, read_image
from smear.imaging.stain_normalization import background_colour
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline

BUNDLE = Path(__file__).parents[3] / "models" / "default"
LYMPHOCYTES, PIXEL_SIZE_UM = "others/pbc/lymphocyte", 0.10
EVERY = 30  # of 1214


@pytest.fixture(scope="module")
def processor() -> Iterator[FrameProcessor]:
    opened = FrameProcessor(Pipeline(load_bundle(BUNDLE), "int8"))
    yield opened
    opened.close()


def test_the_bundle_that_ships_has_a_detector_at_every_level() -> None:
    bundle = load_bundle(BUNDLE)
    facts = bundle.manifest.classifier
    assert facts.detector is not None
    assert facts.features > 0
    assert len(facts.few_cells_temperature) == facts.detector.few_cells
    for level in facts.levels:
        assert Pipeline(bundle, level).classifier.output_shape[-1] == facts.answers + facts.features


def test_a_healthy_lymphocyte_is_never_called_leukaemia(processor: FrameProcessor, data_dir: Path) -> None:
    codes = set()
    for path in list_images(_folder(data_dir, LYMPHOCYTES))[::EVERY]:
        image = read_image(path)
        seen = processor.examine(Frame(image, path.name, pixel_size_um=PIXEL_SIZE_UM))
        background = background_colour(image, seen.mask.cell)
        balanced = np.clip(np.rint(image * (background.max() / background)), 0, 255).astype(np.uint8)
        finding = processor.examine(Frame(balanced, path.name, pixel_size_um=PIXEL_SIZE_UM))
        assert finding.label in (None, "Benign"), path.name
        codes |= {refusal.code for refusal in finding.refusals}
    assert RefusalCode.NOT_THESE_CLASSES in codes


def test_our_own_sparse_fields_are_not_all_lost_and_none_is_certain(processor: FrameProcessor, data_dir: Path) -> None:
    given = []
    for path in list_images(_folder(data_dir, "taleqani/Original/Pre"))[::4]:
        finding = processor.examine(Frame(read_image(path), path.name))
        if len(finding.cells) == 1:
            given.append(finding.label is not None)
            assert max(finding.probabilities.values()) < 0.995
    assert any(given)


def _folder(root: Path, name: str) -> Path:
    if not (root / name).is_dir():
        pytest.skip(f"{root / name} is missing: see the README for the data")
    return root / name
