"""A running session in a window for tests with a real X server: prints what stands on the screen when it changes."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from device.control.handlers import ControlHandlers
from device.control.record_answers import record_answers
from device.quality_control.measurements import QcTest
from device.quality_control.state import QcWatch
from device.screen.displays import open_display
from device.screen.live_screen import LiveScreen
from device.screen.navigation.navigator import Navigator
from device.screen.navigation.own_actions import OwnActions
from device.screen.pages.upkeep.calibration import CalibrationPage
from device.settings import CellSettings, QcSettings, Settings
from device.system.process import set_process_defaults
from smear.findings import Frame
from tests.device.cameras.calibration.test_ruling import ruling
from tests.device.faults import Bench, Microscope, picture

SETTINGS = Settings(cells=CellSettings(target=5), qc=QcSettings(required=True, tests=(QcTest.CALIBRATION,)))
PERIOD_S = 0.1  # between two frames: two cores also compose pictures and run the test
SHAPE = (480, 640)
GLASS = np.full((*SHAPE, 3), (215, 204, 193), np.uint8)  # as bright as the fields are found to be
UNDER = {"white": GLASS, "flat": GLASS, "scale": ruling(20, 0, shape=SHAPE)}


class Stage(Microscope):
    """Moves to what the open page asks for: clear glass, a ruling, or else from field to field."""

    navigator: Navigator

    def read(self, timeout_s: float) -> Frame:
        self.pace.wait(PERIOD_S)
        page = self.navigator.page
        asked = UNDER.get(page.step.kind) if isinstance(page, CalibrationPage) else None
        return self.frame(picture(self.frames, SHAPE) if asked is None else asked)


class Spoken(LiveScreen):
    """Prints a line of JSON whenever the screen changes."""

    _said = ""

    def idle(self, newest: Frame | None, lost: bool) -> None:
        super().idle(newest, lost)
        if (shown := self._navigator._composed) is not None:
            now: dict[str, Any] = {
                "page": f"{type(self._navigator.page).__name__} {self.state.slide}",
                "texts": "\n".join(each.text for each in shown.canvas.written),
                "controls": [
                    {
                        "name": each.name,
                        "value": each.value if isinstance(each.value, str | int) else None,
                        "key": each.key,
                        "at": [each.box.x + each.box.width // 2, each.box.y + each.box.height // 2],
                    }
                    for each in shown.controls
                    if each.usable
                ],
            }
            if self._said != (said := json.dumps(now)):
                self._said = said
                print(said, flush=True)  # noqa: T201 - what the test reads


def main(data: Path) -> None:
    set_process_defaults(os.environ)
    stage = Stage()
    bench = Bench(data, stage, open_display=lambda: open_display("window"), timeout_s=5.0)
    bench.recorder._quality_control = QcWatch(SETTINGS.qc)
    handlers = ControlHandlers(bench.feed, bench.examiner, bench.recorder, bench.faults, data, bench.clock)
    answers = record_answers(data, SETTINGS) | handlers.answers()
    act = OwnActions(answers, bench.recorder, SETTINGS, data, display=bench.display)
    bench.screen = Spoken(
        bench.display, bench.clock, bench.faults, bench.feed, act, 5.0, lambda: bench.processors.corrector.calibration
    )
    stage.navigator = bench.screen._navigator
    bench._run()
    bench.recorder.store.close()
    print("closed" if isinstance(bench.error, KeyboardInterrupt) else repr(bench.error), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(Path(sys.argv[1]))
