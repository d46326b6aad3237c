"""The paper's protocol: what is learnt is the threshold's mask, and no field with a drawn mask is learnt from."""

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from smear.classes import LABELS
from smear.images import write_image
from smear.imaging.stain_normalization import hsv_mask
from smear.synthetic import render
from train.data import dataset
from train.data.masks import CELL
from train.fitting import paper_protocol


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with one drawn field of each class, that of Pre with a drawn mask."""
    for label in LABELS:
        folder = tmp_path / "taleqani" / "Original" / label
        folder.mkdir(parents=True)
        field = render(label, 1, cells=3)
        write_image(folder / "1.jpg", field.image)
        if label == "Pre":
            (tmp_path / "taleqani_masks" / label).mkdir(parents=True)
            write_image(
                tmp_path / "taleqani_masks" / label / "1.png", np.where(field.mask.cell, 255, 0).astype(np.uint8)
            )
    (tmp_path / "taleqani_masks" / "index.csv").write_text("file,class\nPre/1.jpg,Pre\n")
    return tmp_path


def test_a_mask_of_the_protocol_is_the_threshold(root: Path) -> None:
    records = dataset.read(root / "taleqani", quiet=True).records
    masked = paper_protocol.hsv_masked(records)
    assert [m.name for m in masked] == [r.file for r in records]
    assert all(((m.codes == CELL) == hsv_mask(m.image)).all() for m in masked)


def test_it_is_scored_by_its_own_masks_and_by_drawn_ones(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_protocol, "STEPS", 1)
    monkeypatch.setattr(paper_protocol, "BATCH", 1)
    taught: list[str] = []
    whole = paper_protocol.hsv_masked

    def watched(records: list[dataset.Record]) -> list[object]:
        taught.append(" ".join(record.file for record in records))
        return list(whole(records))

    monkeypatch.setattr(paper_protocol, "hsv_masked", watched)
    records = dataset.read(root / "taleqani", quiet=True).records
    found = paper_protocol.run(root, records, records[:2], root / "out", model="unet_light", epochs=1)
    assert "Pre/1.jpg" not in taught[0]
    assert (found.model, found.hsv_n, found.drawn_n) == ("unet_light", 2, 1)
    assert 0 <= found.hsv_dice <= 1
    assert found.drawn_low == found.drawn_dice == found.drawn_high
    assert set(asdict(found)) >= {"hsv_dice", "drawn_dice", "hsv_accuracy", "drawn_accuracy"}
