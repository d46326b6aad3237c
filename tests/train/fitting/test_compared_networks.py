"""The compared networks: their input, their budget, and the row each leaves for the report."""

from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from smear.classes import LABELS
from smear.errors import TrainingError
from train.cli import command
from train.data.dataset import read
from train.data.splits import make, save
from train.fitting.compared_networks import build
from train.networks.architectures import multiply_adds
from train.networks.published import PREPROCESSING
from train.networks.registry import NETWORKS, comparable
from train.reporting.experiments import read_rows


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in LABELS:
        (tmp_path / "taleqani" / label).mkdir(parents=True)
        for number in range(5):
            pixels = rng.integers(0, 255, (224, 224, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "taleqani" / label / f"{number}.png")
    save(make("paper", read(tmp_path / "taleqani", quiet=True), {}, 0), tmp_path / "paper.json")
    return tmp_path


@pytest.mark.parametrize("name", ["vit", "paper_cnn", "smearnet", "MobileNetV2"])
def test_a_network_gives_four_probabilities(name: str) -> None:
    probabilities = np.asarray(build(NETWORKS.find(name), 32)(np.zeros((2, 32, 32, 3), np.float32)))
    assert probabilities.shape == (2, 4)
    assert probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "module"),
    [("MobileNetV2", "mobilenet_v2"), ("InceptionV3", "inception_v3"), ("ResNet50", "resnet"),
     ("NASNetMobile", "nasnet"), ("DenseNet201", "densenet")],
)  # fmt: skip
def test_the_scale_of_a_network_is_its_own_preprocessing(name: str, module: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (1, 4, 4, 3)).astype(np.float32)
    wanted = getattr(keras.applications, module).preprocess_input(pixels.copy())
    scale, offset = PREPROCESSING[name]
    shown = pixels[..., ::-1] if name == "ResNet50" else pixels
    got = np.asarray(keras.layers.Rescaling(scale, offset)(shown / 255.0))
    assert got == pytest.approx(wanted, abs=1e-3)


def test_a_network_that_needs_more_pixels_says_how_many() -> None:
    with pytest.raises(TrainingError, match="75 pixels"):
        build(NETWORKS.find("InceptionV3"), 64)


def test_a_network_costs_what_its_authors_say() -> None:
    assert multiply_adds(build(NETWORKS.find("MobileNetV2"), 224)) == pytest.approx(
        300e6, rel=0.02
    )  # Sandler et al. 2018, table 4
    assert multiply_adds(build(NETWORKS.find("NASNetMobile"), 224)) == pytest.approx(
        564e6, rel=0.03
    )  # Zoph et al. 2018, table 3
    assert multiply_adds(build(NETWORKS.find("vit"), 224)) == pytest.approx(
        0.5 * 1.25e9, rel=0.06
    )  # half the depth of ViT-Ti/16


def test_a_run_leaves_rows_the_report_reads_and_is_not_run_again(tiny: Path) -> None:
    out = tiny / "out"
    words = ["networks", "--data", str(tiny), "--split", str(tiny / "paper.json"), "--out", str(out),
             "--models", "vit", "--epochs", "1", "--steps", "1", "--size", "32"]  # fmt: skip
    first = CliRunner().invoke(command, words, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    background, row = read_rows(out)
    assert (background["network"], background["n"]) == ("colour forest, background alone", 4)
    assert (row["network"], row["split"], row["epochs"], row["size"], row["n"]) == ("vit", "paper", 1, 32, 4)
    assert 0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1
    text = (out / "networks.md").read_text()
    assert "| vit | paper |" in text
    assert "need a GPU" in text
    stored = (out / "vit.paper.json").read_bytes()
    assert CliRunner().invoke(command, words, catch_exceptions=False).exit_code == 0
    assert (out / "vit.paper.json").read_bytes() == stored
    words[words.index("--epochs") + 1] = "2"
    with pytest.raises(TrainingError, match="another epochs"):
        CliRunner().invoke(command, words, catch_exceptions=False)


def test_every_network_of_the_paper_can_be_compared() -> None:
    wanted = {"MobileNetV2", "InceptionV3", "ResNet50", "NASNetMobile", "DenseNet201", "vit", "paper_cnn"}
    assert wanted | {"smearnet", "paper_cnn_literal"} == {spec.name for spec in comparable()}
