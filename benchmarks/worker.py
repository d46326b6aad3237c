"""Measures one variant in a process of its own, on requests over standard input; started by `benchmarks.interleaved`.

A process of its own shows the memory of the variant alone, keeps thread pools apart, and lets runtimes that exclude
each other be measured in one run. It is run as a script by an interpreter that may lack Smearscope: only the kinds
"pipeline" and "engine" import it.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

Request = dict[str, Any]
Step = Callable[[], Any]
Opening = Iterator[Any]
"""Yields once its libraries are imported, once its model is loaded, and then the step to time; last, any further facts.

What lies between the first two yields is the time to load; memory counts from the first.
"""


def resident_mb() -> float:
    """Return the memory of this process that is in RAM now."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - pathlib would count
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float:
    """Return the most that this process ever had in RAM; `getrusage` would include that of its parent at the fork."""
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024 / 1e6


def tflite_invoke(request: Request) -> Opening:
    """Open the bare `invoke` of one TFLite file; its inputs are set once, random, in the types the model takes."""
    module = importlib.import_module(request["module"])
    yield
    interpreter = module.Interpreter(model_path=request["path"], num_threads=request["threads"])
    interpreter.allocate_tensors()
    yield
    for given in interpreter.get_input_details():
        interpreter.set_tensor(given["index"], _random(given["shape"], given["dtype"]))
    yield interpreter.invoke


def onnx_run(request: Request) -> Opening:
    """Open one ONNX file under onnxruntime."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # errors; in a virtual machine its device discovery warns
    yield
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = request["threads"], 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(request["path"], options, providers=["CPUExecutionProvider"])
    yield
    kinds = {"tensor(float)": np.float32, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}
    feed = {given.name: _random(given.shape, kinds[given.type]) for given in session.get_inputs()}
    yield lambda: session.run(None, feed)


def opencv_forward(request: Request) -> Opening:
    """Open one TFLite or ONNX file under OpenCV's own network module."""
    import cv2

    cv2.setNumThreads(request["threads"])
    yield
    path: str = request["path"]
    net = cv2.dnn.readNetFromONNX(path) if path.endswith(".onnx") else cv2.dnn.readNetFromTFLite(path)
    yield
    blob = _random(request["shape"], np.float32)
    if not path.endswith(".onnx"):
        blob = np.ascontiguousarray(blob.transpose(0, 3, 1, 2))  # its TFLite importer converts networks to NCHW

    def step() -> None:
        net.setInput(blob)
        net.forward()

    yield step


def process_frame(request: Request) -> Opening:
    """Open the device's own frame processor, from frame to finding, over a few frames in turn."""
    sys.path.insert(0, request["root"])
    from pathlib import Path

    from smear.bundle.folder import load_bundle
    from smear.findings import Frame
    from smear.inference.frame_processor import FrameProcessor
    from smear.inference.pipeline import Pipeline

    frames = cycle([Frame(image, "bench", request["pixel_size_um"]) for image in np.load(request["frames"])])
    yield
    bundle = load_bundle(Path(request["path"]))
    processor = FrameProcessor(Pipeline(bundle, request["level"], request["runtime"], request["threads"]))
    yield
    yield lambda: processor.process(next(frames))


def naive_loop(request: Request) -> Opening:
    """Open what a user would write after a segmentation example: resize, divide, invoke, argmax, overlay.

    The whole field is the input of both models; cells are not split.
    """
    import cv2

    module = importlib.import_module(request["module"])
    frames = cycle(np.load(request["frames"]))
    yield
    models = [module.Interpreter(model_path=path, num_threads=request["threads"]) for path in request["paths"]]
    for interpreter in models:
        interpreter.allocate_tensors()
    yield
    colours = np.array([(0, 0, 0), (220, 120, 60), (120, 40, 160)], np.uint8)

    def run(model: Any, image: NDArray[np.uint8]) -> NDArray[np.generic]:
        source, target = model.get_input_details()[0], model.get_output_details()[0]
        picture = cv2.resize(image, (int(source["shape"][2]), int(source["shape"][1])))
        tensor = np.float32(np.expand_dims(picture, 0) / 255)
        scale, zero = source["quantization"]
        if source["dtype"] != np.float32:
            limits = np.iinfo(source["dtype"])
            tensor = np.clip(np.round(tensor / scale + zero), limits.min, limits.max).astype(source["dtype"])
        model.set_tensor(source["index"], tensor)
        model.invoke()
        return np.asarray(model.get_tensor(target["index"])[0])

    def step() -> None:
        image = next(frames)
        mask = np.argmax(run(models[0], image), axis=-1)
        overlay = cv2.resize(colours[mask], (image.shape[1], image.shape[0]))
        cv2.addWeighted(image, 0.6, overlay, 0.4, 0)
        int(np.argmax(run(models[1], image)))

    yield step


def engine_step(request: Request) -> Opening:
    """Open what an engine does, from a module that needs nothing else of Smearscope."""
    sys.path.insert(0, request["root"])
    threads = str(request["threads"])  # read by what is imported from here on
    os.environ.update(OMP_NUM_THREADS=threads, NUMBA_NUM_THREADS=threads)
    opening: Opening = importlib.import_module(request["module"]).ENGINES[request["engine"]](request)
    return opening


KINDS: dict[str, Callable[[Request], Opening]] = {
    "tflite": tflite_invoke,
    "onnx": onnx_run,
    "opencv": opencv_forward,
    "pipeline": process_frame,
    "naive": naive_loop,
    "engine": engine_step,
}


def _random(shape: Any, dtype: Any) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return np.asarray(rng.random(tuple(shape)), kind)
    limits = np.iinfo(kind)
    return np.asarray(rng.integers(limits.min, limits.max, tuple(shape), endpoint=True), kind)


def main() -> None:
    """Reply to each line of JSON on standard input with one line of JSON, until it ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a runtime prints must not mix with the replies
    steps: dict[str, Step] = {}
    for line in sys.stdin:
        try:
            reply = _reply(steps, json.loads(line))
        # Whatever a runtime raises becomes the fault of its variant; the other variants go on.
        except Exception as error:  # noqa: BLE001
            text = " ".join(str(error).split())[:300]
            reply = {"fault": f"{type(error).__name__}: {text}" if text else type(error).__name__}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _reply(steps: dict[str, Step], request: Request) -> Request:
    if request["do"] == "open":
        return _opened(steps, request)
    if request["do"] == "peak":
        return {"peak_mb": peak_mb()}
    step = steps[request["name"]]
    if request["do"] == "warm":
        until = time.perf_counter() + request["seconds"]
        while time.perf_counter() < until:
            step()
        return {}
    return {"ms": list(_timed(step, request["n"], request["seconds"]))}


def _opened(steps: dict[str, Step], request: Request) -> Request:
    opening = KINDS[request["kind"]](request)
    next(opening)
    before_mb = resident_mb()
    times = {"init_ms": _ms(lambda: next(opening))}
    step = steps[request["name"]] = next(opening)
    times["first_ms"] = _ms(step)
    return times | {"rss_mb": max(0.0, resident_mb() - before_mb)} | next(opening, {})


def _timed(step: Step, n: int, seconds: float) -> Iterator[float]:
    """Yield the milliseconds of up to `n` calls, at least one, ending early after `seconds`."""
    until = time.perf_counter() + seconds
    for _ in range(n):
        yield _ms(step)
        if time.perf_counter() >= until:
            return


def _ms(step: Step) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    main()
