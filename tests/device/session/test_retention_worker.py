"""Records let go of while the device runs, and what keeps them from going is said."""

from device.session.active_faults import ActiveFaults
from device.session.retention_worker import RETENTION, RetentionWorker
from device.session.supervisor import Turn
from device.store import Retention, Store
from device.store.recorder import Recorder
from device.system.clock import ManualClock
from device.system.systemd import Journal
from smear.errors import StoreError
from tests.device.findings import finding, frame

DAY_S = 86_400.0


def test_records_past_their_age_go_while_the_device_runs(tmp_path, monkeypatch):
    clock, turn = ManualClock(wall_s=1_700_000_000.0), None
    with Store.record(tmp_path, Retention(max_age_days=1), clock) as store:
        turn, faults = Turn(clock), ActiveFaults(Journal({}))
        slide = store.start_slide("long")
        store.add_field(slide, frame(1), finding())
        forget_old, left = store.forget_old, []

        def forget(date_is_known: bool) -> int:
            removed = forget_old(date_is_known)
            left.append(len(store.fields(slide)))
            clock.advance(2 * DAY_S)
            if len(left) == 2:
                turn.stop.set()
            return removed

        monkeypatch.setattr(store, "forget_old", forget)
        RetentionWorker(Recorder(store), faults, lambda: True, every_s=0.001).work(turn)
        assert left == [1, 0]
        assert store.slide(slide).tally.accepted == 1


def test_a_disk_that_refuses_is_a_fault_until_it_does_not(tmp_path, monkeypatch):
    with Store.record(tmp_path) as store:
        turn, faults, said = Turn(ManualClock()), ActiveFaults(Journal({})), []

        def forget(date_is_known: bool) -> int:
            said.append(dict(faults.current))
            if len(said) == 1:
                raise StoreError("the disk is read-only")
            if len(said) == 3:
                turn.stop.set()
            return 0

        monkeypatch.setattr(store, "forget_old", forget)
        RetentionWorker(Recorder(store), faults, lambda: True, every_s=0.001).work(turn)
    assert said == [{}, {RETENTION: "records past their age stay: the disk is read-only"}, {}]
