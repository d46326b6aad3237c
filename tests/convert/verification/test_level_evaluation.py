"""Levels are measured through the device's pipeline, compared with Keras, and rejected with a reason."""

import numpy as np
import pytest

from convert.options import ROLES, Options
from convert.verification.acceptance import Limit, Limits
from convert.verification.level_evaluation import LevelEvaluator, ModelInputs, pipeline_inputs
from convert.verification.parity import KerasRuntime
from smear.bundle.training_run import read_run
from smear.findings import Frame
from smear.synthetic import render
from tests.convert.tiny import CROP, FIELDS, classifier, make_bundle, segmenter

RUNTIME = "ai-edge-litert"
LEVELS = ("float32", "int8", "int16x8")
ANY = Limits(**{level: Limit(accuracy_loss=1, dice_loss=1, agreement=0) for level in LEVELS})
AGREEING = Limits(int8=Limit(accuracy_loss=1, dice_loss=1, agreement=0.1))


class Opposite:
    """A classifier whose outputs are the negative of another's, so that the best class never agrees."""

    def __init__(self, inner):
        self.inner, self.name = inner, inner.name
        self.input_shape, self.output_shape = inner.input_shape, inner.output_shape

    def invoke(self, tensor):
        return -self.inner.invoke(tensor)

    def close(self):
        self.inner.close()


@pytest.fixture(scope="module")
def bundle(run_folder, tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("levels") / "tiny", run_folder, LEVELS)


@pytest.fixture(scope="module")
def keras():
    return {"segmenter": KerasRuntime(segmenter()), "classifier": KerasRuntime(classifier())}


@pytest.fixture(scope="module")
def files(bundle):
    return {role: {level: bundle.model(role, level) for level in LEVELS} for role in ROLES}


def evaluator(run_folder, pictures, bundle, **settings):
    options = Options(**{"limits": ANY, "fields": 4, "slow_fields": 2} | settings)
    return LevelEvaluator(read_run(run_folder), pictures, bundle, options)


def test_the_inputs_of_a_pipeline_are_numbered_by_their_field(bundle):
    empty = np.full((224, 224, 3), 245, np.uint8)
    fields = [Frame(image, "drawn") for image in (render("Benign", 1).image, empty, render("Pre", 2).image)]

    found = pipeline_inputs(bundle, fields, RUNTIME)

    assert found["segmenter"].fields == [0, 1, 2]
    assert set(found["classifier"].fields) == {0, 2}
    assert {tensor.shape for tensor in found["classifier"].tensors} == {(1, CROP, CROP, 3)}
    assert all(tensor.min() >= 0.0 and tensor.max() <= 1.0 for tensor in found["segmenter"].tensors)


def test_the_inputs_of_the_first_fields_can_be_taken_alone():
    inputs = ModelInputs([np.full((1, 2, 2, 3), i, np.float32) for i in range(4)], [0, 0, 2, 3])

    first = inputs.of_first(2)

    assert first.fields == [0, 0]
    assert [float(tensor.max()) for tensor in first.tensors] == [0.0, 1.0]


def test_a_level_within_its_limits_gets_its_figures_with_controls_and_is_not_left_out(
    run_folder, pictures, bundle, files, keras
):
    results = evaluator(run_folder, pictures, bundle).evaluate(("float32", "int8"), bundle, files, keras, {})

    assert results.left_out == {}
    assert [(one.role, one.level) for one in results.differences] == [
        (role, level) for role in ROLES for level in ("float32", "int8")
    ]
    figures = results.figures["classifier"]["int8"]
    assert figures["accuracy"].n == FIELDS["validation"]
    assert figures["accuracy"].background_only == 0.7  # the control that training measured
    assert figures["agreement"].n > 0
    assert figures["representative_fields"].value == FIELDS["train"]
    assert "representative_fields" not in results.figures["classifier"]["float32"]


def test_a_slow_level_is_measured_and_compared_on_fewer_fields(run_folder, pictures, bundle, files, keras):
    results = evaluator(run_folder, pictures, bundle).evaluate(("int8", "int16x8"), bundle, files, keras, {})

    assert results.figures["classifier"]["int8"]["accuracy"].n == FIELDS["validation"]
    assert results.figures["classifier"]["int16x8"]["accuracy"].n == 2
    compared = {one.level: one.n for one in results.differences if one.role == "segmenter"}
    assert compared == {"int8": 4, "int16x8": 2}


def test_a_level_that_disagrees_with_keras_is_left_out_with_the_figure(run_folder, pictures, bundle, files, keras):
    opposed = keras | {"classifier": Opposite(keras["classifier"])}

    results = evaluator(run_folder, pictures, bundle, limits=AGREEING).evaluate(("int8",), bundle, files, opposed, {})

    assert "classifier agrees with Keras in 0.0000" in results.left_out["int8"]
    assert results.notes == []


def test_a_reference_keeps_such_a_level_and_notes_it(run_folder, pictures, bundle, files, keras):
    opposed = keras | {"classifier": Opposite(keras["classifier"])}

    results = evaluator(run_folder, pictures, bundle, limits=AGREEING, reference=True).evaluate(
        ("int8",), bundle, files, opposed, {}
    )

    assert results.left_out == {}
    assert results.notes[0].startswith("int8 is outside its limits")


def test_each_step_is_reported(run_folder, pictures, bundle, files, keras):
    lines = []

    evaluator(run_folder, pictures, bundle, report=lines.append).evaluate(("float32",), bundle, files, keras, {})

    assert lines[0].startswith("comparing the segmenter with Keras on 4 inputs")
    assert any(line.startswith(f"measuring float32 on {FIELDS['validation']} validation fields") for line in lines)
