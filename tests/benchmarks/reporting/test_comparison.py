import pytest

from benchmarks.reporting.comparison import compare
from benchmarks.schema import BenchmarkError, Instructions, Result
from tests.benchmarks.results import environment, latency, make


def worse(old: Result, new: Result) -> set[str]:
    return {change.what for change in compare(old, new).changes if change.regression}


def test_a_result_is_no_regression_of_itself() -> None:
    found = compare(make(), make())
    assert found.regressions == 0
    assert found.notable == found.missing == found.cautions == ()


def test_a_slower_median_is_a_regression() -> None:
    assert "bundle/pipeline/int8/ai-edge-litert/1 p50 ms" in worse(make(20.0), make(23.0))


def test_a_median_within_the_allowance_is_not() -> None:
    assert not worse(make(20.0), make(21.0))


def test_a_faster_median_is_notable_and_no_regression() -> None:
    found = compare(make(20.0), make(10.0))
    assert "bundle/pipeline/int8/ai-edge-litert/1 p50 ms" in {change.what for change in found.notable}
    assert found.regressions == 0


def test_lost_accuracy_is_a_regression_and_gained_is_not() -> None:
    what = {"bundle/pipeline/int8/ai-edge-litert/1 accuracy"}
    assert worse(make(accuracy=0.95), make(accuracy=0.94)) == what
    assert not worse(make(accuracy=0.94), make(accuracy=0.95))


def test_what_is_no_longer_measured_is_missing_and_not_taken_as_good() -> None:
    assert "start to help s" in compare(make(), make(start=None)).missing
    assert "start to help s" not in compare(make(start=None), make()).missing


def test_a_slower_training_step_is_a_regression() -> None:
    slow = tuple(step.model_copy(update={"latency": latency(2000.0)}) for step in make().training)
    assert "training/paper_cnn/Keras/16/4 p50 ms" in worse(make(), make(training=slow))


def test_another_machine_and_a_disturbed_run_are_cautions() -> None:
    cautions = compare(make(), make(environment=environment(machine="desktop", warnings=("loaded",)))).cautions
    assert any("another machine" in line for line in cautions)
    assert any("the second run was loaded" in line for line in cautions)


def test_results_without_a_common_figure_cannot_be_compared() -> None:
    bare = Result(created="2026-01-01", mode="quick", environment=environment())
    with pytest.raises(BenchmarkError, match="no figure in common"):
        compare(make(), bare)


def test_more_instructions_are_a_regression() -> None:
    few, many = (
        make(instructions=(Instructions(key="shipped/segmenter/int8", processor="cortex-a76", millions=millions),))
        for millions in (45.0, 60.0)
    )
    assert worse(few, many) == {"shipped/segmenter/int8 on cortex-a76, M instructions"}
    assert not worse(many, few)
