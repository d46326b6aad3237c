import sys
from pathlib import Path

import pytest

from benchmarks.progress import ignore_progress
from benchmarks.schema import BenchmarkError
from benchmarks.suites.archive import Throughput, draw_archive, measure_archive

# In place of `analyze`: notes the number of workers, and gives a result for each picture but those that are lost.
ANALYZE = """
import pathlib, sys, time
lost, log, _, workers, _, out, path = sys.argv[1:]
pictures = list(pathlib.Path(path).iterdir())
with open(log, "a") as file:
    print(workers, file=file)
time.sleep(0.02 * len(pictures) / int(workers))
pathlib.Path(out).write_text('{"total_ms": 5.0}\\n' * (len(pictures) - int(lost)))
"""


def command(folder: Path, lost: int = 0) -> list[str]:
    (folder / "analyze.py").write_text(ANALYZE)
    return [sys.executable, "-S", str(folder / "analyze.py"), str(lost), str(folder / "log")]


def test_numbers_of_workers_take_turns_and_are_compared_with_one(tmp_path: Path) -> None:
    draw_archive(tmp_path / "pictures", 6, ignore_progress)
    one, two = measure_archive(command(tmp_path), tmp_path / "pictures", (2,), 3, tmp_path, ignore_progress)
    assert (tmp_path / "log").read_text().split() == ["1", "2", "2", "1", "1", "2"]
    assert (one.workers, one.pipeline_ms, one.efficiency) == (1, 5.0, (1.0, 1.0, 1.0))
    assert one.megabytes_per_s > 0
    assert str(two).startswith("workers: 2, pictures a second: ")
    assert two.efficiency[1] <= two.efficiency[0] <= two.efficiency[2]


def test_every_drawn_picture_has_a_content_of_its_own(tmp_path: Path) -> None:
    draw_archive(tmp_path / "pictures", 27, ignore_progress)
    assert len({path.read_bytes() for path in (tmp_path / "pictures").iterdir()}) == 27


@pytest.mark.parametrize(
    ("pictures", "lost", "reason"), [(0, 0, "no picture in it"), (2, 1, "1 results of 2 pictures")]
)
def test_no_rate_is_given_where_pictures_are_missing(pictures: int, lost: int, reason: str, tmp_path: Path) -> None:
    draw_archive(tmp_path / "pictures", pictures, ignore_progress)
    with pytest.raises(BenchmarkError, match=reason):
        measure_archive(command(tmp_path, lost), tmp_path / "pictures", (1,), 3, tmp_path, ignore_progress)


@pytest.mark.parametrize(("workers", "efficiency", "faults"), [(2, 0.93, 0), (2, 0.92, 1), (4, 0.5, 0)])
def test_only_two_workers_have_a_limit(workers: int, efficiency: float, faults: int) -> None:
    row = Throughput(workers, 9.0, 1.0, 1.0, 1.0, (efficiency, efficiency, efficiency))
    assert len(row.faults()) == faults
