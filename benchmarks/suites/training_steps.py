"""One training step of the paper's network in Keras and in PyTorch, each as its own manual would have it run fast.

Run by `benchmarks.worker` in an interpreter that may have one of the two and nothing else of Smearscope.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

RATE, DECAY = 1e-3, 1e-4  # of AdamW, as `train.fitting.training_loop` has them
CLASSES, SIZE = 4, 224
DROPOUT = 0.8  # as published

Ask = dict[str, Any]


def _batch(size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((size, SIZE, SIZE, 3), np.float32), rng.integers(0, CLASSES, size)


def _resident_mb() -> float:
    from benchmarks.worker import resident_mb

    return resident_mb()


class KerasStep:
    """The network that `smearscope train --classifier paper_cnn` fits, by the step that `fit` compiles."""

    def __init__(self, ask: Ask) -> None:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(ask["threads"])
        import keras

        from train.networks.architectures import paper_cnn

        self.before_mb = _resident_mb()
        started = time.perf_counter()
        model = paper_cnn(SIZE, DROPOUT)
        model.compile(keras.optimizers.AdamW(RATE, weight_decay=DECAY), "sparse_categorical_crossentropy")
        images, labels = _batch(ask["batch"])
        self.init_ms = (time.perf_counter() - started) * 1e3
        self.told = {"parameters": model.count_params(), "version": f"{keras.__version__} on {tensorflow.__version__}"}
        self.step: Callable[[], Any] = lambda: model.train_on_batch(images, labels)


class TorchStep:
    """The same layers in PyTorch, channels last: the layout that its manual advises for convolutions on a CPU."""

    def __init__(self, ask: Ask) -> None:
        import torch

        torch.set_num_threads(ask["threads"])
        self.before_mb = _resident_mb()
        started = time.perf_counter()
        model = _paper_cnn(torch.nn).to(memory_format=torch.channels_last)
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
        loss = torch.nn.CrossEntropyLoss()
        pixels, classes = _batch(ask["batch"])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # NHWC in memory: channels last as it is
        labels = torch.from_numpy(classes)
        self.init_ms = (time.perf_counter() - started) * 1e3
        statistics = sum(each.numel() for each in model.buffers() if each.dim())  # Keras counts them as parameters
        parameters = sum(each.numel() for each in model.parameters()) + statistics
        self.told = {"parameters": parameters, "version": torch.__version__}

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            error = loss(model(images), labels)
            error.backward()
            optimizer.step()
            return float(error.item())

        self.step: Callable[[], Any] = step


def _paper_cnn(nn: Any) -> Any:
    """The layers of `train.networks.architectures.paper_cnn`; its softmax is inside PyTorch's loss."""
    side = SIZE // 16
    return nn.Sequential(
        nn.Conv2d(3, 200, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Dropout(DROPOUT),
        nn.Conv2d(200, 150, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
        nn.Conv2d(150, 100, 3, padding=1), nn.ReLU(), nn.Dropout(DROPOUT),
        nn.Conv2d(100, 50, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(50 * side * side, 256), nn.ReLU(), nn.BatchNorm1d(256, eps=1e-3, momentum=0.01), nn.Dropout(DROPOUT),
        nn.Linear(256, CLASSES),
    )  # fmt: skip


class TorchProduct:
    """A plain int8 matrix product by PyTorch, on one thread."""

    def __init__(self, ask: Ask) -> None:
        import torch

        torch.set_num_threads(ask["threads"])
        self.before_mb = _resident_mb()
        started = time.perf_counter()
        size = ask["size"]
        left = torch.randint(-127, 128, (size, size), dtype=torch.int8)
        right = torch.randint(-127, 128, (size, size), dtype=torch.int8)
        self.init_ms = (time.perf_counter() - started) * 1e3
        self.step: Callable[[], Any] = lambda: torch._int_mm(left, right)


ENGINES: dict[str, Callable[[Ask], Any]] = {"Keras": KerasStep, "PyTorch": TorchStep, "PyTorch product": TorchProduct}
