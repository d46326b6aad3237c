import csv
import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from smear.classes import LABELS
from smear.images import write_image
from tests.train.data.test_near_duplicates import field, shot
from train.cli import command
from train.data import audit, dataset


def plain() -> np.ndarray:
    return np.full((224, 224, 3), (240, 242, 235), np.uint8)


def test_each_style_of_scale_bar_is_told_apart() -> None:
    red, long, boxed = plain(), plain(), plain()
    cv2.putText(red, "100", (190, 215), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (200, 30, 40))
    cv2.putText(long, "200 px", (178, 210), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0))
    cv2.line(long, (180, 216), (223, 216), (0, 0, 0), 2)
    boxed[206:218, 190:216] = 255
    boxed[210:214, 200:204] = 0
    styles = [audit.scale_bar(image) for image in (red, long, boxed, plain())]
    assert styles == ["red text", "black text", "white box", "none"]


def test_a_dark_cell_under_the_corner_is_no_black_bar() -> None:
    image = plain()
    cv2.circle(image, (205, 210), 12, (80, 20, 160), -1)
    assert audit.scale_bar(image) == "none"


def test_blur_lowers_sharpness_and_the_scale_bar_does_not_count() -> None:
    sharp = shot(field(1))
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2)
    assert audit.sharpness(blurred) < audit.sharpness(sharp) / 4
    barred = blurred.copy()
    barred[-20:, -40:] = np.random.default_rng(0).integers(0, 255, (20, 40, 3))
    assert audit.sharpness(barred) == audit.sharpness(blurred)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four fields a class; in Pre the second is a shifted shot of the first, in Pro the second a copy of it."""
    root = tmp_path_factory.mktemp("fields")
    for place, label in enumerate(LABELS):
        (root / label).mkdir()
        for number in range(4):
            image = shot(field(10 * place + number))
            if label == "Pre" and number == 1:
                image = shot(field(10 * place), 55, 20)
            write_image(root / label / f"{number}.png", image)
    shutil.copy(root / "Pro" / "0.png", root / "Pro" / "1.png")
    (root / "Early" / "broken.png").write_bytes(b"no picture")
    return root


def test_copies_and_second_shots_share_a_group_and_a_session(folder: Path) -> None:
    found = audit.audit(dataset.read(folder, quiet=True), quiet=True)
    groups = [[found.rows[i].file for i in group] for group in found.groups()]
    assert groups == [["Pre/0.png", "Pre/1.png"], ["Pro/0.png", "Pro/1.png"]]
    assert [(found.rows[a].file, found.rows[b].file) for a, b in found.duplicates] == [("Pro/0.png", "Pro/1.png")]
    session = {row.file: row.session for row in found.rows}
    assert session["Pre/0.png"] == session["Pre/1.png"]


def test_fields_that_devices_exported_are_grouped_by_their_slides(tmp_path: Path) -> None:
    names = ("aaaaaaaa-000001-00000001", "bbbbbbbb-000001-00000001", "aaaaaaaa-000001-00000002", "x")
    for number, (label, name) in enumerate(zip(LABELS, names, strict=True)):
        (tmp_path / label).mkdir()
        write_image(tmp_path / label / f"{name}.png", shot(field(number)))
    found = audit.audit(dataset.read(tmp_path, quiet=True), quiet=True)
    first, other, second, unnamed = found.rows
    assert first.group == second.group
    assert len({first.group, other.group, unnamed.group}) == 3
    assert [row.slide for row in found.rows] == ["aaaaaaaa-000001", "bbbbbbbb-000001", "aaaaaaaa-000001", ""]
    assert audit.totals(found)[-1].startswith("3 fields of 2 slides have their slide in their names")


def test_the_command_writes_a_csv_and_a_page_that_needs_no_other_file(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["audit", str(folder), "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "patient-wise split is impossible" in done.output
    assert "1 unreadable" in done.output
    assert "Early/broken.png" in done.output
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "audit.csv").read_text())))
    assert list(rows[0])[:5] == ["file", "label", "sha256", "group", "session"]
    assert len(rows) == 16
    html = (tmp_path / "out" / "audit.html").read_text()
    assert "Pre/0.png and Pre/1.png" in html
    assert 'src="data:image/jpeg;base64,' in html
    assert "http:" not in html
    assert "https:" not in html
    assert "Research use only" in html


def test_the_audit_of_the_same_folder_is_the_same(folder: Path) -> None:
    data = dataset.read(folder, quiet=True)
    assert audit.to_csv(audit.audit(data, quiet=True).rows) == audit.to_csv(audit.audit(data, quiet=True).rows)
