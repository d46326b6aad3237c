"""Micro-Manager's cameras, against its own demo camera."""

import sys
from pathlib import Path

import numpy as np
import pytest

from device.cameras.drivers.micromanager import MicroManagerSource
from device.cameras.registry import open_camera
from device.cameras.uri import parse_name
from smear.errors import CameraError
from tests.device.cameras.contract.benches import MicroManagerBench
from tests.device.cameras.contract.card import SIZE, card

FRAME_S = 10.0


@pytest.fixture
def demo(tmp_path: Path) -> MicroManagerBench:
    bench = MicroManagerBench(tmp_path)
    if bench.missing:
        pytest.skip(bench.missing)
    bench.start()
    return bench


def test_sixteen_bits_a_channel_become_the_same_colours(demo: MicroManagerBench) -> None:
    demo.pixel_type = "64bitRGB"  # which the demo camera fills with waves
    demo.start()
    source = MicroManagerSource(parse_name(demo.name))
    assert source.to_rgb(source.grab()).shape == (SIZE[1], SIZE[0], 3)
    words = np.dstack([card()[..., ::-1], np.zeros(SIZE[::-1], np.uint8)]).astype(np.uint16) << 8
    assert (source.to_rgb(words.view(np.uint64)[..., 0]) == card()).all()
    source.release()


@pytest.mark.parametrize("pixel_type", ["8bit", "16bit"])
def test_grey_is_grey_in_all_three_channels(demo: MicroManagerBench, pixel_type: str) -> None:
    demo.pixel_type = pixel_type
    demo.start()
    camera = open_camera(demo.name)
    image = camera.read(FRAME_S).image
    camera.close()
    assert (np.ptp(image, axis=2).max(), np.ptp(image) > 100) == (0, True)


def test_exposure_and_gain_are_those_of_the_calibration(demo: MicroManagerBench) -> None:
    source = MicroManagerSource(parse_name(demo.name), controls={"Exposure": 7.5, "Gain": 2})
    settled = source.settled_controls()
    source.release()
    assert {name: float(value) for name, value in settled.items()} == {"Exposure": 7.5, "Gain": 2.0}
    with pytest.raises(CameraError, match=r"cannot be started: .*Warp"):
        open_camera(demo.name, controls={"Warp": 9})


def test_a_configuration_that_cannot_be_loaded_says_why(demo: MicroManagerBench, tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no such file; give Micro-Manager's configuration"):
        open_camera(f"micromanager:{tmp_path / 'none.cfg'}")
    (tmp_path / "other.cfg").write_text("Device,Camera,Andor,Andor\n")
    with pytest.raises(CameraError, match=r"cannot be loaded: .*Andor.*; its adapters are looked for beside"):
        open_camera(f"micromanager:{tmp_path / 'other.cfg'}")
    (tmp_path / "stage.cfg").write_text("Property,Core,Initialize,1\n")
    with pytest.raises(CameraError, match="has no default camera"):
        open_camera(f"micromanager:{tmp_path / 'stage.cfg'}")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymmcore", None)
    with pytest.raises(CameraError, match=r"pip install 'smearscope\[micromanager\]'"):
        open_camera("micromanager:x.cfg")
