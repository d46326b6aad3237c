"""`aravis:` industrial cameras by GenICam (GigE Vision, USB3 Vision) through Aravis, of Debian's packages.

Pixel formats are named as the GenICam PFNC has them: BayerRG8 has red in the first pixel of the first row.
"""

import contextlib
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from device.cameras.base import (
    AUTOMATICS_SETTLE_FRAMES,
    CameraDetails,
    CameraIdentity,
    CameraKind,
    Control,
    Grant,
    PixelFormat,
    size_difference,
)
from device.cameras.network.address import numeric_drop_in
from device.cameras.threaded_camera import live
from device.cameras.uri import CameraName
from smear.errors import CameraError

GRAB_TIMEOUT_S = 5.0  # longer than any exposure used in bright field
_SLICE_US = 100_000  # of waiting, between two looks at whether to go on
_BUFFERS = 4  # one is filled while another is read; more would only be older
_MOSAICS = {"RG": "RGGB", "GR": "GRBG", "GB": "GBRG", "BG": "BGGR"}
_FORMAT = re.compile(r"(?:(RGB|BGR)8(?:Packed)?|Bayer(RG|GR|GB|BG)(8|10|12|16)|Mono(8|10|12|16))")
_PREFERRED = ("RGB8", "BGR8", "BayerRG8", "BayerGR8", "BayerGB8", "BayerBG8")
_AUTOMATICS = ("ExposureAuto", "GainAuto", "BalanceWhiteAuto")
_COLOURS = ("Red", "Green", "Blue")
_OFF = "Off"


class AravisSource:
    """`aravis:[ID or address][?format=BayerRG8]`."""

    def __init__(
        self, name: CameraName, size: tuple[int, int] | None = None, controls: Mapping[str, Any] | None = None
    ) -> None:
        """Open and start the camera.

        Raises:
            CameraError: Aravis is not installed, there is no such camera, or it lacks one of `controls`.
        """
        self._name = name.text
        self._aravis, self._failure = _library(name)
        self._over = over = threading.Event()  # lost, or to be closed
        with _opened(name) as self._camera:
            # By the event alone: what holds this source as well would keep the camera after a failure below.
            self._lost = self._camera.get_device().connect("control-lost", lambda _: over.set())
            self._format = self._chosen_format(name.options.get("format", ""))
            self._camera.set_pixel_format_from_string(self._format)
            granted = self._region(size)
            self._set_controls(controls or {})
            self._stream = self._started()
        mono = self._format.startswith("Mono")
        grey = (f"camera {self._name} is grey, and a stained smear needs colour: use another camera",) if mono else ()
        self.granted = Grant(granted, self._format, size_difference(self._name, size, granted) + grey)

    def grab(self) -> tuple[bytes, int, int]:
        """Return the data, width and height of the next picture; incomplete ones are passed over."""
        for _ in range(int(GRAB_TIMEOUT_S * 1e6 / _SLICE_US)):
            if self._over.is_set():
                break
            buffer = self._stream.timeout_pop_buffer(_SLICE_US)
            if buffer is None:
                continue
            whole = buffer.get_status() == self._aravis.BufferStatus.SUCCESS
            found = (buffer.get_data(), buffer.get_image_width(), buffer.get_image_height()) if whole else None
            self._stream.push_buffer(buffer)
            if found is not None:
                return found
        raise CameraError(f"camera {self._name} stopped giving pictures; check its cable and power")

    def to_rgb(self, raw: tuple[bytes, int, int]) -> np.ndarray:
        """Return RGB uint8 (H, W, 3)."""
        return picture_of(*raw, self._format)

    def settled_controls(self) -> dict[str, Any]:
        """Return GenICam's features that switch the automatics off and keep exposure, gain and white balance."""
        camera = self._camera
        kept: dict[str, Any] = {name: _OFF for name in _AUTOMATICS if camera.is_feature_available(name)}
        if camera.is_exposure_time_available():
            kept["ExposureTime"] = camera.get_exposure_time()
        if camera.is_gain_available():
            kept["Gain"] = camera.get_gain()
        if camera.is_feature_available("BalanceRatioSelector"):
            for colour in _COLOURS:
                with contextlib.suppress(self._failure):  # many have no ratio of green
                    camera.set_string("BalanceRatioSelector", colour)
                    kept[f"BalanceRatio{colour}"] = camera.get_float("BalanceRatio")
        return kept

    def interrupt(self) -> None:
        """End a `grab` in another thread."""
        self._over.set()

    def release(self) -> None:
        """Stop and close the camera."""
        with contextlib.suppress(self._failure):  # of one that is gone
            self._camera.stop_acquisition()
        self._camera.get_device().disconnect(self._lost)
        del self._stream, self._camera  # Aravis closes what nobody holds

    def _chosen_format(self, wanted: str) -> str:
        offered = list(self._camera.dup_available_pixel_formats_as_strings())
        readable = [name for name in offered if _FORMAT.fullmatch(name)]
        if wanted and wanted not in readable:
            raise CameraError(f"camera {self._name}: no format {wanted!r}; choose one of {', '.join(readable)}")
        best = [name for name in _PREFERRED if name in readable] + readable
        if not best:
            raise CameraError(f"camera {self._name} offers {', '.join(offered)}, none of which can be read")
        return wanted or best[0]

    def _region(self, size: tuple[int, int] | None) -> tuple[int, int]:
        """Ask for a region of `size` in the middle of the sensor; return what is granted."""
        camera = self._camera
        if size is not None:
            bounds = (camera.get_width_bounds(), camera.get_height_bounds())
            steps = (camera.get_width_increment(), camera.get_height_increment())
            fitting = [
                max(low, min(side, high)) // step * step
                for side, (low, high), step in zip(size, bounds, steps, strict=True)
            ]
            # 16: the mosaic and the increments of every sensor divide it.
            offsets = [(whole - side) // 32 * 16 for whole, side in zip(camera.get_sensor_size(), fitting, strict=True)]
            camera.set_region(0, 0, *fitting)  # first: no offset fits beside the old size
            if camera.is_region_offset_available():
                camera.set_region(*offsets, *fitting)
        granted = camera.get_region()
        return granted.width, granted.height

    def _set_controls(self, controls: Mapping[str, Any]) -> None:
        for control, value in controls.items():
            try:
                self._set(control, value)
            except (self._failure, TypeError, ValueError) as error:
                raise CameraError(
                    f"camera {self._name} does not accept the control {control}={value} ({error}); remove it from the "
                    "calibration, or calibrate again with this camera"
                ) from error

    def _set(self, control: str, value: Any) -> None:
        camera = self._camera
        if control == "ExposureTime":  # under three names, by the age of the camera's standard
            camera.set_exposure_time(float(value))
        elif control == "Gain":
            camera.set_gain(float(value))
        elif control.startswith("BalanceRatio") and control.removeprefix("BalanceRatio") in _COLOURS:
            camera.set_string("BalanceRatioSelector", control.removeprefix("BalanceRatio"))
            camera.set_float("BalanceRatio", float(value))
        elif isinstance(value, bool):
            camera.set_boolean(control, value)
        elif isinstance(value, str):
            camera.set_string(control, value)
        elif isinstance(value, int):
            camera.set_integer(control, value)
        else:
            camera.set_float(control, float(value))

    def _started(self) -> Any:
        camera = self._camera
        if camera.is_gv_device():  # raw packets need a capability that the service does not have
            camera.gv_set_stream_options(self._aravis.GvStreamOption.PACKET_SOCKET_DISABLED)
        with contextlib.suppress(self._failure):  # free-running also where it was left in a trigger mode
            camera.clear_triggers()
        camera.set_acquisition_mode(self._aravis.AcquisitionMode.CONTINUOUS)
        stream = camera.create_stream(None, None)
        if camera.is_gv_device():  # else a picture of more than 200 kB loses packets
            stream.set_property("socket-buffer", self._aravis.GvStreamSocketBuffer.AUTO)
        payload = camera.get_payload()
        for _ in range(_BUFFERS):
            stream.push_buffer(self._aravis.Buffer.new_allocate(payload))
        camera.start_acquisition()
        return stream


def picture_of(data: bytes, width: int, height: int, pixel_format: str) -> np.ndarray:
    """Return RGB uint8 (H, W, 3) of `data` in the PFNC's `pixel_format`; 10 to 16 bits lie in two bytes each.

    Raises:
        ValueError: there are fewer bytes than it takes.
    """
    found = _FORMAT.fullmatch(pixel_format)
    assert found is not None
    packed, mosaic, mosaic_bits, mono_bits = found.groups()
    if packed:
        picture = np.frombuffer(data, np.uint8, width * height * 3).reshape(height, width, 3)
        return picture if packed == "RGB" else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    bits = int(mosaic_bits or mono_bits)
    plane = np.frombuffer(data, np.uint8 if bits == 8 else "<u2", width * height).reshape(height, width)
    rgb = cv2.cvtColor(plane, getattr(cv2, f"COLOR_Bayer{_MOSAICS[mosaic]}2RGB") if mosaic else cv2.COLOR_GRAY2RGB)
    return rgb if bits == 8 else np.right_shift(rgb, bits - 8, dtype=np.uint16).astype(np.uint8)


def _library(name: CameraName) -> tuple[Any, type[Exception]]:
    """Return Aravis by PyGObject, and the error that it raises.

    Raises:
        CameraError: it is not installed.
    """
    gi = KIND.load(name)
    try:
        gi.require_version("Aravis", "0.8")
    except ValueError as error:
        raise CameraError(f"camera {name.text}: {error}; `{KIND.install}`") from error
    from gi.repository import Aravis, GLib

    return Aravis, GLib.Error


@contextlib.contextmanager
def _opened(name: CameraName) -> Iterator[Any]:
    """Give the camera; an error of Aravis inside the context says which cameras there are.

    Raises:
        CameraError: it is not there, or refuses something.
    """
    aravis, failure = _library(name)
    try:
        yield aravis.Camera.new(name.target or None)
    except failure as error:
        found = ", ".join(device for device, _, _ in _devices(aravis)) or "none"
        raise CameraError(
            f"camera {name.text} cannot be opened ({getattr(error, 'message', error)}); found here: {found}; check its "
            "power, cable and network, and that no other program uses it"
        ) from error


def _devices(aravis: Any) -> list[tuple[str, str, str]]:
    """Look for cameras, which takes a second; return id, address and serial number of each."""
    aravis.update_device_list()
    return [
        (aravis.get_device_id(index), aravis.get_device_address(index) or "", aravis.get_device_serial_nbr(index) or "")
        for index in range(aravis.get_n_devices())
    ]


def _identify(name: CameraName) -> CameraIdentity:
    """Return the camera with its serial, as it tells when it is looked for."""
    with contextlib.suppress(CameraError):  # without Aravis, opening it says so
        for device, address, serial in _devices(_library(name)[0]):
            if name.target in {"", device, address}:
                return CameraIdentity(f"aravis:{device}", serial)
    return CameraIdentity(f"aravis:{name.target}")


def _inspect(name: CameraName) -> CameraDetails:
    with _opened(name) as camera:
        steps = (
            (*camera.get_width_bounds(), camera.get_width_increment()),
            (*camera.get_height_bounds(), camera.get_height_increment()),
        )
        formats = [
            PixelFormat(found, "readable" if _FORMAT.fullmatch(found) else "not read here", steps=steps)
            for found in camera.dup_available_pixel_formats_as_strings()
        ]
        controls = [
            Control(control, round(value), round(bounds[0]), round(bounds[1]), 1, round(value))
            for control, value, bounds in (
                ("ExposureTime", camera.get_exposure_time(), camera.get_exposure_time_bounds()),
                ("Gain", camera.get_gain(), camera.get_gain_bounds()),
            )
        ]
        return CameraDetails(f"{camera.get_vendor_name()} {camera.get_model_name()}", tuple(formats), tuple(controls))


KIND = CameraKind(
    name="aravis",
    help="an industrial camera by GenICam: Basler, FLIR, IDS, Daheng, The Imaging Source, on USB 3 or the network",
    usage="aravis:[ID or address]",
    options={"format": "pixel format to ask for, such as BayerRG8"},
    open=live(lambda name, request: AravisSource(name, request.size, request.controls)),
    identify=_identify,
    inspect=_inspect,
    settle_frames=AUTOMATICS_SETTLE_FRAMES,
    takes_controls=True,
    drop_in=lambda name: numeric_drop_in(name, name.target),
    module="gi",
    install="sudo apt install python3-gi gir1.2-aravis-0.8",
)
