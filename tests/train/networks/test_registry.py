"""Networks are chosen by name, and another distribution can add its own, which is then fitted like the others."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from smear.bundle.training_run import read_run
from smear.classes import LABELS
from smear.errors import TrainingError
from smear.images import write_image
from smear.synthetic import render
from tests.plugin import write_plugin
from train.data.dataset import read
from train.data.splits import make, save
from train.networks.registry import GROUP, NETWORKS, NetworkSettings, NetworkSpec, classifiers, comparable, segmenters

ROOT = Path(__file__).parents[3]
PLUGIN = """
import keras
from pydantic import Field
from train.networks.registry import NetworkSettings, NetworkSpec

class Settings(NetworkSettings):
    filters: int = Field(4, gt=0, description="of its only convolution")

def build(settings):
    return keras.Sequential([
        keras.Input((settings.size, settings.size, 3)), keras.layers.Conv2D(settings.filters, 3, strides=8),
        keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4, activation="softmax"),
    ], name="tiny")

tiny = NetworkSpec(name="tiny", help="one convolution", task="classification", build=build, settings=Settings, epochs=1)
"""


def smearscope(*words: object, plugin: Path) -> str:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{plugin}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", "from device.cli import main; main()", *map(str, words)],
        cwd=ROOT, env=environment, text=True, capture_output=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A data root with rendered fields of every class, a split of them, and a run folder with a segmenter."""
    for label in LABELS:
        (tmp_path / "data" / "taleqani" / label).mkdir(parents=True)
        for number in range(5):
            write_image(tmp_path / "data" / "taleqani" / label / f"{number}.png", render(label, number).image)
    save(make("paper", read(tmp_path / "data" / "taleqani", quiet=True), {}, 0), tmp_path / "paper.json")
    inputs = keras.Input((224, 224, 3))
    (tmp_path / "run").mkdir()
    segmenter = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs), name="unet_light")
    segmenter.save(tmp_path / "run" / "segmenter.keras")
    return tmp_path


def test_a_network_of_another_distribution_is_listed_fitted_and_recorded(place: Path) -> None:
    plugin = write_plugin(place / "plugin", {"tiny_plugin": PLUGIN}, {GROUP: {"tiny": "tiny_plugin:tiny"}})
    assert "one convolution" in smearscope("train", "networks", "--list", plugin=plugin)
    text = smearscope(
        "train", "classifier", "--data", place / "data", "--split", place / "paper.json", "--out", place / "run",
        "--model", "tiny", "--setting", "filters=2", "--strategy", "none", plugin=plugin,
    )  # fmt: skip
    assert "background alone (colour forest" in text
    run = read_run(place / "run")
    assert (run.facts.classifier.name, run.facts.classifier.shown, run.facts.classifier.input_size) == (
        "tiny",
        "field",
        224,
    )
    assert run.facts.validation_images[0].path.startswith("taleqani/Benign/")
    model = keras.models.load_model(run.model("classifier"), compile=False)
    assert model.layers[0].filters == 2


def test_every_task_has_its_networks() -> None:
    assert {spec.name for spec in segmenters()} >= {"unet", "unet_light"}
    assert {spec.name for spec in classifiers()} >= {"smearnet", "cellnet", "paper_cnn"}
    assert "cellnet" not in {spec.name for spec in comparable()}  # it is shown single cells


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="'lenet' is no network; write one of: unet_light, unet, paper_cnn"):
        NETWORKS.find("lenet")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        (
            "paper_cnn",
            {"dropout": 1.5},
            "network paper_cnn: setting dropout: .* its settings are size, weights, dropout",
        ),
        ("vit", {"depth": 3}, "network vit: setting depth: .* its settings are size, weights"),
        ("InceptionV3", {"size": 64}, "InceptionV3 needs an input of 75 pixels or more, not 64; give a larger --size"),
    ],
)
def test_a_wrong_setting_is_named(name: str, given: dict[str, object], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        NETWORKS.find(name).create(given)


def test_a_model_must_bear_the_name_of_its_network() -> None:
    spec = NetworkSpec(
        name="a", help="a", task="classification", build=lambda _: keras.Sequential([keras.Input((4,))], name="b")
    )
    with pytest.raises(TrainingError, match="network a calls its model 'b'"):
        spec.create()


@pytest.mark.parametrize("name", ["paper_cnn", "paper_cnn_literal"])
def test_the_settings_reach_the_model(name: str) -> None:
    spec = NETWORKS.find(name)
    rates = {layer.rate for layer in spec.create({"size": 32}).layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {0.3 if name == "paper_cnn" else 0.8}
    assert issubclass(spec.settings, NetworkSettings)
