"""One training step of the paper's network in Keras and in PyTorch, each as its own manual advises for speed.

Run by `benchmarks.worker` in an interpreter that may have one of the two and nothing else of Smearscope.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE, DECAY = 1e-3, 1e-4  # of AdamW, as `train.fitting.training_loop` has them
CLASSES, SIZE = 4, 224
DROPOUT = 0.8  # as published

Request = dict[str, Any]
"""What the worker was asked to open: "batch", "threads" or "size"."""
ResidentMB = Callable[[], float]
"""Returns the memory of this process that is in RAM."""


def _batch(size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return rng.random((size, SIZE, SIZE, 3), np.float32), rng.integers(0, CLASSES, size)


class KerasStep:
    """The network that `smearscope train --classifier paper_cnn` fits, with the step that Keras compiles for it."""

    def __init__(self, request: Request, resident_mb: ResidentMB) -> None:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(request["threads"])
        import keras

        from train.networks.architectures import paper_cnn

        self.before_mb = resident_mb()
        started = time.perf_counter()
        model = paper_cnn(SIZE, DROPOUT)
        model.compile(keras.optimizers.AdamW(RATE, weight_decay=DECAY), "sparse_categorical_crossentropy")
        images, labels = _batch(request["batch"])
        self.init_ms = (time.perf_counter() - started) * 1e3
        self.facts = {"parameters": model.count_params(), "version": f"{keras.__version__} on {tensorflow.__version__}"}
        self.step: Callable[[], Any] = lambda: model.train_on_batch(images, labels)


class TorchStep:
    """The same layers in PyTorch, channels last: the layout that its manual advises for convolutions on a CPU."""

    def __init__(self, request: Request, resident_mb: ResidentMB) -> None:
        import torch

        torch.set_num_threads(request["threads"])
        self.before_mb = resident_mb()
        started = time.perf_counter()
        model = _paper_cnn(torch.nn).to(memory_format=torch.channels_last)
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
        loss = torch.nn.CrossEntropyLoss()
        pixels, classes = _batch(request["batch"])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # NHWC in memory, which is channels last already
        labels = torch.from_numpy(classes)
        self.init_ms = (time.perf_counter() - started) * 1e3
        statistics = sum(each.numel() for each in model.buffers() if each.dim())  # Keras counts them as parameters
        parameters = sum(each.numel() for each in model.parameters()) + statistics
        self.facts = {"parameters": parameters, "version": torch.__version__}

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            error = loss(model(images), labels)
            error.backward()
            optimizer.step()
            return float(error.item())

        self.step: Callable[[], Any] = step


def _paper_cnn(nn: Any) -> Any:
    """Return the layers of `train.networks.architectures.paper_cnn`; its softmax is inside PyTorch's loss."""
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

    def __init__(self, request: Request, resident_mb: ResidentMB) -> None:
        import torch

        torch.set_num_threads(request["threads"])
        self.before_mb = resident_mb()
        started = time.perf_counter()
        size = request["size"]
        left = torch.randint(-127, 128, (size, size), dtype=torch.int8)
        right = torch.randint(-127, 128, (size, size), dtype=torch.int8)
        self.init_ms = (time.perf_counter() - started) * 1e3
        product = torch.ops.aten._int_mm  # PyTorch's only int8 product on a CPU; it has no public name
        self.step: Callable[[], Any] = lambda: product(left, right)


ENGINES: dict[str, Callable[[Request, ResidentMB], Any]] = {
    "Keras": KerasStep,
    "PyTorch": TorchStep,
    "PyTorch product": TorchProduct,
}
