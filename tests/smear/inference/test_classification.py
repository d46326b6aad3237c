"""The classifier on cells, on cells on neutral ground and on whole fields, pooled to one verdict."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from smear.bundle.manifest import Classifier, read_manifest
from smear.findings import NUCLEUS, CellMask
from smear.imaging.cell_detection import DetectedCell, clear_of_scale_bar
from smear.imaging.masking import NEUTRAL
from smear.imaging.resampling import ModelFrame, to_model_scale
from smear.inference.classification import MAX_CELLS, classify
from smear.inference.tflite import open_runtime
from tests.smear.reference import measured, split_by_outline

GLASS = np.array([240.0, 235.0, 210.0])


class Shown:
    """A model that keeps what it is shown, and says class 0 for dark pictures."""

    name = "a stand-in"

    def __init__(self, size: int, outputs: int = 4) -> None:
        self.input_shape, self.output_shape = (1, size, size, 3), (1, outputs)
        self.pictures: list[np.ndarray] = []

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        assert tensor.dtype == np.uint8
        self.pictures.append(tensor[0])
        return np.array([[1 - tensor.mean() / 255, 0, 0, 0, 0][: self.output_shape[1]]], np.float32)

    def close(self) -> None:
        pass


@pytest.fixture
def facts(tiny_bundle: Path) -> Classifier:
    return read_manifest(tiny_bundle).classifier


def scene(
    *circles: tuple[int, int, int], shape: tuple[int, int] = (224, 224), known: bool = False
) -> tuple[ModelFrame, np.ndarray, list[DetectedCell]]:
    """Violet discs on yellowish glass, at model scale, with their pixels and bodies."""
    image = np.full((*shape, 3), GLASS, np.uint8)
    cell = np.zeros(shape, np.uint8)
    for x, y, radius in circles:
        cv2.circle(image, (x, y), radius, (110, 60, 150), cv2.FILLED)
        cv2.circle(cell, (x, y), radius, 1, cv2.FILLED)
    view = to_model_scale(image, 0.5 if known else None)
    labels = split_by_outline(cell > 0)
    return view, labels > 0, measured(labels, CellMask(cell * np.uint8(NUCLEUS)), view, None)


def test_every_cell_is_shown_on_neutral_ground(facts: Classifier) -> None:
    view, cell, bodies = scene((60, 60, 12), (84, 60, 12), (150, 100, 10))
    model = Shown(48)
    verdict = classify(view, cell, GLASS, bodies, model, facts)
    assert verdict.cell_probabilities.shape == (3, 4)
    for picture in model.pictures:
        assert picture.shape == (48, 48, 3)
        assert set(map(tuple, picture.reshape(-1, 3))) == {(110, 60, 150), (NEUTRAL,) * 3}


def test_what_is_said_of_a_cell_belongs_to_that_cell(facts: Classifier) -> None:
    view, cell, bodies = scene((60, 60, 8), (120, 100, 18))
    verdict = classify(view, cell, GLASS, bodies, Shown(48), facts)
    areas = [body.cell.area_px for body in bodies]
    darkest_first = verdict.cell_probabilities[:, 0]  # the larger the cell, the darker its crop
    assert np.argsort(areas).tolist() == np.argsort(darkest_first).tolist()


def test_no_more_cells_are_shown_than_time_allows_and_those_with_most_say_first(facts: Classifier) -> None:
    circles = [(20 + 32 * i, 20 + 32 * j, 8 + (i + j) % 5) for i in range(9) for j in range(9)]
    view, cell, bodies = scene(*circles, shape=(320, 320), known=True)
    assert len(bodies) == 81
    model = Shown(48)
    chosen = [bodies[i] for i in clear_of_scale_bar(view, bodies)]
    verdict = classify(view, cell, GLASS, chosen, model, facts)
    assert len(verdict.cell_probabilities) == len(model.pictures) == MAX_CELLS
    assert min(body.weight for body in chosen[:MAX_CELLS]) >= max(body.weight for body in chosen[MAX_CELLS:])


class Mapped(Shown):
    """Gives a map whose places hold how dark the picture is there."""

    def __init__(self) -> None:
        super().__init__(224)
        self.output_shape = (1, 14, 14, 5)

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        super().invoke(tensor)
        answer = np.zeros(self.output_shape, np.float32)
        answer[..., 0] = 1 - tensor.mean(axis=3).reshape(1, 14, 16, 14, 16).mean(axis=(2, 4)) / 255
        return answer


def test_a_classifier_of_cells_on_neutral_ground_sees_the_field_without_its_glass(facts: Classifier) -> None:
    view, cell, bodies = scene((60, 60, 12), (150, 100, 10))
    model = Mapped()
    verdict = classify(view, cell, GLASS, bodies, model, facts.model_copy(update={"shown": "cells"}))
    assert verdict.cell_probabilities.shape == (2, 4)
    (picture,) = model.pictures
    assert (picture[~cell] == NEUTRAL).all()
    assert (picture[cell] == (110, 60, 150)).all()
    assert verdict.probabilities.sum() == pytest.approx(1)
    nothing = 1 / 4
    assert (
        verdict.cell_probabilities[:, 0] > nothing + 0.02
    ).all()  # read where each cell lies, which is darker than glass


def test_a_field_of_several_tiles_is_shown_tile_by_tile_and_each_cell_is_read_once(facts: Classifier) -> None:
    view, cell, bodies = scene((30, 60, 12), (330, 100, 10), (170, 300, 14), shape=(360, 360), known=True)
    model = Mapped()
    verdict = classify(view, cell, GLASS, bodies, model, facts.model_copy(update={"shown": "cells"}))
    assert 2 <= len(model.pictures) <= 4
    assert len(verdict.cell_probabilities) == 3
    assert (verdict.cell_probabilities[:, 0] > 1 / 4 + 0.02).all()


def test_a_classifier_of_fields_sees_all_but_the_scale_bar(facts: Classifier) -> None:
    view, cell, bodies = scene((60, 60, 12))
    model = Shown(224)
    classify(view, cell, GLASS, bodies, model, facts.model_copy(update={"shown": "field"}))
    (picture,) = model.pictures
    assert (picture[-32:, -48:] == NEUTRAL).all()
    assert (picture[:192] == view.pixels[:192]).all()


def test_what_a_classifier_of_fields_says_is_no_cells_opinion(facts: Classifier) -> None:
    view, cell, bodies = scene((60, 60, 12), (150, 100, 10))
    verdict = classify(view, cell, GLASS, bodies, Shown(224), facts.model_copy(update={"shown": "field"}))
    assert verdict.cell_probabilities.shape == (0, 4)
    assert verdict.probabilities.shape == (4,)


def test_a_cell_in_the_scale_bars_corner_does_not_change_how_deeply_the_others_are_stained(facts: Classifier) -> None:
    given = facts.model_copy(update={"shown": "cells", "stain": (0.4, 0.55)})
    pictures = []
    for more in ((), ((204, 212, 10),)):
        view, cell, bodies = scene((60, 60, 12), *more)
        model = Mapped()
        classify(view, cell, GLASS, [bodies[i] for i in clear_of_scale_bar(view, bodies)], model, given)
        pictures += model.pictures
    assert (pictures[0] == pictures[1]).all()
    assert -np.log(pictures[0][60, 60, :2] / 255) == pytest.approx((0.4, 0.55), abs=0.02)


def test_only_tiles_with_a_cell_are_shown(facts: Classifier) -> None:
    view, cell, bodies = scene((60, 60, 12), shape=(224, 800), known=True)
    model = Shown(224)
    classify(view, cell, GLASS, bodies, model, facts.model_copy(update={"shown": "field"}))
    assert len(model.pictures) == 1


def test_probabilities_are_pooled_as_their_logarithms(facts: Classifier) -> None:
    view, cell, bodies = scene((60, 60, 12))

    class Sure(Shown):
        def invoke(self, tensor: np.ndarray) -> np.ndarray:
            return np.array([[0.7, 0.2, 0.1, 0.0]], np.float32)

    given = facts.model_copy(update={"output": "probabilities", "temperature": 1.0})
    verdict = classify(view, cell, GLASS, bodies, Sure(48), given)
    assert verdict.probabilities == pytest.approx([0.7, 0.2, 0.1, 0.0], abs=1e-5)
    assert verdict.ood_score is None


def test_blue_bodies_are_strange_to_the_tiny_bundle_and_violet_ones_are_not(
    tiny_bundle: Path, facts: Classifier
) -> None:
    model = open_runtime(tiny_bundle / "classifier.float32.tflite")
    view, cell, bodies = scene((60, 60, 20))
    violet = classify(view, cell, GLASS, bodies, model, facts)
    view.pixels[cell] = (20, 20, 200)
    blue = classify(view, cell, GLASS, bodies, model, facts)
    model.close()
    assert violet.ood_score is not None
    assert blue.ood_score is not None
    assert violet.ood_score < (facts.ood_above or 0) < blue.ood_score


class Columns(Shown):
    """A model of cells with five logits and two features, the second of which is the column it was asked at."""

    def __init__(self) -> None:
        super().__init__(224)
        self.output_shape = (1, 14, 14, 7)

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        answer = np.zeros((1, 14, 14, 7), np.float32)
        answer[..., 0] = 2.0
        answer[..., 6] = np.arange(14)
        return answer


def test_features_follow_the_logits_and_belong_to_their_cell(facts: Classifier) -> None:
    of_cells = facts.model_copy(update={"shown": "cells", "input_size": 224, "features": 2, "stain": None})
    view, cell, bodies = scene((56, 60, 12), (152, 100, 12))
    opinion = classify(view, cell, GLASS, bodies, Columns(), of_cells)
    assert opinion.features is not None
    centres = [body.centre[0] / 16 - 0.5 for body in bodies]
    assert opinion.features[:, 1] == pytest.approx(centres, abs=0.01)
    assert opinion.cell_probabilities.shape == (2, 4)


def test_the_fewer_the_cells_the_wider_the_doubt(facts: Classifier) -> None:
    update = {"shown": "cells", "input_size": 224, "features": 2, "stain": None, "few_cells_temperature": (4.0, 2.0)}
    doubtful = facts.model_copy(update=update)
    circles = ((56, 60, 12), (152, 100, 12), (60, 160, 12))
    sure = []
    for count in (1, 2, 3):
        view, cell, bodies = scene(*circles[:count])
        sure.append(float(classify(view, cell, GLASS, bodies, Columns(), doubtful).probabilities.max()))
    assert sure == sorted(sure)
    assert sure[0] < sure[1] < sure[2]
