"""The state of the board for each record: temperature, throttling and undervoltage."""

from dataclasses import dataclass
from pathlib import Path

_TEMPERATURE = "class/thermal/thermal_zone0/temp"
_THROTTLED = "devices/platform/soc*/soc*:firmware/get_throttled"  # the Raspberry Pi kernel; soc@... on a Pi 5
_UNDERVOLTAGE = "in0_lcrit_alarm"  # of the hwmon device "rpi_volt", on kernels without get_throttled
_UNDERVOLTAGE_HAPPENED = 16
_UNDERVOLTAGE_NOW, _THROTTLED_NOW = 0b0001, 0b1110
_BITS = {
    0: "undervoltage now",
    1: "frequency capped now",
    2: "throttled now",
    3: "soft temperature limit now",
    16: "undervoltage happened",
    17: "frequency cap happened",
    18: "throttling happened",
    19: "soft temperature limit happened",
}
"""Bits of the firmware's get_throttled, as Raspberry Pi documents them for `vcgencmd get_throttled`."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the sensors of the board report; None where it has no such sensor."""

    temperature_c: float | None = None
    throttled: int | None = None  # bits as `vcgencmd get_throttled` gives them


def read_health(sys_folder: Path = Path("/sys")) -> Health:
    """Read the sensors of the board below `sys_folder`; a missing one gives None, not an error."""
    millidegrees = _read(sys_folder / _TEMPERATURE)
    return Health(temperature_c=int(millidegrees) / 1000 if millidegrees else None, throttled=_throttled(sys_folder))


def _throttled(sys_folder: Path) -> int | None:
    for file in sys_folder.glob(_THROTTLED):
        if text := _read(file):
            return int(text, 16)
    for name in sys_folder.glob("class/hwmon/hwmon*/name"):
        if _read(name) == "rpi_volt" and (alarm := _read(name.with_name(_UNDERVOLTAGE))):
            return int(alarm) << _UNDERVOLTAGE_HAPPENED
    return None


def slowed(bits: int | None) -> str:
    """Return what slows the board down now, in one word; "": nothing, or it does not tell."""
    if not bits:
        return ""
    return "undervoltage" if bits & _UNDERVOLTAGE_NOW else "throttled" if bits & _THROTTLED_NOW else ""


def throttle_words(bits: int) -> list[str]:
    """Return the meanings of the bits that are set in `throttled`."""
    return [words for bit, words in _BITS.items() if bits >> bit & 1]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
