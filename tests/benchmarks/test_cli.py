from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.cli import REGRESSED, command
from benchmarks.interleaved import Effort
from benchmarks.reporting import output
from benchmarks.runner import Options, _reference, _wanted
from benchmarks.schema import BenchmarkError
from benchmarks.store_fixture import fill
from benchmarks.suites import end_to_end
from device.cli import cli
from device.store import Store
from smear.bundle.manifest import load_bundle
from smear.findings import Frame
from smear.synthetic import render
from tests.benchmarks.results import make

BRIEF = Effort(queries=4, seconds=1.0, burst=2, warm_s=0.0, repeats=2)


def test_compare_ends_with_a_code_of_its_own_on_a_regression(tmp_path: Path) -> None:
    for name, ms in (("old", 20.0), ("new", 40.0)):
        output.ready(tmp_path / name)
        output.write(make(ms), tmp_path / name)
    paths = [str(tmp_path / "old"), str(tmp_path / "new")]
    worse = CliRunner().invoke(command, ["compare", *paths])
    assert worse.exit_code == REGRESSED
    assert "WORSE" in worse.output
    better = CliRunner().invoke(command, ["compare", *reversed(paths)])
    assert better.exit_code == 0


def test_a_missing_result_is_one_line_through_the_real_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["bench", "compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 1
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "words", [["--levels", "int9"], ["--runtimes", "torch"], ["--threads", "0"], ["--threads", "x"]]
)
def test_what_cannot_be_chosen_is_refused_before_anything_is_measured(words: list[str]) -> None:
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert words[0] in done.output


def test_a_level_that_the_bundle_lacks_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="int8"):
        _wanted(Options("quick", levels=("int8",)), load_bundle(tiny_bundle), tmp_path)


@pytest.mark.parametrize(
    ("have", "asked", "measured"),
    [
        (("float32", "int8", "int16x8"), None, ("float32", "int8")),
        (("float32", "int8", "int16x8"), ("int8", "int16x8"), ("int8", "int16x8")),
        (("int16x8",), None, ("int16x8",)),
    ],
)
def test_a_level_forty_times_as_slow_is_measured_only_where_it_is_named_or_alone(
    have: tuple[str, ...],
    asked: tuple[str, ...] | None,
    measured: tuple[str, ...],
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.runner.levels_of", lambda bundle: have)
    wanted, _ = _wanted(Options("full", levels=asked), load_bundle(tiny_bundle), tmp_path)
    assert wanted.levels == measured


def test_a_reference_is_a_bundle_or_a_run(tiny_bundle: Path, tmp_path: Path) -> None:
    assert _reference(tiny_bundle, tmp_path).manifest.name == "tiny"
    with pytest.raises(BenchmarkError, match="neither a bundle nor a training run"):
        _reference(tmp_path, tmp_path)


def test_stages_and_bare_invokes_are_told_apart(tiny_bundle: Path) -> None:
    rig = end_to_end.Rig(load_bundle(tiny_bundle), "float32", BRIEF)
    stages = rig.stages("field", Frame(render("Pre", 1).image, "drawn"))
    assert list(stages.stage_ms) == ["resample", "segment", "cells", "classify", "gate"]
    assert stages.segmenter_invokes == 1
    assert stages.classifier_invokes == stages.cells > 0
    assert 0 < stages.invokes_ms < stages.total_ms
    assert stages.overhead > 0
    rig.close()


def test_a_store_is_filled_with_fields_that_the_store_itself_can_read(tiny_bundle: Path, tmp_path: Path) -> None:
    rig = end_to_end.Rig(load_bundle(tiny_bundle), "float32", BRIEF)
    frame = Frame(render("Pre", 1).image, "drawn")
    finding = rig.processor.examine(frame)
    rig.close()
    with Store.record(tmp_path) as store:
        slide = store.start_slide("bench")
        store.add_field(slide, frame, finding)
        fill(tmp_path, 50)
        assert len(list(store.all_fields(slide))) == 50
        assert len(store.cells(50)) == len(finding.cells)
        fill(tmp_path, 50)
        store.add_field(slide, frame, finding)
        assert len(list(store.all_fields(slide))) == 51
