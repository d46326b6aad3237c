from pathlib import Path

import pytest

from benchmarks.suites.levels import LEFT_OUT, Plan, figures_of, runtimes_for
from smear.bundle.folder import load_bundle
from smear.bundle.manifest import Figure

RUNTIMES = {"ai-edge-litert": Path("python"), "tflite-runtime": Path("older")}


def plan_of(tiny_bundle: Path, brief: bool) -> Plan:
    bundle = load_bundle(tiny_bundle)
    return Plan(bundle, bundle, ("float32", "int8"), RUNTIMES, (1,), Path("frames.npy"), brief=brief)


@pytest.mark.parametrize(("brief", "held"), [(False, list(RUNTIMES)), (True, ["ai-edge-litert"])])
def test_a_full_run_leaves_int8_under_the_older_runtime_out_unless_asked(
    tiny_bundle: Path, brief: bool, held: list[str]
) -> None:
    plan = plan_of(tiny_bundle, brief)
    assert list(runtimes_for(plan, "bundle", "int8")) == held
    assert list(runtimes_for(plan, "bundle", "float32")) == list(RUNTIMES)
    assert "int8" in LEFT_OUT[0]


def test_the_reference_runs_as_its_authors_would_and_at_int8_on_the_newest(tiny_bundle: Path) -> None:
    plan = plan_of(tiny_bundle, True)
    assert list(runtimes_for(plan, "reference", "float32")) == ["tflite-runtime"]
    assert list(runtimes_for(plan, "reference", "int8")) == ["ai-edge-litert"]


def test_accuracy_and_dice_of_a_manifest_stand_beside_the_latency(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    figures = {
        "segmenter": {"dice": Figure(value=0.86, split="drawn masks", n=32)},
        "classifier": {"accuracy": Figure(value=0.97, split="grouped", n=521)},
    }
    for role, stated in figures.items():
        part = getattr(bundle.manifest, role)
        vars(part)["figures"] = stated
    found = figures_of(bundle, "float32")
    assert found["dice"].value == 0.86
    assert (found["accuracy"].split, found["accuracy"].n) == ("grouped", 521)
