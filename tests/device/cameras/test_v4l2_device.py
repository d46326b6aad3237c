"""What a V4L2 device says of itself, asked of a stand-in for the kernel that answers as a webcam does."""

import errno
import struct
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from device.cameras.base import CameraDetails, Control, PixelFormat
from device.cameras.v4l2_device import inspect_device, query_capability, set_control, settled_controls
from device.cli import cli

MJPG, YUYV = (int.from_bytes(name, "little") for name in (b"MJPG", b"YUYV"))
SIZES = {MJPG: [(1920, 1080), (640, 480)], YUYV: [(640, 480)]}
STEPPED = PixelFormat("YUYV", "raw", steps=((32, 640, 16), (32, 480, 8)))

Ioctl = Callable[[int, int, bytearray], None]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Answer in place of the kernel: `ioctl` is called, at first a webcam's."""
    stand_in = SimpleNamespace(ioctl=webcam)
    monkeypatch.setattr("device.cameras.v4l2_device.fcntl", stand_in)
    return stand_in


def webcam(handle: int, request: int, reply: bytearray) -> None:
    """Answer as uvcvideo does; layouts by hand from <linux/videodev2.h>."""
    if request == 0x80685600:  # VIDIOC_QUERYCAP
        reply[:] = struct.pack("16s32s32sIII12x", b"uvcvideo", b"Scope 5", b"usb", 0, 0x84A00001, 0x04200001)
    elif request == 0xC0405602:  # VIDIOC_ENUM_FMT
        index = struct.unpack_from("I", reply)[0]
        struct.pack_into("32sI", reply, 12, (b"Motion-JPEG", b"YUYV 4:2:2")[at(index, 2)], (MJPG, YUYV)[index])
    elif request == 0xC02C564A:  # VIDIOC_ENUM_FRAMESIZES
        index, code = struct.unpack_from("II", reply)
        struct.pack_into("III", reply, 8, 1, *SIZES[code][at(index, len(SIZES[code]))])
    elif request == 0xC0445624:  # VIDIOC_QUERYCTRL, the next one
        after = struct.unpack_from("I", reply)[0] & 0x7FFFFFFF
        if after >= 0x980900:
            raise OSError(errno.EINVAL, "no more")
        struct.pack_into("II32siiiiI", reply, 0, 0x980900, 1, b"Brightness", -64, 64, 1, 0, 0)
    elif request == 0xC008561B:  # VIDIOC_G_CTRL
        struct.pack_into("i", reply, 4, -7)


def at(index: int, length: int) -> int:
    if index >= length:
        raise OSError(errno.EINVAL, "no more")
    return index


def test_formats_sizes_and_controls_are_what_the_kernel_tells(kernel: SimpleNamespace) -> None:
    assert inspect_device("/dev/null") == CameraDetails(
        "Scope 5",
        (
            PixelFormat("MJPG", "Motion-JPEG", ((640, 480), (1920, 1080))),
            PixelFormat("YUYV", "YUYV 4:2:2", ((640, 480),)),
        ),
        (Control("Brightness", -7, -64, 64, 1, 0),),
    )


def with_controls(values: dict[int, int]) -> Ioctl:
    """Answer as a camera with these controls, which takes no exposure by hand while its automatic is on."""

    def answer(handle: int, request: int, reply: bytearray) -> None:
        number, value = struct.unpack("Ii", reply)
        if number not in values:
            raise OSError(errno.EINVAL, "no such control")
        if request == 0xC008561C:  # VIDIOC_S_CTRL
            if number == 0x009A0902 and values[0x009A0901] != 1:
                raise OSError(errno.EACCES, "the automatic is on")
            values[number] = value
        struct.pack_into("i", reply, 4, values[number])

    return answer


def test_a_calibration_keeps_exposure_white_balance_and_focus_and_switches_their_automatics_off(
    kernel: SimpleNamespace,
) -> None:
    # auto_exposure, exposure_time_absolute, white_balance_automatic, white_balance_temperature, focus_...
    values = {0x009A0901: 3, 0x009A0902: 156, 0x0098090C: 1, 0x0098091A: 4600, 0x009A090C: 1, 0x009A090A: 40}
    kernel.ioctl = with_controls(values)
    kept = settled_controls("/dev/null")
    assert kept == {
        "auto_exposure": 1,
        "white_balance_automatic": 0,
        "focus_automatic_continuous": 0,
        "exposure_time_absolute": 156,
        "white_balance_temperature": 4600,
        "focus_absolute": 40,
    }
    values |= {0x009A0901: 3, 0x009A0902: 999, 0x0098091A: 6500}  # plugged out and in: the automatics are on again
    for name, value in kept.items():
        set_control("/dev/null", name, value)
    assert list(values.values()) == [1, 156, 0, 4600, 0, 40]


def test_a_control_that_the_camera_does_not_have_is_an_error(kernel: SimpleNamespace) -> None:
    kernel.ioctl = with_controls({})
    with pytest.raises(OSError, match="no such control"):
        set_control("/dev/null", "gain", 3)


def test_a_size_in_steps_is_offered_inside_its_range_and_on_its_grid() -> None:
    assert STEPPED.offers((320, 240))
    assert not STEPPED.offers((321, 240))
    assert not STEPPED.offers((1280, 480))


def test_a_driver_that_never_ends_its_lists_does_not_hang_us(kernel: SimpleNamespace) -> None:
    kernel.ioctl = lambda handle, request, reply: None
    details = inspect_device("/dev/null")
    assert len(details.formats) == 500


def test_what_is_no_device_is_an_error() -> None:
    with pytest.raises(OSError, match="ioctl"):
        inspect_device("/dev/null")


@pytest.fixture
def attached(kernel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    details = inspect_device("/dev/null")
    monkeypatch.setattr("device.cameras.v4l2._find_device", lambda target: 0)
    monkeypatch.setattr("device.cameras.v4l2.inspect_device", lambda target: details)


def test_cameras_show_lists_what_a_camera_offers(attached: None, tmp_path) -> None:  # type: ignore[no-untyped-def]
    shown = CliRunner().invoke(cli, ["cameras", "show", "v4l2:/dev/video0", "--data", str(tmp_path)])
    assert shown.exit_code == 0
    assert "MJPG (Motion-JPEG): 640x480, 1920x1080" in shown.stdout
    assert "Brightness = -7 (-64 to 64" in shown.stdout
    as_json = CliRunner().invoke(cli, ["cameras", "show", "v4l2:/dev/video0", "--json", "--data", str(tmp_path)])
    assert '"model": "Scope 5"' in as_json.stdout


def test_cameras_list_names_every_kind_and_the_one_the_service_would_use(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "c.toml").write_text('[camera]\nname = "simulated:7"\n')
    where = ["--config", str(tmp_path / "c.toml"), "--data", str(tmp_path)]
    shown = CliRunner().invoke(cli, ["cameras", "list", *where])
    assert all(kind in shown.stdout for kind in ("picamera2:[index]", "v4l2:/dev/video0", "files:PATH"))
    assert "the service would use simulated:7, its own size, objective default" in shown.stdout


@pytest.mark.parametrize(("size", "code"), [((1920, 1080), 0), ((1280, 720), 1)])
def test_config_check_knows_the_sizes_that_the_camera_offers(attached: None, tmp_path, size, code) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "c.toml"
    path.write_text(f'[camera]\nname = "v4l2:/dev/video0"\nwidth = {size[0]}\nheight = {size[1]}\n')
    done = CliRunner().invoke(cli, ["config", "check", "--config", str(path)])
    assert done.exit_code == code, done.output
    assert ("c.toml:3: camera.width: v4l2:/dev/video0 does not offer 1280x720" in done.output) == bool(code)


@pytest.mark.parametrize(
    ("all_nodes", "this_node", "is_camera"),
    [
        (0x84A00001, 0x04200001, True),  # the picture node of a webcam, as uvcvideo reports it
        (0x84A00001, 0x04A00000, False),  # its metadata node
        (0x04000001, 0, True),  # an old driver, which tells only of the node
    ],
)
def test_a_metadata_node_is_no_camera(kernel: SimpleNamespace, all_nodes: int, this_node: int, is_camera: bool) -> None:
    def answer(handle: int, request: int, reply: bytearray) -> None:
        reply[:] = struct.pack("16s32s32sIII12x", b"uvcvideo", b"Scope", b"usb", 0, all_nodes, this_node)

    kernel.ioctl = answer
    assert query_capability(0).captures is is_camera
