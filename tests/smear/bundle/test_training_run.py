import copy
import hashlib
import json

import pytest

from smear.bundle.training_run import Picture, RunFile, find_picture, read_facts, read_run, write_run
from smear.errors import ConversionError
from tests.convert.tiny import run_facts


@pytest.fixture
def folder(tmp_path):
    for name in ("segmenter.keras", "classifier.keras"):
        (tmp_path / name).write_bytes(b"not opened here")
    (tmp_path / "run.json").write_text(json.dumps(run_facts()))
    return tmp_path


def rewrite(folder, change):
    facts = copy.deepcopy(run_facts())
    change(facts)
    (folder / "run.json").write_text(json.dumps(facts))


def test_a_run_is_read_with_all_it_states(folder):
    run = read_run(folder)

    assert run.facts.classifier.temperature == 1.5
    assert run.facts.train_images[1] == Picture(path="train/Early/1.png", label="Early")
    assert run.facts.classifier.figures["accuracy"].background_only == 0.7
    assert run.model("segmenter") == folder / "segmenter.keras"


def test_a_picture_may_name_its_stain_session(folder):
    rewrite(folder, lambda f: f.update(train_images=[{"path": "a.png", "label": "Pro", "session": "s1"}]))

    assert read_run(folder).facts.train_images[0].session == "s1"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: f.pop("seed"), "seed"),
        (lambda f: f["classifier"].update(temperature=0), "classifier.temperature"),
        (lambda f: f["classifier"].update(temperature=float("nan")), "classifier.temperature"),
        (lambda f: f["classifier"].update(abstain_below=float("nan")), "classifier.abstain_below"),
        (lambda f: f["classifier"].update(ood_above=float("inf")), "classifier.ood_above"),
        (lambda f: f["classifier"].update(stain=[float("nan"), 0.5]), "classifier.stain"),
        (lambda f: f["classifier"]["figures"]["accuracy"].update(value=float("nan")), "figures.accuracy.value"),
        (lambda f: f["input"].update(pixel_size_um=1e30), "input.pixel_size_um"),
        (lambda f: f["classifier"].update(shown="faces"), "classifier.shown"),
        (lambda f: f["segmenter"].pop("output"), "segmenter.output"),
        (lambda f: f.update(validation_images=[{"path": "x.png", "label": "Lymphoma"}]), "Lymphoma"),
        (lambda f: f.update(validation_images=[{"path": "x.png"}]), "x.png has no label"),
        (lambda f: f.update(train_images=[]), "train_images"),
        (lambda f: f.update(train_images=[f["validation_images"][0]["path"]]), "both parts"),
    ],
)
def test_one_wrong_value_is_named(folder, change, named):
    rewrite(folder, change)

    with pytest.raises(ConversionError, match=r"run\.json") as caught:
        read_run(folder)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "segmenter.keras", "classifier.keras"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()

    with pytest.raises(ConversionError, match=name.replace(".", r"\.")):
        read_run(folder)


def keep_segmenter(folder, data=b"TFL3"):
    (folder / "segmenter").mkdir()
    (folder / "segmenter/segmenter.float32.tflite").write_bytes(data)
    (folder / "segmenter.keras").unlink()
    entry = {"file": "segmenter.float32.tflite", "sha256": hashlib.sha256(b"TFL3").hexdigest(), "bytes": 4}
    kept = {"bundle_sha256": "0" * 64, "levels": {"float32": entry}}
    rewrite(folder, lambda f: f["segmenter"].update(kept=kept))


def test_a_run_that_kept_a_segmenter_needs_no_keras_model_of_it(folder):
    keep_segmenter(folder)

    run = read_run(folder)
    assert run.kept("float32") == folder / "segmenter/segmenter.float32.tflite"
    with pytest.raises(ConversionError, match="no level int8; give --levels float32"):
        run.kept("int8")


def test_a_kept_segmenter_that_was_changed_is_named(folder):
    keep_segmenter(folder, b"other")

    with pytest.raises(ConversionError, match=r"segmenter\.float32\.tflite: missing or changed"):
        read_run(folder)


def test_a_run_file_that_is_not_json_is_named(folder):
    (folder / "run.json").write_text("{")

    with pytest.raises(ConversionError, match=r"run\.json: cannot be read"):
        read_run(folder)


def test_a_missing_picture_is_named_with_the_option_to_set(tmp_path):
    with pytest.raises(ConversionError, match=r"a\.png.*--data"):
        find_picture(tmp_path, Picture(path="a.png"))


def test_what_training_writes_is_what_conversion_reads(folder):
    facts = RunFile.model_validate(run_facts())
    write_run(folder, facts)

    assert read_run(folder).facts == read_facts(folder) == facts


def test_a_picture_whose_folder_is_its_class_is_stored_as_a_bare_path(folder):
    pictures = [Picture(path="taleqani/Pro/1.jpg", label="Pro"), Picture(path="a.jpg", label="Pre", session="Pre-1")]
    facts = RunFile.model_validate(run_facts()).model_copy(update={"train_images": tuple(pictures)})
    write_run(folder, facts)

    stored = json.loads((folder / "run.json").read_text())["train_images"]
    assert stored == ["taleqani/Pro/1.jpg", {"path": "a.jpg", "label": "Pre", "session": "Pre-1"}]
