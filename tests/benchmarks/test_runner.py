from pathlib import Path

import pytest

from benchmarks.runner import Options, make_plan, open_reference
from benchmarks.schema import BenchmarkError
from smear.bundle.folder import load_bundle


def test_a_level_that_the_bundle_lacks_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="int8"):
        make_plan(Options("quick", levels=("int8",)), load_bundle(tiny_bundle), tmp_path)


@pytest.mark.parametrize(
    ("present", "wanted", "measured"),
    [
        (("float32", "int8", "int16x8"), None, ("float32", "int8")),
        (("float32", "int8", "int16x8"), ("int8", "int16x8"), ("int8", "int16x8")),
        (("int16x8",), None, ("int16x8",)),
    ],
)
def test_a_slow_level_is_measured_only_where_it_is_named_or_alone(
    present: tuple[str, ...],
    wanted: tuple[str, ...] | None,
    measured: tuple[str, ...],
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.runner.levels_of", lambda bundle: present)
    plan, _ = make_plan(Options("full", levels=wanted), load_bundle(tiny_bundle), tmp_path)
    assert plan.levels == measured


def test_a_reference_is_a_bundle_or_a_run(tiny_bundle: Path, tmp_path: Path) -> None:
    assert open_reference(tiny_bundle, tmp_path).manifest.name == "tiny"
    with pytest.raises(BenchmarkError, match="neither a bundle nor a training run"):
        open_reference(tmp_path, tmp_path)


def test_a_full_run_without_choices_leaves_the_slowest_variants_out(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert make_plan(Options("full"), bundle, tmp_path)[0].brief
    assert not make_plan(Options("full", levels=("float32",)), bundle, tmp_path)[0].brief
