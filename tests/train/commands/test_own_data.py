"""From a folder of one's own fields, without masks, to a bundle that answers: the steps of the how-to, run small."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from device.cli import cli
from smear.bundle.folder import load_bundle
from smear.classes import LABELS
from smear.images import write_image
from smear.synthetic import render

FIELDS = 10  # of each class
Command = Callable[..., Result]


@pytest.fixture
def command() -> Command:
    def run(*words: object) -> Result:
        return CliRunner().invoke(cli, list(map(str, words)))

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn fields of each class, without a mask of any kind."""
    root = tmp_path_factory.mktemp("data")
    for label in LABELS:
        for number in range(FIELDS):
            (root / "mylab" / label).mkdir(parents=True, exist_ok=True)
            image = render(label, 1000 * LABELS.index(label) + number).image
            write_image(root / "mylab" / label / f"{label}-{number:02}.png", image)
    return root


def test_own_fields_become_a_bundle_that_answers_with_the_segmenter_that_ships(
    command: Command, data: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import train.fitting.classifier

    monkeypatch.setattr(train.fitting.classifier, "CELL_STEPS", 2)
    monkeypatch.setattr(train.fitting.classifier, "CELL_BATCH", 16)
    split, run, bundle = tmp_path / "split.json", tmp_path / "run", tmp_path / "bundle"
    steps = (
        ("train", "audit", data / "mylab", "--out", tmp_path / "runs"),
        ("train", "split", data / "mylab", "--name", "grouped", "--audit", tmp_path / "runs/audit.csv", "--out", split),
        ("train", "classifier", "--data", data, "--fields", "mylab", "--split", split, "--out", run,
         "--model", "cellnet", "--segmenter-from", tiny_bundle, "--no-foreign-cells", "--weights", "none",
         "--epochs", 1),
        ("convert", run, "--data", data, "--out", bundle, "--levels", "float32"),
    )  # fmt: skip
    for words in steps:
        result = command(*words)
        assert result.exit_code == 0, (words, result.output, result.exception)
    written = load_bundle(bundle)
    kept = load_bundle(tiny_bundle).manifest.segmenter.levels["float32"]
    assert written.manifest.segmenter.levels["float32"].sha256 == kept.sha256
    assert written.manifest.training_data.sources == ("mylab",)
    picture = data / "mylab/Pre/Pre-00.png"
    answer = command("analyze", picture, "--json", "--bundle", bundle, "--level", "float32", "--data", tmp_path / "d")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert len(found["cells"]) > 0
    assert set(found["probabilities"]) == set(LABELS)


@pytest.mark.parametrize(("words", "said"), [
    (("segmenter",), ("no taleqani/Original/Benign", "keep the segmenter that ships", "--segmenter-from BUNDLE")),
    (("classifier", "--fields", "mylab", "--split", "x.json"), ("no wbc_masks/", "--no-foreign-cells")),
    (
        ("classifier", "--fields", "mylab", "--split", "x.json", "--no-foreign-cells"),
        ("no segmenter.keras", "--segmenter-from BUNDLE"),
    ),
])  # fmt: skip
def test_what_is_missing_is_one_line_that_says_how_to_go_on(
    command: Command, data: Path, tmp_path: Path, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    result = command("train", *words, "--data", data, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert result.stderr.startswith("smearscope: ")
    assert result.stderr.count("\n") == 1
    for part in said:
        assert part in result.stderr
