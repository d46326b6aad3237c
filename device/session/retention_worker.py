"""The part that lets records go when they are past their age, while fields are examined."""

from collections.abc import Callable

from device.session.active_faults import ActiveFaults
from device.session.supervisor import Turn
from device.store.recorder import Recorder
from smear.errors import StoreError

RETENTION = "retention"
_EVERY_S = 600.0  # an age is given in days


class RetentionWorker:
    """Forgets old records again and again; `work` is a supervised part."""

    def __init__(
        self, recorder: Recorder, faults: ActiveFaults, date_is_known: Callable[[], bool], every_s: float = _EVERY_S
    ) -> None:
        self._recorder = recorder
        self._faults = faults
        self._date_is_known = date_is_known
        self._every_s = every_s

    def work(self, turn: Turn) -> None:
        """Forget until told to stop."""
        while not turn.stop.wait(self._every_s):
            try:
                self._recorder.store.forget_old(self._date_is_known())
            except StoreError as error:
                self._faults.report(RETENTION, f"records past their age stay: {error}")
            else:
                self._faults.resolve(RETENTION)
