"""Clock and board: what a record says of the machine."""

from device.system.clock import ManualClock, boot_id, clock_synced
from device.system.health import Health, read_health, throttle_words


def _write(path, text):  # type: ignore[no-untyped-def]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_pi_tells_its_temperature_and_throttling(tmp_path):
    _write(tmp_path / "class/thermal/thermal_zone0/temp", "61500\n")
    _write(tmp_path / "devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    assert read_health(tmp_path) == Health(61.5, 0x50005)
    assert throttle_words(0x50005) == [
        "undervoltage now",
        "throttled now",
        "undervoltage happened",
        "throttling happened",
    ]


def test_a_kernel_without_the_firmware_file_still_tells_of_undervoltage(tmp_path):
    _write(tmp_path / "class/hwmon/hwmon0/name", "cpu_thermal\n")
    _write(tmp_path / "class/hwmon/hwmon1/name", "rpi_volt\n")
    _write(tmp_path / "class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert throttle_words(read_health(tmp_path).throttled) == ["undervoltage happened"]


def test_another_machine_has_neither(tmp_path):
    assert read_health(tmp_path) == Health(None, None)


def test_the_boot_has_a_name_that_stays():
    assert boot_id() == boot_id()
    assert clock_synced() in {True, False, None}


def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock(10.0, 1000.0)
    clock.advance(5)
    clock.jump(-3600)
    assert (clock.monotonic_s(), clock.wall_s()) == (15.0, 1005.0 - 3600)
