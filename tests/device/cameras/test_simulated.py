"""The simulated microscope."""

import numpy as np
import pytest

from device.cameras.registry import open_camera
from smear.errors import CameraError


def test_it_says_that_it_is_simulated_and_knows_its_scale() -> None:
    camera = open_camera("simulated:7")
    frame = camera.read(1)
    assert camera.simulated
    assert frame.image.shape == (480, 640, 3)
    assert frame.pixel_size_um == 0.25


def test_the_same_seed_gives_the_same_slide() -> None:
    one, other = open_camera("simulated:3", size=(160, 120)), open_camera("simulated:3", size=(160, 120))
    for _ in range(2):
        np.testing.assert_array_equal(one.read(1).image, other.read(1).image)


def test_the_stage_moves_at_every_read() -> None:
    camera = open_camera("simulated:3", size=(160, 120))
    first, second = camera.read(1), camera.read(1)
    assert (first.image != second.image).any()
    assert (first.sequence, second.sequence) == (0, 1)


def test_the_seed_draws_every_class() -> None:
    labels = {open_camera(f"simulated:{seed}").label for seed in range(20)}  # type: ignore[attr-defined]
    assert labels == {"Benign", "Early", "Pre", "Pro"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simulated:x", "is not a whole number"),
        ("simulated:1?class=Late", "no class 'Late'"),
        ("simulated:?a=1", "option"),
    ],
)
def test_a_name_that_makes_no_sense_is_refused(name: str, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        open_camera(name)


def test_a_closed_one_gives_no_frames() -> None:
    camera = open_camera("simulated:")
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="closed"):
        camera.read(1)
