from pathlib import Path

import numpy as np
import pytest

from smear.classes import LABELS
from smear.images import write_image
from smear.imaging.resampling import to_model_scale
from train.data import dataset, splits
from train.data.background import background_mask, outside_scale_bar
from train.data.splits import Audited
from train.evaluation import colour_forest

GLASS = (250, 250, 240)
VIOLET = (120, 60, 170)


def field(glass: tuple[int, int, int] = GLASS) -> np.ndarray:
    """One violet cell on an even background, with a red scale bar in its corner."""
    image = np.full((224, 224, 3), glass, np.uint8)
    rows, columns = np.mgrid[:224, :224]
    image[(rows - 100) ** 2 + (columns - 100) ** 2 < 14**2] = VIOLET
    image[-20:-10, -40:-8] = (255, 0, 0)
    return image


def test_the_background_holds_neither_cells_nor_the_scale_bar() -> None:
    image = field()
    seen = background_mask(to_model_scale(image))
    assert (image[seen] == GLASS).all()
    assert 0.85 < seen.mean() < 0.97


def test_the_whole_field_is_all_but_the_scale_bar() -> None:
    image = field()
    seen = outside_scale_bar(to_model_scale(image))
    assert seen[100, 100]
    assert not (image[seen] == (255, 0, 0)).all(axis=1).any()


def test_a_histogram_is_shares() -> None:
    image = field()
    everything = np.ones(image.shape[:2], bool)
    assert colour_forest.histogram(image, everything).sum() == pytest.approx(1, abs=1e-5)
    assert colour_forest.histogram(image, ~everything).sum() == 0


def test_a_forest_separates_classes_by_their_glass_alone(tmp_path: Path) -> None:
    """The trap of this data set, in small: the cells are alike, the background is not."""
    for number, label in enumerate(LABELS):
        (tmp_path / label).mkdir()
        for shot in range(10):
            write_image(tmp_path / label / f"{shot}.png", field((200 + 15 * number, 250 - shot, 255 - 20 * number)))
    data = dataset.read(tmp_path, quiet=True)
    audit = {r.file: Audited(r.sha256, r.file, f"{r.label}-1") for r in data.records}
    (fold,) = splits.make("grouped", data, audit, 0).folds
    scores = colour_forest.evaluate_forest(data, colour_forest.histograms(data.records, quiet=True), fold)
    assert [t.sees for t in scores] == ["background", "whole field"]
    assert all(t.n == len(fold.test) and t.accuracy > 0.8 and t.macro_f1 > 0.8 for t in scores)
