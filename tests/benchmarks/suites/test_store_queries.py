"""The store that `bench records` fills is one that the device reads."""

from pathlib import Path

from benchmarks.suites.store_queries import Timing, build, queries, too_slow
from device.store import Store


def test_a_filled_store_grows_and_every_query_finds_something(tmp_path: Path) -> None:
    for records in (1_000, 4_000):
        build(tmp_path, records)
        with Store.read(tmp_path) as store:
            slides = store.slides(1_000)
            assert sum(slide.tally.accepted for slide in slides) == records
            assert all(len(list(store.all_fields(slide.id))) == slide.tally.accepted for slide in slides)
            assert len(store.cells(records)) == 8
            assert all(query() for query in queries(store).values())


def test_a_query_over_the_limit_is_named_and_a_whole_command_has_no_limit() -> None:
    slow = Timing(1000, "list, newest", 1, 10.0, 51.0, 1.0)
    command = Timing(1000, "whole command: slides list", 1, 400.0, 500.0, 1.0)
    (fault,) = too_slow([slow, command])
    assert "list, newest with 1000 fields takes 51 ms" in fault
