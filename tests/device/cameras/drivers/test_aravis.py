"""GenICam through Aravis: pixel formats by the PFNC, and Aravis's own fake camera end to end."""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from device.cameras.base import grant_of
from device.cameras.drivers.aravis import AravisSource, picture_of
from device.cameras.registry import camera_details, camera_identity, open_camera
from device.cameras.uri import parse_name
from device.cli import cli
from smear.errors import CameraError
from tests.device.cameras.contract.benches import SERIAL, GenicamBench
from tests.device.cameras.contract.card import SIZE, assert_card, card

FRAME_S = 10.0
DEMOSAICED = 12  # of 255, on average: jet's colours run along diagonals, which interpolation rounds off


def mosaic(picture: np.ndarray, order: str) -> np.ndarray:
    """Return what a sensor behind filters in `order` sees: its first two rows, as the PFNC names them."""
    first, second = order, {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[order]
    plane = np.zeros(picture.shape[:2], picture.dtype)
    for row, letters in enumerate((first, second)):
        for column, letter in enumerate(letters):
            plane[row::2, column::2] = picture[row::2, column::2, "RGB".index(letter)]
    return plane


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("order", ["RG", "GR", "GB", "BG"])
def test_every_mosaic_becomes_the_card_in_its_colours(order: str, bits: int) -> None:
    depth: type = np.uint8 if bits == 8 else np.uint16
    plane = mosaic(card().astype(depth), order) << np.array(bits - 8, depth)
    assert_card(picture_of(plane.tobytes(), *SIZE, f"Bayer{order}{bits}"))


@pytest.mark.parametrize(
    ("pixel_format", "data"),
    [("RGB8", card()), ("BGR8", card()[..., ::-1]), ("RGB8Packed", card())],
)
def test_packed_colours_stay_what_they_are(pixel_format: str, data: np.ndarray) -> None:
    assert (picture_of(data.tobytes(), *SIZE, pixel_format) == card()).all()


@pytest.mark.parametrize("bits", [8, 12])
def test_grey_is_grey_in_all_three_channels(bits: int) -> None:
    grey = cv2.cvtColor(card(), cv2.COLOR_RGB2GRAY)
    data = grey if bits == 8 else grey.astype("<u2") << 4
    assert (picture_of(data.tobytes(), *SIZE, f"Mono{bits}") == grey[..., None]).all()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[str]:
    bench = GenicamBench(tmp_path)
    if bench.missing:
        pytest.skip(bench.missing)
    bench.start()
    yield bench.name
    bench.lose()
    bench.close()


def frame_of(name: str) -> np.ndarray:
    camera = open_camera(name, size=SIZE)
    image = camera.read(FRAME_S).image
    camera.close()
    return image


# Not BayerRG8 and BayerBG8, which the fake of Aravis 0.8.26 draws with red and blue exchanged.
@pytest.mark.parametrize("pixel_format", ["BayerGR8", "BayerGB8"])
def test_what_comes_through_a_mosaic_is_what_comes_in_rgb(fake: str, pixel_format: str) -> None:
    """The fake draws diagonals that wander; in the corner where both have the same number they are the same."""
    plain, seen = frame_of(f"{fake}?format=RGB8"), frame_of(f"{fake}?format={pixel_format}")
    line = np.concatenate([plain[0], plain[1:, -1]])  # one period of 255 colours and more, along the diagonals
    steps = np.add.outer(np.arange(SIZE[1]), np.arange(SIZE[0]))
    apart = [np.abs(line[(steps + shift) % 255].astype(int) - seen).mean() for shift in range(255)]
    assert min(apart) < DEMOSAICED
    exchanged = [np.abs(line[(steps + shift) % 255].astype(int) - seen[..., ::-1]).mean() for shift in range(255)]
    assert min(exchanged) > 2 * DEMOSAICED


def test_a_grey_format_is_said(fake: str) -> None:
    camera = open_camera(f"{fake}?format=Mono16", size=SIZE)
    image = camera.read(FRAME_S).image
    camera.close()
    assert np.ptp(image, axis=2).max() == 0
    assert np.ptp(image) > 200
    assert "is grey, and a stained smear needs colour" in grant_of(camera).differences[0]


def test_exposure_and_gain_of_a_calibration_are_those_it_was_made_with(fake: str) -> None:
    source = AravisSource(parse_name(fake), SIZE, {"ExposureTime": 20_000.0, "Gain": 3})
    settled = source.settled_controls()
    source.release()
    assert (settled["ExposureTime"], settled["Gain"], settled["GainAuto"]) == (20_000.0, 3.0, "Off")
    again = AravisSource(parse_name(fake), SIZE, settled)
    assert again.settled_controls() == settled
    again.release()


@pytest.mark.parametrize("control", [{"Warp": 9}, {"ExposureTime": "long"}, {"GainAuto": "Sometimes"}])
def test_a_control_that_it_does_not_have_is_named(fake: str, control: dict[str, object]) -> None:
    with pytest.raises(CameraError, match=f"does not accept the control {next(iter(control))}="):
        open_camera(fake, controls=control)


def test_it_is_known_by_its_serial_number_and_tells_its_formats(fake: str) -> None:
    for name in (fake, "aravis:", "aravis:127.0.0.1"):
        identity = camera_identity(name)
        assert identity is not None
        assert (identity.name, identity.serial) == (fake, SERIAL)
    details = camera_details(fake)
    assert details.model == "Aravis Fake"
    assert {"RGB8", "BayerRG8", "Mono8"} <= {each.name for each in details.formats}
    assert details.formats[0].offers((2048, 2048))
    assert [control.name for control in details.controls] == ["ExposureTime", "Gain"]


def test_one_that_is_not_there_is_told_with_those_that_are(fake: str) -> None:
    with pytest.raises(CameraError, match=f"found here: Aravis-Fake-{SERIAL}; check its power"):
        open_camera("aravis:Basler-1")


def test_a_format_that_it_does_not_have_is_told_with_those_that_can_be_read(fake: str) -> None:
    with pytest.raises(CameraError, match=r"no format 'Mono3'; choose one of BayerBG8, BayerGB8"):
        open_camera(f"{fake}?format=Mono3")


def test_without_aravis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(CameraError, match=r"`sudo apt install python3-gi gir1.2-aravis-0.8`"):
        open_camera("aravis:")
    assert camera_identity("aravis:") is not None


def test_the_drop_in_opens_the_address_of_a_camera_on_gigabit_ethernet() -> None:
    done = CliRunner().invoke(cli, ["cameras", "allow", "aravis:192.0.2.30"])
    assert "IPAddressAllow=192.0.2.30\n" in done.output
