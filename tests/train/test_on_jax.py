"""Every network of the registry is fitted on the JAX backend of Keras as well, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jax", reason="the second backend needs the extra 'dev'")

from smear.errors import TrainingError
from train.fitting.strategies import replicas
from train.networks.registry import NETWORKS

ROOT = Path(__file__).parents[2]
LARGE = ("NASNetMobile", "InceptionV3", "ResNet50", "DenseNet201")
JAX = os.environ | {
    "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3",
    "XLA_FLAGS": "--xla_backend_optimization_level=0",  # a step is taken once: compiling it is what lasts
}  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        tuple(spec.name for spec in NETWORKS.all() if spec.name not in LARGE),
        pytest.param(LARGE, marks=pytest.mark.skipif(
            os.environ.get("SMEARSCOPE_LARGE_NETWORKS") != "1",
            reason="minutes each, to compile them; SMEARSCOPE_LARGE_NETWORKS=1 runs them",
        )),
    ],
)  # fmt: skip
def test_networks_are_fitted_on_jax(names: tuple[str, ...], tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.train.on_jax", str(tmp_path), *names]
    ran = subprocess.run(words, cwd=ROOT, env=JAX, text=True, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [f"jax {name}" for name in names]
    assert all((tmp_path / name / "epochs.csv").exists() for name in names)


def test_a_strategy_of_tensorflow_is_refused_on_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.config.backend", lambda: "jax")
    with replicas("auto"):
        pass
    with (
        pytest.raises(TrainingError, match="--strategy mirrored needs TensorFlow, and KERAS_BACKEND is jax"),
        replicas("mirrored"),
    ):
        pass
