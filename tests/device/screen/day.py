"""A session in a window for tests with a real X server: prints the page and the slide whenever they change."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from device.control.record_answers import record_answers
from device.screen.display import Display
from device.screen.displays import open_display
from device.screen.navigation.navigator import Navigator
from device.screen.navigation.own_actions import OwnActions
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.settings import Settings
from device.store import Store
from device.store.names import checked_name
from device.store.recorder import Recorder
from device.store.records import SlideDetails
from device.system.clock import SystemClock
from device.system.process import set_process_defaults
from device.system.systemd import Journal
from smear.findings import Frame
from tests.device.faults import picture
from tests.device.findings import finding
from tests.device.screen.states import NORMAL


def main(data: Path) -> None:
    import pygame

    set_process_defaults(os.environ)
    clock, faults, settings = SystemClock(), ActiveFaults(Journal({})), Settings()
    with Store.record(data) as store:
        recorder = Recorder(store, make_tracker=None)

        def start(request: dict[str, str]) -> dict[str, int]:
            details = SlideDetails(request["operator"], specimen=request["specimen"])
            return {"slide": recorder.start_slide(checked_name(request["name"]), details)}

        answers = record_answers(data, settings) | {
            "slide start": start,  # type: ignore[dict-item]
            "slide end": lambda _: {"slide": recorder.end_slide()},
        }
        window: Display = open_display("window")
        shown = PatientDisplay(lambda: window, faults, clock)
        navigator = Navigator(shown, clock, faults, OwnActions(answers, recorder, settings, data, display=shown))
        said, number = "", 0
        try:
            while True:
                number += 1
                frame = Frame(picture(number), "test:", sequence=number)
                recorded = recorder.record(frame, finding())
                navigator.show(replace(NORMAL, slide=recorded.slide, field_id=recorded.field_id))
                if said != (said := f"{type(navigator.page).__name__} {recorded.slide}"):
                    print(said, flush=True)  # noqa: T201 - what the test reads
                pygame.time.wait(50)
        except KeyboardInterrupt:
            navigator.close()
            print("closed", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(Path(sys.argv[1]))
