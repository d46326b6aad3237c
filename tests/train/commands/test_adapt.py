"""`smearscope train adapt` run small: reviewed fields in, a verified bundle out that is better, or exit code 3."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from device.cli import cli
from smear.bundle.folder import load_bundle
from smear.classes import LABELS
from smear.images import write_image
from smear.inference.verification import verify
from smear.synthetic import render
from tests.train import cells_bundle
from train.networks.tflite_head import read_head

LOOKS = ((2, 1.0), (2, 0.92), (14, 1.0), (14, 0.92))  # cells, and blue light, in the fields of each class


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cells_bundle.make(tmp_path_factory.mktemp("cells"), np.zeros((5, 6)), np.array([1.0, 0, 0, 0, -9]))


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen drawn fields of each class, three to a slide, whose classes differ in number of cells and in light."""
    folder = tmp_path_factory.mktemp("reviewed")
    for place, label in enumerate(LABELS):
        (folder / "Original" / label).mkdir(parents=True)
        for number in range(15):
            cells, blue = LOOKS[place]
            image = render(label, 700 + 20 * place + number, cells=cells).image * np.array([1.0, 1.0, blue])
            name = f"abcd1234-{place:03}{number // 3:03}-{number:08}.png"
            write_image(folder / "Original" / label / name, image.astype(np.uint8))
    return folder


def adapt(bundle: Path, reviewed: Path, out: Path) -> Result:
    words = ["--bundle", bundle, "--fields", reviewed, "--out", out, "--level", "float32", "--json", "--quiet"]
    return CliRunner().invoke(cli, ["train", "adapt", *map(str, words)])


@pytest.fixture
def few_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    import train.fitting.adaptation.adaptation_run
    import train.fitting.adaptation.outcome
    import train.fitting.adaptation.site_adaptation
    import train.fitting.adaptation.site_statistics

    monkeypatch.setattr(train.fitting.adaptation.site_statistics, "RENDERED", 4)
    # The first bundle knows nothing to keep.
    monkeypatch.setattr(train.fitting.adaptation.site_adaptation, "REPLAY", 0.0)
    for module in (train.fitting.adaptation.adaptation_run, train.fitting.adaptation.outcome):
        monkeypatch.setattr(module, "MAX_LOST", 1.0)
    monkeypatch.setattr(train.fitting.adaptation.outcome, "FEWER_RIGHT", 0.1)  # drawn classes overlap much
    for module in ("site_adaptation", "adaptation_run"):
        monkeypatch.setattr(f"train.fitting.adaptation.{module}.STRENGTHS", (0.003, 0.1))


def test_reviewed_fields_make_a_better_bundle_with_the_same_segmenter(
    bundle: Path, reviewed: Path, tmp_path: Path, few_rendered: None
) -> None:
    result = adapt(bundle, reviewed, tmp_path / "out")
    assert result.exit_code == 0, (result.output, result.exception)
    told = json.loads(result.stdout)
    assert told["after"]["macro_f1"]["value"] > told["before"]["macro_f1"]["value"] + 0.1
    made, old = verify(tmp_path / "out"), load_bundle(bundle)
    assert made.manifest.segmenter.levels == old.manifest.segmenter.levels
    assert len(made.fitted_fields()) == told["fitted"]
    assert made.manifest.classifier.levels["float32"].sha256 != old.manifest.classifier.levels["float32"].sha256
    assert made.manifest.classifier.levels["float32"].figures["macro_f1"].n == told["gain"]["n"]
    assert told["gain"]["n"] == told["fitted"] >= 50  # every field is fitted, and measured by a layer that was not


def test_a_bundle_that_would_be_no_better_is_not_written(
    bundle: Path, reviewed: Path, tmp_path: Path, few_rendered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("site_adaptation", "adaptation_run"):
        monkeypatch.setattr(f"train.fitting.adaptation.{module}.STRENGTHS", (1e9,))
    result = adapt(bundle, reviewed, tmp_path / "out")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["faults"]
    assert not (tmp_path / "out").exists()


def test_a_classifier_of_single_cells_is_refused_in_one_line(tiny_bundle: Path, reviewed: Path, tmp_path: Path) -> None:
    result = adapt(tiny_bundle, reviewed, tmp_path / "out")
    assert result.exit_code == 1
    assert "does not end with a 1x1 convolution" in result.stderr


def test_an_adapted_bundle_is_never_surer_than_the_one_it_began_from(
    bundle: Path, reviewed: Path, tmp_path: Path, few_rendered: None
) -> None:
    assert adapt(bundle, reviewed, tmp_path / "out").exit_code == 0
    made, old = (load_bundle(folder).manifest.classifier for folder in (tmp_path / "out", bundle))
    assert made.temperature >= old.temperature
    assert made.abstain_below >= old.abstain_below


def test_a_level_whose_features_are_off_gives_the_logits_of_float32(
    bundle: Path, reviewed: Path, tmp_path: Path, few_rendered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import train.fitting.adaptation.adaptation_run

    assert adapt(bundle, reviewed, tmp_path / "exact").exit_code == 0
    shift = np.linspace(0.0, 0.02, 6)  # of features that quantization moves
    monkeypatch.setattr(train.fitting.adaptation.adaptation_run, "feature_shift", lambda *_: shift)
    assert adapt(bundle, reviewed, tmp_path / "off").exit_code == 0
    old, exact, off = (
        read_head((folder / "classifier.float32.tflite").read_bytes())
        for folder in (bundle, tmp_path / "exact", tmp_path / "off")
    )
    features = np.random.default_rng(0).uniform(0, 1, (20, 6))
    unshifted = off.logits(features + shift) - (old.logits(features + shift) - old.logits(features))
    assert np.allclose(unshifted, exact.logits(features), atol=1e-4)
