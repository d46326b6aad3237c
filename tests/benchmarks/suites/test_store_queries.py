"""The store that `bench records` fills is one that the device reads."""

from benchmarks.suites.store_queries import build, queries
from device.store import Store


def test_a_filled_store_grows_and_every_question_finds_what_it_asks_for(tmp_path):
    for records in (1_000, 4_000):
        build(tmp_path, records)
        with Store.read(tmp_path) as store:
            slides = store.slides(1_000)
            assert sum(slide.tally.accepted for slide in slides) == records
            assert all(len(list(store.all_fields(slide.id))) == slide.tally.accepted for slide in slides)
            assert len(store.cells(records)) == 8
            assert all(ask() for ask in queries(store).values())
