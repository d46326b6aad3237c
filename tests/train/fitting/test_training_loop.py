"""The training loop learns, writes what it did, and goes on where it was killed."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

import keras
import tensorflow as tf

from smear.errors import TrainingError
from train.fitting.training_loop import fit, fit_once, write_json


class Line(keras.utils.PyDataset):
    """Points of y = 2 x, other ones each epoch; can be killed at an epoch."""

    def __init__(self, dies_in: int | None = None) -> None:
        super().__init__(workers=2)  # as the real ones: batches are drawn ahead by threads
        self.epoch, self.dies_in, self.seen = 0, dies_in, []

    def __len__(self) -> int:
        return 4

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        if self.epoch == self.dies_in:
            raise RuntimeError("killed")
        self.seen.append(self.epoch)
        x = np.random.default_rng((self.epoch, step)).normal(0, 1, (32, 1)).astype(np.float32)
        return x, 2 * x


def model_of(*middle: keras.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((1,)), *middle, keras.layers.Dense(1, use_bias=False)])


def learn(model: keras.Model, batches: Line, out: Path, resume: bool = False) -> None:
    fit(model, batches, "mse", out, epochs=6, rate=0.2, resume=resume, verbose=0)


def test_it_learns_and_leaves_its_log(tmp_path: Path) -> None:
    model = model_of()
    before = abs(float(np.asarray(model.layers[-1].kernel)[0, 0]) - 2)
    learn(model, Line(), tmp_path)
    assert abs(float(np.asarray(model.layers[-1].kernel)[0, 0]) - 2) < before
    rows = (tmp_path / "epochs.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,")
    assert len(rows) == 7
    assert any((tmp_path / "tensorboard").rglob("events*"))
    assert not (tmp_path / "backup").exists() or not any((tmp_path / "backup").iterdir())


def test_a_finished_run_is_loaded_and_not_fitted_again(tmp_path: Path) -> None:
    def once(resume: bool) -> tuple[float, int]:
        batches = Line()
        model = fit_once(model_of, lambda: batches, lambda _: "mse", tmp_path, epochs=2, rate=0.2, resume=resume)
        return float(np.asarray(model.layers[-1].kernel)[0, 0]), len(batches.seen)

    first, drawn = once(resume=False)
    assert drawn >= 2 * 4
    assert once(resume=True) == (first, 0)
    assert once(resume=False)[1] == drawn


def test_each_epoch_draws_its_own_batches(tmp_path: Path) -> None:
    batches = Line()
    learn(model_of(), batches, tmp_path)
    assert set(batches.seen) == set(range(6))


def test_a_killed_run_goes_on_and_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken, broken = model_of(), model_of()
    learn(unbroken, Line(), tmp_path / "unbroken")
    with pytest.raises(tf.errors.OpError, match="killed"):
        learn(broken, Line(dies_in=3), tmp_path / "broken")
    with pytest.raises(TrainingError, match=r"holds an unfinished run; add --resume or choose another --out"):
        learn(model_of(), Line(), tmp_path / "broken")
    resumed, batches = model_of(), Line()
    learn(resumed, batches, tmp_path / "broken", resume=True)
    assert not {1, 2} & set(batches.seen)  # what was done is not done again; Keras peeks at a first batch
    for one, other in zip(unbroken.get_weights(), resumed.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-5)
    rows = (tmp_path / "broken" / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(epoch) for epoch in range(6)]


def test_batch_statistics_are_those_of_the_averaged_weights(tmp_path: Path) -> None:
    model = model_of(keras.layers.Dense(3), keras.layers.BatchNormalization(momentum=0.9))
    batches = Line()
    learn(model, batches, tmp_path)
    dense, norm = model.layers[0], model.layers[1]
    given = np.concatenate([np.asarray(dense(batches[step][0])) for step in range(len(batches))])
    assert np.asarray(norm.moving_mean) == pytest.approx(given.mean(axis=0), abs=0.05)
    assert np.asarray(norm.moving_variance) == pytest.approx(given.var(axis=0), rel=0.1)
    assert norm.momentum == 0.9


def test_json_is_written_whole_with_numpy_numbers_and_paths(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"a": np.float32(0.5), "b": Path("x"), "c": np.int64(3)})
    assert (tmp_path / "run.json").read_text().split() == ["{", '"a":', "0.5,", '"b":', '"x",', '"c":', "3", "}"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
