"""The first boot: a USB microscope's picture on the screen, a finger on a button, a cable pulled and put back."""

from collections.abc import Callable

from device.screen.layout import ScreenState
from device.screen.pages.live import LivePage
from device.screen.pages.new_slide import FIELDS, NewSlidePage
from device.screen.pages.slide import OpenSlidePage, asked_to_end
from device.screen.pages.summary import SummaryPage
from tests.device.screen.page_states import SUMMARY
from tests.virtual_device import container, image
from tests.virtual_device.machine.conftest import SETTLE_S, status, tap
from tests.virtual_device.qemu import Machine

Shows = Callable[[Machine, str], None]
SLIDES = "SELECT count(*) FROM slides"


def slides(machine: Machine) -> int:
    """Return how many slides are in the store."""
    return int(machine.out("sqlite3", "-readonly", "/var/lib/smearscope/smearscope.sqlite3", SLIDES))


def start_slide(machine: Machine, *, another: bool) -> None:
    """Name a slide on the screen and start it; `another`: one is open."""
    tap(machine, LivePage(), "slide")
    if another:
        tap(machine, OpenSlidePage(), "new")
    page = NewSlidePage(dict.fromkeys(FIELDS, ""))
    for character in "S-43":
        tap(machine, page, "key", character)
    tap(machine, NewSlidePage(dict.fromkeys(FIELDS, "S")), "start")


def test_the_boot_ends_with_the_service_at_work_on_the_microscope(first: Machine) -> None:
    told = status(first)
    assert told["camera"] == image.CAMERA
    assert told["faults"] == {}
    assert told["fields"] >= 1


def test_the_screen_shows_the_examined_field(first: Machine, shows: Shows) -> None:
    shows(first, "examined")


def test_a_slide_is_named_and_started_by_touch(first: Machine, shows: Shows) -> None:
    before, name = slides(first), status(first)["slide"]
    start_slide(first, another=True)
    container.until(lambda: slides(first) == before + 1, SETTLE_S, first.journal)
    container.until(lambda: status(first)["slide"] not in (name, None), SETTLE_S, first.journal)
    shows(first, "examined")


def test_a_slide_that_was_ended_is_not_on_the_screen(first: Machine, shows: Shows) -> None:
    tap(first, LivePage(), "slide")
    tap(first, OpenSlidePage(), "end")
    tap(first, asked_to_end(ScreenState()), "yes")
    tap(first, SummaryPage(SUMMARY, ended_now=True), "live")
    shows(first, "no-slide")
    start_slide(first, another=False)
    shows(first, "examined")


def test_a_driver_in_use_cannot_be_unloaded(first: Machine) -> None:
    refused = first.run("modprobe", "--remove", "v4l2loopback")
    assert refused.returncode != 0
    assert "in use" in refused.stderr


def test_the_driver_of_a_lost_microscope_can_be_unloaded_and_the_screen_says_what_is_missing(
    first: Machine, shows: Shows
) -> None:
    first.out("systemctl", "stop", "microscope@still")
    container.until(lambda: bool(status(first)["camera_lost"]), SETTLE_S, first.journal)
    # The service lets go of it between two attempts to open it.
    unloaded = lambda: first.run("modprobe", "--remove", "v4l2loopback").returncode == 0  # noqa: E731
    container.until(unloaded, SETTLE_S, first.journal)
    shows(first, "camera-lost")
    assert first.run("systemctl", "is-active", "smearscope").stdout == "active\n"


def test_the_microscope_comes_back_by_itself(first: Machine, shows: Shows) -> None:
    before = status(first)
    first.out("modprobe", "v4l2loopback")
    first.out("systemctl", "start", "microscope@still")
    container.until(lambda: status(first)["fields"] > before["fields"], SETTLE_S, first.journal)
    after = status(first)
    assert after["camera_opened"] > before["camera_opened"]
    assert not after["camera_lost"]
    shows(first, "examined")
