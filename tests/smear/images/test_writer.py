"""Writing pictures; masks and overlays say where they come from and are known again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smear import RESEARCH_USE_ONLY
from smear.images import encode, encode_output, is_own_output

MASK = np.tile(np.array([0, 128, 255, 0], np.uint8), (40, 10))
OVERLAY = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@pytest.mark.parametrize("image", [MASK, OVERLAY])
def test_an_output_says_research_use_only_and_keeps_its_pixels(tmp_path: Path, image: np.ndarray) -> None:
    (tmp_path / "a.png").write_bytes(encode_output(image.copy()))
    with Image.open(tmp_path / "a.png") as picture:
        picture.load()
        assert picture.text == {"Software": "Smearscope; research use only", "Disclaimer": RESEARCH_USE_ONLY}
        assert (np.array(picture) == image).all()


def test_only_outputs_are_known_as_such() -> None:
    assert is_own_output(encode_output(OVERLAY.copy())[:200])
    for other in (encode(OVERLAY, ".png"), encode(OVERLAY, ".jpg"), b"", b"tEXtSoftware\0Smearscope"):
        assert not is_own_output(other[:200])
