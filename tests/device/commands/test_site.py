"""`smearscope site`: a folder of labelled fields becomes figures, a page and a certificate, or says what is missing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner, Result

from device.cli import cli
from device.site.certificate import FILE, load
from smear.bundle.files import sha256_of
from smear.classes import LABELS
from smear.findings import Finding, Frame
from smear.images import write_image
from tests.device.findings import UNCERTAIN, finding

Site = Callable[..., Result]


class Person:
    """Answers as the folder says, but for the fields in `wrong`; normal blood is refused."""

    def __init__(self) -> None:
        facts = SimpleNamespace(name="tiny")
        bundle = SimpleNamespace(sha256="ab" * 32, manifest=facts, fitted_fields=lambda: self.fitted)
        self.pipeline = SimpleNamespace(bundle=bundle, level="int8")
        self.wrong: dict[str, str] = {}
        self.fitted: frozenset[str] = frozenset()
        self.scales: set[float | None] = set()

    def examine(self, frame: Frame) -> Finding:
        self.scales.add(frame.pixel_size_um)
        folder = Path(frame.source).parent.name
        label = self.wrong.get(folder, folder)
        found = finding(label) if label in LABELS else finding("Pre", (UNCERTAIN,))
        return replace(found, cells=() if self.wrong.get(folder) == "nothing" else found.cells)

    def close(self) -> None:
        pass


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    person = Person()
    monkeypatch.setattr("device.commands.site.open_processor", lambda *_, **__: person)
    return person


@pytest.fixture
def site(person: Person, tmp_path: Path) -> Site:
    def run(*words: str, config: str = "") -> Result:
        (tmp_path / "config.toml").write_text(config)
        where = ["--data", str(tmp_path / "data"), "--config", str(tmp_path / "config.toml")]
        if words[0] == "check":
            where += ["--out", str(tmp_path / "site.html")]
        return CliRunner().invoke(cli, ["site", *words, *where])

    return run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty different pictures each of Pre, Benign and normal blood."""
    folder = tmp_path_factory.mktemp("fields")
    for offset, kind in enumerate(("Pre", "Benign", "Normal")):
        (folder / kind).mkdir()
        for number in range(20):
            image = np.random.default_rng(100 * offset + number).integers(0, 256, (40, 40, 3), np.uint8)
            write_image(folder / kind / f"{number}.png", image)
    return folder


def test_a_site_that_agrees_gets_a_dated_certificate_and_a_page(site: Site, pictures: Path, tmp_path: Path) -> None:
    result = site("check", str(pictures), "--stain", "<Giemsa>", "--json", config="[site]\nvalid_days = 30\n")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    found = load(tmp_path / "data")
    assert found is not None
    assert (told["passed"], told["certificate"]["id"]) == (True, found.id)
    assert (found.stain, found.bundle_sha256, found.level, found.profile) == (
        "<Giemsa>", "ab" * 32, "int8", "uncalibrated",
    )  # fmt: skip
    assert (found.valid_until - found.created).days == 30
    assert found.fields == {"Benign": 20, "Pre": 20, "Normal": 20}
    page = (tmp_path / "site.html").read_text()
    assert "research use only" in page.lower()
    assert "&lt;Giemsa&gt;" in page
    assert "http" not in page


def test_a_site_that_disagrees_gets_no_certificate_and_exit_code_3(
    site: Site, person: Person, pictures: Path, tmp_path: Path
) -> None:
    assert site("check", str(pictures)).exit_code == 0
    person.wrong = {"Normal": "Pro"}
    result = site("check", str(pictures))
    assert result.exit_code == 3
    assert "specificity 50.0% is below 95.0%" in result.stdout
    assert load(tmp_path / "data") is None  # the earlier one is contradicted
    assert "No certificate" in (tmp_path / "site.html").read_text()


def test_too_few_fields_with_cells_are_named(site: Site, person: Person, pictures: Path, tmp_path: Path) -> None:
    person.wrong = {"Normal": "nothing"}
    result = site("check", str(pictures))
    assert result.exit_code == 1
    assert "add 20 more of Normal with cells (there are 0)" in result.stderr
    assert not (tmp_path / "data" / FILE).exists()


def test_a_folder_without_sub_folders_says_what_to_make(site: Site, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    result = site("check", str(tmp_path / "flat"))
    assert result.exit_code == 1
    assert "make Benign, Early, Pre, Pro and Normal" in result.stderr


def test_copies_of_one_file_count_once(site: Site, pictures: Path, tmp_path: Path) -> None:
    for kind in ("Pre", "Normal"):
        (tmp_path / "copies" / kind).mkdir(parents=True)
        for number in range(20):
            data = (pictures / kind / "0.png").read_bytes()
            (tmp_path / "copies" / kind / f"{number}.png").write_bytes(data)
    result = site("check", str(tmp_path / "copies"))
    assert "add 19 more of Pre" in result.stderr


def test_one_file_in_two_classes_is_refused(site: Site, pictures: Path, tmp_path: Path) -> None:
    for kind in ("Pre", "Normal"):
        (tmp_path / "both" / kind).mkdir(parents=True)
        (tmp_path / "both" / kind / "a.png").write_bytes((pictures / "Pre" / "0.png").read_bytes())
    result = site("check", str(tmp_path / "both"))
    assert result.exit_code == 1
    assert "in another class too" in result.stderr


@pytest.mark.parametrize(("folder", "meant"), [("Pre-B", "Pre"), ("Ealry", "Early"), ("hematogones", "Benign")])
def test_a_folder_that_is_nearly_a_class_is_not_taken_for_normal_blood(
    site: Site, pictures: Path, tmp_path: Path, folder: str, meant: str
) -> None:
    shutil.copytree(pictures, tmp_path / "fields")
    (tmp_path / "fields" / folder).mkdir()
    result = site("check", str(tmp_path / "fields"))
    assert result.exit_code == 1
    assert f"{folder}: is that {meant}? Rename it" in result.stderr


def test_fields_that_the_bundle_was_adapted_to_show_nothing(site: Site, person: Person, pictures: Path) -> None:
    person.fitted = frozenset({sha256_of(pictures / "Pre" / "0.png")})
    result = site("check", str(pictures))
    assert result.exit_code == 1
    assert "1 more of Pre with cells" in result.stderr
    assert "1 files were left out, since the bundle was adapted to them" in result.stderr


def test_the_calibrated_scale_is_taken_for_pictures_of_the_calibrated_size(
    site: Site, person: Person, pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "calibration"
    folder.mkdir(parents=True)
    known = {"id": "x", "camera": "imx477", "size": [40, 40], "pixel_size_um": 0.11}
    (folder / "x.json").write_text(json.dumps(known))
    assert site("check", str(pictures)).exit_code == 0
    assert person.scales == {0.11}
    found = load(tmp_path / "data")
    assert found is not None
    assert (found.profile, found.pixel_size_um) == ("imx477 40x40", 0.11)


def test_a_certificate_is_shown_and_revoked(site: Site, pictures: Path) -> None:
    assert "no site certificate" in site("show").stdout
    site("check", str(pictures))
    shown = site("show").stdout
    assert "another bundle" in shown  # made with a stand-in, while the device uses the bundle that ships
    assert "agreement: 100.0%" in shown
    assert json.loads(site("show", "--json").stdout)["certificate"]["fields"]["Pre"] == 20
    assert "revoked" in site("revoke").stdout
    assert "no site certificate" in site("revoke").stdout
