"""DSLRs through libgphoto2, against its own virtual camera."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.cameras.drivers.gphoto2 import Gphoto2Source
from device.cameras.registry import camera_identity, open_camera
from device.cameras.uri import parse_name
from smear.errors import CameraError
from tests.device.cameras.contract.benches import VirtualDslrBench


@pytest.fixture
def virtual(tmp_path: Path) -> Iterator[str]:
    bench = VirtualDslrBench(tmp_path)
    if bench.missing:
        pytest.skip(bench.missing)
    bench.start()
    yield bench.name
    bench.close()


def test_it_is_known_by_its_model_and_opened_by_it_or_its_port(virtual: str) -> None:
    identity = camera_identity(virtual)
    assert identity is not None
    assert identity.name == "gphoto2:Nikon DSC D750"
    for name in (identity.name, "gphoto2:usb:001,001"):
        open_camera(f"{name}?capture=1").close()


def test_exposure_and_white_balance_are_those_of_the_calibration(virtual: str) -> None:
    source = Gphoto2Source(parse_name(virtual))
    settled = source.settled_controls()
    source.release()
    assert settled == {"f-number": "f/2.8", "shutterspeed": "0.0100s", "exposurecompensation": "0"}
    Gphoto2Source(parse_name(virtual), controls=settled).release()
    with pytest.raises(CameraError, match="does not accept warp=9"):
        open_camera(virtual, controls={"warp": 9})


def test_one_without_a_live_view_says_what_to_write(virtual: str) -> None:
    with pytest.raises(CameraError, match=r"one without a live view needs \?capture=1"):
        open_camera("gphoto2:")


def test_a_picture_of_the_live_view_is_given_once(virtual: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against stand-ins for pictures: the virtual camera has no live view."""
    source = Gphoto2Source(parse_name(virtual))
    source._whole = False
    shown = iter([b"one", b"one", b"two", b"two"])
    monkeypatch.setattr(source, "_previewed", lambda: next(shown, b"two"))
    assert [source.grab(), source.grab()] == [b"one", b"two"]
    threading.Timer(0.1, source.interrupt).start()
    source.grab()  # would not end
    source.release()


def test_one_that_is_not_there_is_told_with_those_that_are(virtual: str) -> None:
    with pytest.raises(CameraError, match=r"found here: Nikon DSC D750 \(usb:001,001\); switch it on"):
        open_camera("gphoto2:Canon EOS R5")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gphoto2", None)
    with pytest.raises(CameraError, match=r"pip install 'smearscope\[gphoto2\]'"):
        open_camera("gphoto2:")
