"""One training step of the paper's network in Keras and in PyTorch, each as its own manual advises for speed.

Run by `benchmarks.worker` in an interpreter that may have one of the two and nothing else of Smearscope.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE, DECAY = 1e-3, 1e-4  # of AdamW, as `train.fitting.training_loop` has them
CLASSES, SIZE = 4, 224
DROPOUT = 0.8  # as published

Request = dict[str, Any]
"""What the worker was asked to open: "batch", "threads" or "size"."""


def _batch(size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return rng.random((size, SIZE, SIZE, 3), np.float32), rng.integers(0, CLASSES, size)


def keras_step(request: Request) -> Iterator[Any]:
    """Open the network that `smearscope train classifier --model paper_cnn` fits, with the step that Keras compiles."""
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(request["threads"])
    import keras

    from train.networks.architectures import paper_cnn

    yield
    model = paper_cnn(SIZE, DROPOUT)
    model.compile(keras.optimizers.AdamW(RATE, weight_decay=DECAY), "sparse_categorical_crossentropy")
    images, labels = _batch(request["batch"])
    yield
    yield lambda: model.train_on_batch(images, labels)
    yield {"parameters": model.count_params(), "version": f"{keras.__version__} on {tensorflow.__version__}"}


def torch_step(request: Request) -> Iterator[Any]:
    """Open the same layers in PyTorch, channels last: the layout that its manual advises for convolutions on a CPU."""
    import torch

    torch.set_num_threads(request["threads"])
    yield
    model = _paper_cnn(torch.nn).to(memory_format=torch.channels_last)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    loss = torch.nn.CrossEntropyLoss()
    pixels, classes = _batch(request["batch"])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # NHWC in memory, which is channels last already
    labels = torch.from_numpy(classes)
    yield

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        error = loss(model(images), labels)
        error.backward()
        optimizer.step()
        return float(error.item())

    yield step
    statistics = sum(each.numel() for each in model.buffers() if each.dim())  # Keras counts them as parameters
    parameters = sum(each.numel() for each in model.parameters()) + statistics
    yield {"parameters": parameters, "version": torch.__version__}


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


def torch_product(request: Request) -> Iterator[Any]:
    """Open a plain int8 matrix product by PyTorch, on one thread."""
    import torch

    torch.set_num_threads(request["threads"])
    yield
    size = request["size"]
    left = torch.randint(-127, 128, (size, size), dtype=torch.int8)
    right = torch.randint(-127, 128, (size, size), dtype=torch.int8)
    yield
    product = torch.ops.aten._int_mm  # PyTorch's only int8 product on a CPU; it has no public name
    yield lambda: product(left, right)


ENGINES: dict[str, Callable[[Request], Iterator[Any]]] = {
    "Keras": keras_step,
    "PyTorch": torch_step,
    "PyTorch product": torch_product,
}
"""Each opens as `benchmarks.worker.Opening` says."""
