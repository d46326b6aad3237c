"""The calibration wizard: white balance, even light, scale and best focus, each before the live picture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import bar
from device.screen.layout import ScreenState, draw_picture
from device.screen.navigation.page import Back, Control, Home, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row, panel
from device.screen.pages.typed import TypedPage
from device.screen.pages.upkeep.steps import STEPS, Step, look, result

DIVISIONS_UM = (10.0, 20.0, 50.0, 100.0)  # of usual stage micrometres
LOOK_S = 1.0  # between two looks at the live picture: looking for lines takes 40 ms
MEASURED = "It is measured, stored and in use."
LOOKING = "Looking at the picture …"


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationPage(Page):
    """One step of the calibration."""

    shows_live: ClassVar[bool] = True

    profile: Mapping[str, Any]  # in use, as `calibrate` answers
    at: int = 0
    division: int = 0
    now: tuple[str, bool] = (LOOKING, True)  # of the live picture, and whether it is right
    looked_s: float | None = None  # at a picture of that time; None: at none in this step

    @property
    def step(self) -> Step:
        """What is calibrated."""
        return STEPS[self.at]

    @property
    def title(self) -> str:
        """Name the step."""
        number, count, t_step = self.at + 1, len(STEPS), self.step.title
        return f"Calibrate, step {number} of {count}: {t_step}"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the live picture, and beside it what to do, what is wrong, and what was measured."""
        px, theme, gap = places.text_px, canvas.theme, places.gap
        shown, side = self._boxes(places)
        draw_picture(canvas, replace(places, picture=shown), live, outlines=False)
        to_do, now, measured = side.rows((5, 5, 6), gap)
        found = result(self.step, self.profile)
        said, good = self.now
        panel(canvas, to_do, px, "What to do", [(self.step.to_do, theme.text)])
        if self.step.kind == "focus":
            now, meter = now.rows((3, 1))
            canvas.fill(meter, theme.panel)
            bar(canvas, meter.inset(px // 2, meter.height // 4), live.focus.share, theme.quiet, (1.0,))
        panel(canvas, now, px, "The picture now" if good else "What is wrong now",
              [(said, theme.text if good else theme.warning)])  # fmt: skip
        rows = [(found or "Nothing is measured for this camera and objective.", theme.text)]
        belongs = (f"Camera {live.camera}, objective {self.profile['objective']}.", theme.quiet)
        rows += [(each, theme.warning) for each in self.profile["warnings"][:1]] or [belongs]
        panel(canvas, measured, px, "Result", rows)
        return button_row(canvas, places.row, px, self._buttons(live, bool(found)))

    def redraw(self, canvas: Canvas, places: Places, live: ScreenState) -> bool:
        """Draw the picture alone."""
        draw_picture(canvas, replace(places, picture=self._boxes(places)[0]), live, outlines=False)
        return True

    def _boxes(self, places: Places) -> tuple[Box, Box]:
        shown, side = places.body.along((1, 1), places.gap)
        return shown, side

    def _buttons(self, live: ScreenState, again: bool) -> tuple[Item, ...]:
        last, apart = self.at == len(STEPS) - 1, DIVISIONS_UM[self.division]
        ruling = (
            Item("division", f"Lines {apart:.0f} µm apart", "l", help="how far apart the lines are"),
            Item("type", "Type it", "t", help="type the micrometres of one pixel"),
        )
        return (
            BACK,
            Item("step", "Step before", "b", self.at > 0, -1),
            Item("measure", "Measure again" if again else "Measure", "m", live.frame is not None),
            *(ruling if self.step.kind == "scale" else ()),
            Item("done", "Done", "n") if last else Item("step", "Next step", "n", value=1),
        )

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Measure, or go to another step."""
        match pressed:
            case Control("measure"):
                apart = {"division_um": DIVISIONS_UM[self.division]} if self.step.kind == "scale" else {}
                return Perform("calibrate", {"kind": self.step.kind, **apart}, self._measured)
            case Control("step", value=way):
                return Stay(replace(self, at=self.at + way, now=look(STEPS[self.at + way], live), looked_s=None))
            case Control("division"):
                return Stay(replace(self, division=(self.division + 1) % len(DIVISIONS_UM)))
            case Control("type"):
                return Open(TypedPage("How many micrometres has one pixel?", "Micrometres, such as 0.25", self._typed))
            case Control("done"):
                return Back()
        return Notice()

    def _measured(self, answer: Mapping[str, Any]) -> Outcome:
        return Stay(replace(self, profile=answer), MEASURED)

    def _typed(self, text: str) -> Outcome:
        try:
            size = float(text.replace(",", "."))
        except ValueError:
            return Notice(f"{text!r} is no number of micrometres; type one such as 0.25.")
        request = {"kind": "scale", "pixel_size_um": size}
        return Perform("calibrate", request, lambda answer: Home(replace(self, profile=answer), MEASURED))

    def fed(self, live: ScreenState) -> Page:
        """Look at the live picture again, once a second."""
        at = live.frame.monotonic_s if live.frame is not None else None
        if at is not None and self.looked_s is not None and abs(at - self.looked_s) < LOOK_S:
            return self
        return replace(self, now=look(self.step, live), looked_s=at)


def open_calibration() -> Outcome:
    """Open the wizard with what is in use."""
    return Perform("calibration in use", {}, lambda answer: Open(CalibrationPage(answer)))
