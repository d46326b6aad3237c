from benchmarks.reporting.comparison import changes, gone, unlike
from tests.benchmarks.results import environment, latency, make


def worse(old: object, new: object) -> set[str]:
    return {change.what for change in changes(old, new) if change.regression}  # type: ignore[arg-type]


def test_a_result_is_no_regression_of_itself() -> None:
    assert not worse(make(), make())
    assert not unlike(make(), make())


def test_a_slower_median_is_a_regression() -> None:
    assert "bundle/pipeline/int8/ai-edge-litert/1 p50 ms" in worse(make(20.0), make(23.0))


def test_a_median_within_the_allowance_is_not() -> None:
    assert not worse(make(20.0), make(21.0))


def test_lost_accuracy_is_a_regression_and_gained_is_not() -> None:
    what = {"bundle/pipeline/int8/ai-edge-litert/1 accuracy"}
    assert worse(make(accuracy=0.95), make(accuracy=0.94)) == what
    assert not worse(make(accuracy=0.94), make(accuracy=0.95))


def test_what_is_no_longer_measured_is_said_and_not_taken_for_well() -> None:
    assert not gone(make(), make())
    assert "start to help s" in gone(make(), make(start=None))
    assert "start to help s" not in gone(make(start=None), make())


def test_a_slower_training_step_is_a_regression() -> None:
    slow = tuple(step.model_copy(update={"latency": latency(2000.0)}) for step in make().training)
    assert "training/paper_cnn/Keras/16/4 p50 ms" in worse(make(), make(training=slow))


def test_another_machine_and_a_disturbed_run_are_said() -> None:
    said = unlike(make(), make(environment=environment(machine="desktop", warnings=("loaded",))))
    assert any("another machine" in line for line in said)
    assert any("the second run was loaded" in line for line in said)
