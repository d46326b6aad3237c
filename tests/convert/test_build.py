"""From a run to a bundle through the command, as a person does it."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from convert import build
from convert.cli import LEFT_OUT, command
from convert.export import tflite
from smear import RESEARCH_USE_ONLY
from smear.bundle.folder import load_bundle
from smear.errors import ConversionError
from smear.findings import Frame
from smear.inference import verification
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.verification import read_golden
from smear.synthetic import render
from tests.convert.tiny import classifier, map_classifier, run_facts, segmenter

LEVELS = ("float32", "float16", "dynamic", "int8", "int16x8")
LOOSE = "".join(
    f"[{level}]\naccuracy_loss = 1.0\ndice_loss = 1.0\nagreement = 0.5\n" for level in LEVELS
)  # random classes sit on the edge: one field of eight is more than any limit


def convert(*words, catch=False):
    return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=catch)


@pytest.fixture(scope="module")
def converted(run_folder, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    (folder / "limits.toml").write_text(LOOSE)
    done = convert(
        run_folder, "--out", folder / "tiny", "--data", pictures, "--onnx", "--limits", folder / "limits.toml"
    )
    assert done.exit_code == 0, done.output
    return folder / "tiny", done.output


def test_every_level_of_both_models_is_in_the_bundle_and_it_verifies(converted):
    manifest = verification.verify(converted[0]).manifest

    assert tuple(manifest.segmenter.levels) == tuple(manifest.classifier.levels) == LEVELS
    assert manifest.left_out == {}


def test_each_level_answers_the_device(converted):
    bundle = load_bundle(converted[0])
    frame = Frame(render("Pre", 50).image, "synthetic")
    findings = {level: FrameProcessor(Pipeline(bundle, level, "ai-edge-litert", 1)).examine(frame) for level in LEVELS}

    masks = [finding.mask.cell for finding in findings.values()]
    assert masks[0].any()
    assert all((mask == masks[0]).mean() > 0.97 for mask in masks)


def test_the_manifest_states_every_figure_with_split_and_n(converted):
    manifest = load_bundle(converted[0]).manifest
    figures = manifest.classifier.levels["int8"].figures

    assert {"accuracy", "macro_f1", "refusal_rate", "agreement", "max_difference"} <= set(figures)
    assert figures["accuracy"].split == "validation"
    assert figures["accuracy"].n == 8
    assert figures["accuracy"].background_only == 0.7  # the control that training measured
    assert figures["representative_fields"].value == 8
    assert figures["representative_fields"].split == "train"
    assert manifest.segmenter.figures["dice"].low == 0.8


def test_the_card_says_research_use_only_and_states_figures_as_the_manifest_does(converted):
    card = (converted[0] / "MODEL_CARD.md").read_text()

    assert RESEARCH_USE_ONLY in card
    assert "background-only control" in card
    assert "| tiny_classifier | Keras | accuracy | 0.9 | 0.8 to 0.95 | validation | 8 | 0.7 |" in card


def test_golden_inputs_are_synthetic_and_outputs_are_kept_for_each_level(converted):
    golden = read_golden(load_bundle(converted[0]))

    assert golden["images"].shape == (2, 224, 224, 3)
    assert golden["images"].dtype == np.uint8
    assert golden["crops"].shape == (2, 48, 48, 3)
    assert golden["segmenter.int8"].shape == (2, 28, 28, 3)
    assert golden["classifier.float16"].shape == (2, 4)


def test_onnx_files_lie_beside_the_bundle_and_were_compared(converted):
    folder, output = converted

    assert folder.with_name("tiny.segmenter.onnx").is_file()
    assert output.count("onnxruntime") == 2


def test_the_edge_tpu_is_predicted_and_the_compiler_named_where_it_is_missing(converted, monkeypatch):
    assert "predicted (not compiled)" in converted[1]


def strict(folder):
    (folder / "limits.toml").write_text(
        LOOSE.replace("[int8]\naccuracy_loss = 1.0\ndice_loss = 1.0\nagreement = 0.5", "[int8]\nagreement = 0.98")
    )
    return folder / "limits.toml"


@pytest.fixture
def wrong_int8(monkeypatch):
    """Convert both models to an int8 that favours the last class, the first time."""
    spoilt = []

    def convert_wrongly(model, levels, representative):
        bias = model.layers[-1].bias
        before = np.array(bias)
        if "int8" in levels and model.output_shape not in spoilt:
            spoilt.append(model.output_shape)
            bias.assign(before + 50 * np.arange(len(before)))
        files = tflite.convert_levels(model, levels, representative)
        bias.assign(before)
        return files

    monkeypatch.setattr(build, "convert_levels", convert_wrongly)


@pytest.fixture
def wrong_after_all(monkeypatch):
    """Convert both models to an int8 that favours the last class after its correction, too."""

    def convert_wrongly(model, ranges):
        bias = model.layers[-1].bias
        bias.assign_add(50.0 * np.arange(bias.shape[0]))
        return tflite.convert_with_ranges(model, ranges)

    monkeypatch.setattr(build, "convert_with_ranges", convert_wrongly)


@pytest.mark.usefixtures("wrong_int8", "wrong_after_all")
def test_a_level_outside_its_limits_is_left_out_with_its_reason_and_the_exit_code_says_so(
    run_folder, pictures, tmp_path
):
    done = convert(
        run_folder, "--out", tmp_path / "b", "--data", pictures, "--levels", "float32,int8",
        "--limits", strict(tmp_path), "--finetune-steps", 0,
    )  # fmt: skip
    manifest = load_bundle(tmp_path / "b").manifest

    assert done.exit_code == LEFT_OUT
    assert tuple(manifest.segmenter.levels) == ("float32",)
    assert "agrees with Keras in 0." in manifest.left_out["int8"]
    assert "int8" in (tmp_path / "b" / "MODEL_CARD.md").read_text()


@pytest.mark.usefixtures("wrong_int8")
def test_int8_that_loses_too_much_is_corrected_and_measured_again(run_folder, pictures, tmp_path):
    done = convert(
        run_folder, "--out", tmp_path / "b", "--data", pictures, "--levels", "float32,int8",
        "--limits", strict(tmp_path), "--finetune-steps", 2,
    )  # fmt: skip
    record = json.loads((tmp_path / "b.conversion.json").read_text())

    assert done.exit_code == 0, done.output
    assert verification.verify(tmp_path / "b").manifest.classifier.levels["int8"].figures["finetuned_fields"].value == 8
    assert "fine-tuned for 2 steps on 8 training fields" in record["notes"][0]
    assert "segmenter agrees with Keras" in record["notes"][0].partition("without that: ")[2]
    assert [row["level"] for row in record["differences"]] == ["float32", "float32", "int8", "int8"]
    assert record["notes"][0] in (tmp_path / "b" / "MODEL_CARD.md").read_text()


@pytest.mark.usefixtures("wrong_int8")
def test_an_int8_that_cannot_be_corrected_is_left_out_with_both_reasons(run_folder, pictures, tmp_path, monkeypatch):
    def refused(model, ranges):
        raise ConversionError("int8 leaves MUL in float")

    monkeypatch.setattr(build, "convert_with_ranges", refused)
    done = convert(
        run_folder, "--out", tmp_path / "b", "--data", pictures, "--levels", "float32,int8",
        "--limits", strict(tmp_path), "--finetune-steps", 0,
    )  # fmt: skip

    assert done.exit_code == LEFT_OUT
    assert "agrees with Keras in 0." in load_bundle(tmp_path / "b").manifest.left_out["int8"]
    assert "int8 could not be corrected: int8 leaves MUL in float" in (tmp_path / "b" / "MODEL_CARD.md").read_text()


@pytest.mark.usefixtures("wrong_int8")
def test_a_reference_keeps_every_level_and_says_which_is_outside_its_limits(run_folder, pictures, tmp_path):
    done = convert(
        run_folder, "--out", tmp_path / "b", "--data", pictures, "--levels", "float32,int8",
        "--limits", strict(tmp_path), "--reference",
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    manifest = verification.verify(tmp_path / "b").manifest
    assert tuple(manifest.segmenter.levels) == ("float32", "int8")
    assert "outside its limits, which a reference need not keep" in (tmp_path / "b" / "MODEL_CARD.md").read_text()


def test_a_classifier_that_is_shown_whole_tiles_of_cells_is_converted_and_evaluated(run_folder, pictures, tmp_path):
    tiles = shutil.copytree(run_folder, tmp_path / "run")
    map_classifier().save(tiles / "classifier.keras")
    facts = run_facts()
    facts["classifier"] |= {"shown": "cells", "input_size": 224}
    (tiles / "run.json").write_text(json.dumps(facts))
    (tmp_path / "limits.toml").write_text(LOOSE)

    done = convert(
        tiles, "--out", tmp_path / "b", "--data", pictures, "--levels", "float32,int8", "--onnx",
        "--limits", tmp_path / "limits.toml",
    )  # fmt: skip
    record = json.loads((tmp_path / "b.conversion.json").read_text())

    assert done.exit_code == 0, done.output
    bundle = verification.verify(tmp_path / "b")
    assert read_golden(bundle)["crops"].shape == (2, 224, 224, 3)
    assert "the segmented cells of a field on neutral background" in (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert {row["runtime"] for row in record["differences"]} == {"ai-edge-litert", "onnxruntime"}
    for row in record["differences"]:
        assert row["n"] >= 6  # of 8 fields; one may hold no cell that is whole
        assert row["agreement"] > 0.8, row
    frame = Frame(render("Pre", 50).image, "synthetic")
    found = [FrameProcessor(Pipeline(bundle, level)).examine(frame) for level in ("float32", "int8")]
    assert found[0].probabilities.keys() == found[1].probabilities.keys() != set()


def test_the_record_beside_the_bundle_holds_every_difference(converted):
    folder = converted[0]
    record = json.loads(folder.with_name("tiny.conversion.json").read_text())
    text = folder.with_name("tiny.conversion.md").read_text()

    assert len(record["differences"]) == 2 * (len(LEVELS) + 1)
    assert record["sha256"] == load_bundle(folder).sha256
    assert record["may_ship"]
    assert record["levels"]["classifier"]["int8"]["figures"]["mean_difference"]["n"] > 0
    assert text.count("| onnxruntime |") == 2


def test_a_failed_conversion_leaves_the_old_bundle(converted, run_folder, pictures, tmp_path):
    old = shutil.copytree(converted[0], tmp_path / "old")
    broken = shutil.copytree(run_folder, tmp_path / "run")
    (broken / "classifier.keras").write_bytes(b"not a model")

    done = convert(broken, "--out", old, "--data", pictures, catch=True)

    assert isinstance(done.exception, ConversionError)
    assert "classifier.keras: not a Keras model" in str(done.exception)
    verification.verify(old)


def test_a_model_that_takes_another_size_than_stated_is_refused(run_folder, pictures, tmp_path):
    other = shutil.copytree(run_folder, tmp_path / "run")
    classifier(size=64).save(other / "classifier.keras")

    done = convert(other, "--out", tmp_path / "b", "--data", pictures, catch=True)

    assert "takes (64, 64, 3), not (48, 48, 3)" in str(done.exception)


def test_a_model_trained_in_mixed_precision_is_converted_in_float32(run_folder, pictures, tmp_path):
    import keras

    mixed = shutil.copytree(run_folder, tmp_path / "run")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        segmenter().save(mixed / "segmenter.keras")
    finally:
        keras.config.set_dtype_policy("float32")

    done = convert(mixed, "--out", tmp_path / "b", "--data", pictures, "--levels", "float32")

    assert done.exit_code == 0, done.output
    verification.verify(tmp_path / "b")


def test_missing_pictures_are_named_before_any_work(run_folder, tmp_path):
    done = convert(run_folder, "--out", tmp_path / "b", "--data", tmp_path, catch=True)

    assert "0.png: no such picture" in str(done.exception)
    assert not (tmp_path / "b").exists()


def test_an_unknown_level_is_a_usage_error(run_folder, pictures, tmp_path):
    done = convert(run_folder, "--out", tmp_path / "b", "--data", pictures, "--levels", "int4")

    assert done.exit_code == 2
    assert "int4: choose from float32" in done.output


def test_a_fifth_output_of_the_classifier_is_stated(run_folder, pictures, tmp_path):
    five = shutil.copytree(run_folder, tmp_path / "run")
    classifier(outputs=5).save(five / "classifier.keras")
    facts = run_facts()
    (five / "run.json").write_text(json.dumps(facts))

    done = convert(five, "--out", tmp_path / "b", "--data", pictures, "--levels", "float32")

    assert done.exit_code == 0, done.output
    assert load_bundle(tmp_path / "b").manifest.classifier.other
    verification.verify(tmp_path / "b")


def test_bundles_are_compared_in_one_table_and_one_picture(converted, tmp_path):
    done = convert("compare", converted[0], converted[0], "--plot", tmp_path / "plot.png")

    assert done.exit_code == 0, done.output
    assert done.output.count("int16x8") == 2
    assert "peak memory" in done.output
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
