"""A deadline for every inference: the supervisor sees when it is over."""

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from device.session.supervisor import Pulse
from smear.inference.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the steps of one field may take."""

    invoke_s: float = 8.0  # one inference; int8 took 0.3 s at most of 16,000 with 20 processes on two cores
    field_s: float = 60.0  # everything but recording: up to 48 cells
    record_s: float = 20.0  # beyond what the store waits for a locked database
    load_s: float = 90.0  # both models with their proof from a cold SD card

    @classmethod
    def of(cls, watchdog_s: float | None, busy_timeout_s: float) -> Self:
        """Return those of a session: an inference that hangs is named before the watchdog ends the process silently."""
        usual = cls()
        invoke_s = min(usual.invoke_s, 0.6 * (watchdog_s or math.inf))
        return replace(usual, invoke_s=invoke_s, record_s=usual.record_s + busy_timeout_s)


class InvokeDeadline:
    """Gives every inference of a session's models a deadline."""

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self.deadlines = deadlines or Deadlines()
        self.pulse: Pulse | None = None  # of the inference worker's run; None while nothing is examined yet

    def wrap(self, role: str, model: Runtime) -> Runtime:
        """Return `model` with the deadline."""
        return _Timed(role, model, self)


class _Timed:
    def __init__(self, role: str, model: Runtime, deadline: InvokeDeadline) -> None:
        self.name, self.input_shape, self.output_shape = model.name, model.input_shape, model.output_shape
        self._what = f"an inference of the {role}"
        self._model = model
        self._deadline = deadline

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the model's answer; see `smear.inference.runtime.Runtime`."""
        pulse = self._deadline.pulse
        with pulse.doing(self._what, self._deadline.deadlines.invoke_s) if pulse else nullcontext():
            return self._model.invoke(tensor)

    def close(self) -> None:
        """Free the interpreter."""
        self._model.close()
