"""The controls on a small bundle and drawn fields: measured, stored, reported and written into the card."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("ai_edge_litert", reason="the controls run the device's pipeline: they need the extra 'device'")

from smear.bundle import derivation
from smear.bundle.files import sha256_of
from smear.bundle.folder import load_bundle, write_manifest
from smear.bundle.manifest import SIGNATURE
from smear.classes import LABELS
from smear.errors import StoreError, TrainingError
from smear.images import write_image
from smear.inference.evaluator import Evaluator
from smear.synthetic import render
from tests.convert.tiny import run_facts
from train.cli import command
from train.data import splits
from train.data.dataset import read
from train.evaluation import control_results, control_suite, occlusion
from train.evaluation.control_results import Outcome
from train.evaluation.scores import evaluate
from train.evaluation.shares import Share, share
from train.reporting import model_card, report_run

EACH = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with drawn fields of every class, and a split of them."""
    root = tmp_path_factory.mktemp("controls")
    for label in LABELS:
        for number in range(EACH):
            folder = root / "data" / "taleqani" / label
            folder.mkdir(parents=True, exist_ok=True)
            write_image(folder / f"{number}.png", _field(label, number))
    data = read(root / "data" / "taleqani", quiet=True)
    parts = [[r.file for r in data.records if keep(int(Path(r.file).stem))] for keep in (
        lambda n: n < 2, lambda n: n == 2, lambda n: n > 2)]  # fmt: skip
    split = splits.NamedSplit("grouped", 0, data.fingerprint, (splits.Fold(*map(tuple, parts)),))
    splits.save(split, root / "split.json")
    trained = [f"taleqani/{file}" for file in (*parts[0], parts[2][0])]
    (root / "run").mkdir()
    (root / "run" / "run.json").write_text(json.dumps(run_facts() | {"train_images": trained}))
    (root / "run" / "epochs.csv").write_text("epoch,loss\n0,2.0\n1,1.0\n")
    return root


def _field(label: str, number: int) -> np.ndarray:
    return render(label, number, cells=3, scale_bar=True).image


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a card of its own."""
    copy = tmp_path_factory.mktemp("carded") / "tiny"
    shutil.copytree(tiny_bundle, copy)
    (copy / model_card.FILE).write_text("# Model card: tiny\n\nAs converted.\n")
    manifest = load_bundle(tiny_bundle).manifest
    write_manifest(
        copy,
        manifest.model_copy(update={"files": manifest.files | {model_card.FILE: sha256_of(copy / model_card.FILE)}}),
    )
    return copy


def run(name: str, place: Path, bundle: Path, *more: str) -> Result:
    paths = {"bundle": bundle, "data": place / "data", "split": place / "split.json", "run": place / "run"}
    given = [word for option, path in paths.items() for word in (f"--{option}", str(path))]
    return CliRunner().invoke(
        command, [name, *given, "--level", "float32", "--out", str(place / "out"), "--quiet", *more]
    )


@pytest.fixture(scope="module")
def found(place: Path, bundle: Path) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occlusion, "STRIDE_PX", 96)
        patch.setattr(control_suite, "OCCLUDED", 4)
        result = run("controls", place, bundle, "--without-ood", "--without-masks", "--limit", "8")
    assert result.exit_code == 0, result.output
    return control_results.load(place / "out" / "controls.json")


def test_every_control_is_measured_with_interval_and_count(found: Outcome) -> None:
    names = " ".join(one.name for one in found.shares)
    for word in ("colour forest, background", "background only", "transplant", "scale bar swapped", "occlusion"):
        assert word in names
    assert all(one.low <= one.value <= one.high for one in found.shares if one.n)
    assert len(found.clean) == 8
    assert {row.kind for row in found.graded} == {"none", "stain", "white balance", "blur", "JPEG"}


def test_a_field_that_was_trained_on_is_counted(found: Outcome) -> None:
    assert found.fields.trained_on == 1


def test_fields_without_their_cells_are_refused(found: Outcome) -> None:
    refused = next(one for one in found.background if one.name.endswith("having no cell"))
    assert refused.value >= 0.75  # the tiny bundle tells cells by colour alone
    assert refused.wanted == 0.99


def test_a_patch_off_all_cells_changes_little(found: Outcome) -> None:
    assert found.occlusion
    assert all(0 <= one.share_on_cells <= 1 for one in found.occlusion)


def test_a_share_of_nothing_has_the_widest_interval() -> None:
    assert share("none", np.array([], bool), []) == Share("none", 0.0, 0.0, 1.0, 0)
    assert Share("some", 0.9, 0.8, 1.0, 10, 0.95).passed is False
    assert Share("some", 0.9, 0.8, 1.0, 10).passed is None


def test_the_report_stands_alone_and_leaves_out_what_was_not_given(found: Outcome, place: Path, bundle: Path) -> None:
    result = run("report", place, bundle)
    assert result.exit_code == 0, result.output
    page = (place / "out" / "report.html").read_text()
    for word in ("Accuracy", "Table 1", "Table 3", "Table 4", "colour forest", "Conversion", "1 of the 8"):
        assert word in page
    assert "Approaches compared" not in page
    text = (place / "out" / "report.md").read_text()
    for picture in (place / "out" / "figures").iterdir():
        assert f"figures/{picture.name}" in text
    assert control_results.load(place / "out" / "controls.json").made == found.made  # not measured again


@pytest.mark.parametrize(("stored", "limit", "again"), [
    (4, 100, True), (4, None, True), (4, 4, False), (8, 100, False),
])  # fmt: skip
def test_stored_controls_of_fewer_fields_than_are_asked_for_are_measured_again(
    found: Outcome, place: Path, bundle: Path, tmp_path: Path, stored: int, limit: int | None, again: bool
) -> None:
    fewer = replace(found, fields=replace(found.fields, evaluated=stored))
    control_results.save(fewer, tmp_path / control_results.FILE)
    measured: list[Evaluator] = []

    def measure(evaluator: Evaluator) -> Outcome:
        measured.append(evaluator)
        return found

    report_run.run(report_run.ReportSettings(
        bundle=bundle, level="float32", data=place / "data", fields="taleqani", split=place / "split.json", fold=0,
        run=None, approaches=None, networks=None, protocol=None, out=tmp_path, again=False, extend_card=False,
        limit=limit, command="smearscope train report",
    ), measure)  # fmt: skip
    assert bool(measured) == again


def test_a_card_is_extended_once_however_often_it_is_written(found: Outcome, bundle: Path) -> None:
    worth = evaluate(found.answers, found.bundle.temperature)
    model_card.extend(bundle, found, worth)
    first = (bundle / model_card.FILE).read_text()
    model_card.extend(bundle, found, worth)
    assert (bundle / model_card.FILE).read_text() == first
    assert first.startswith("# Model card: tiny\n\nAs converted.\n")
    assert first.count("## Controls") == 1
    load_bundle(bundle)


def test_a_card_that_cannot_be_finished_leaves_the_bundle_as_it_was(
    found: Outcome, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("no space left")

    before = (bundle / model_card.FILE).read_bytes()
    monkeypatch.setattr(derivation, "write_manifest", full)
    with pytest.raises(StoreError):
        model_card.extend(bundle, found, evaluate(found.answers, 0.5))
    assert (bundle / model_card.FILE).read_bytes() == before
    load_bundle(bundle)


def test_a_card_names_no_folder_of_a_machine() -> None:
    assert model_card.without_folders("smearscope --data /mnt/disk/my --out b") == "smearscope --data my --out b"
    assert model_card.without_folders("smearscope --data '/home/a b'") == "smearscope --data 'a b'"


def test_a_signed_bundle_keeps_its_card(found: Outcome, bundle: Path, tmp_path: Path) -> None:
    signed = tmp_path / "signed"
    shutil.copytree(bundle, signed)
    (signed / SIGNATURE).write_bytes(b"x")
    with pytest.raises(TrainingError, match="signed"):
        model_card.extend(signed, found, evaluate(found.answers, 1.0))


def test_what_is_no_outcome_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "controls.json").write_text("{}")
    with pytest.raises(TrainingError, match="run 'smearscope train controls' again"):
        control_results.load(tmp_path / "controls.json")
