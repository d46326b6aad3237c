"""One measured thing in a process of its own, asked over its standard input; started by `benchmarks.interleaved`.

Apart, so that memory can be told, so that thread pools do not disturb each other, and so that runtimes which exclude
each other are measured in one run. Run as a script by an interpreter that may have nothing of Smearscope: only the
kind "pipeline" imports it.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

TFLITE = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
Ask = dict[str, Any]


def resident_mb() -> float:
    """Return the memory of this process that is in RAM now."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no pathlib before it is measured
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float:
    """Return the most that this process ever had in RAM; `getrusage` would count what its parent had when it began."""
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024 / 1e6


class TFLiteInvoke:
    """The bare `invoke` of one TFLite file; its input is set once, random, in the type the model takes."""

    def __init__(self, ask: Ask) -> None:
        module = importlib.import_module(TFLITE[ask["runtime"]])
        self.before_mb = resident_mb()
        started = time.perf_counter()
        self._interpreter = module.Interpreter(model_path=ask["path"], num_threads=ask["threads"])
        self._interpreter.allocate_tensors()
        self.init_ms = (time.perf_counter() - started) * 1e3
        details = self._interpreter.get_input_details()[0]
        self._interpreter.set_tensor(details["index"], _random(details["shape"], details["dtype"]))
        self.step: Callable[[], Any] = self._interpreter.invoke


class OnnxRun:
    """One ONNX file under onnxruntime."""

    def __init__(self, ask: Ask) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)  # errors; a virtual machine hides what its device look-up wants
        self.before_mb = resident_mb()
        started = time.perf_counter()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = ask["threads"], 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(ask["path"], options, providers=["CPUExecutionProvider"])
        self.init_ms = (time.perf_counter() - started) * 1e3
        kinds = {"tensor(float)": np.float32, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}
        feed = {given.name: _random(given.shape, kinds[given.type]) for given in session.get_inputs()}
        self.step: Callable[[], Any] = lambda: session.run(None, feed)


class OpenCVForward:
    """One TFLite or ONNX file under OpenCV's own network module."""

    def __init__(self, ask: Ask) -> None:
        import cv2

        cv2.setNumThreads(ask["threads"])
        self.before_mb = resident_mb()
        started = time.perf_counter()
        path: str = ask["path"]
        net = cv2.dnn.readNetFromONNX(path) if path.endswith(".onnx") else cv2.dnn.readNetFromTFLite(path)
        self.init_ms = (time.perf_counter() - started) * 1e3
        blob = _random(ask["shape"], np.float32)
        if not path.endswith(".onnx"):
            blob = np.ascontiguousarray(blob.transpose(0, 3, 1, 2))  # its TFLite importer turns networks to NCHW

        def step() -> None:
            net.setInput(blob)
            net.forward()

        self.step: Callable[[], Any] = step


class PipelineExamine:
    """The device's own pipeline, frame in and finding out, over a few frames in turn."""

    def __init__(self, ask: Ask) -> None:
        sys.path.insert(0, ask["root"])
        from pathlib import Path

        from smear.bundle.manifest import load_bundle
        from smear.findings import Frame
        from smear.inference.frame_processor import FrameProcessor
        from smear.inference.pipeline import Pipeline

        frames = [Frame(image, "bench", ask["pixel_size_um"]) for image in np.load(ask["frames"])]
        self.before_mb = resident_mb()
        started = time.perf_counter()
        bundle = load_bundle(Path(ask["path"]))
        processor = FrameProcessor(Pipeline(bundle, ask["level"], ask["runtime"], ask["threads"]))
        self.init_ms = (time.perf_counter() - started) * 1e3
        self._turn = 0

        def step() -> None:
            processor.examine(frames[self._turn % len(frames)])
            self._turn += 1

        self.step: Callable[[], Any] = step


class NaiveLoop:
    """What a user would write from a camera library's segmentation example: shrink, divide, invoke, argmax, overlay.

    The whole field is one input for both models; the classifier is given the same field, cells are not parted.
    """

    def __init__(self, ask: Ask) -> None:
        import cv2

        module = importlib.import_module(TFLITE[ask["runtime"]])
        frames = np.load(ask["frames"])
        self.before_mb = resident_mb()
        started = time.perf_counter()
        models = []
        for path in ask["paths"]:
            interpreter = module.Interpreter(model_path=path, num_threads=ask["threads"])
            interpreter.allocate_tensors()
            models.append(interpreter)
        self.init_ms = (time.perf_counter() - started) * 1e3
        colours = np.array([(0, 0, 0), (220, 120, 60), (120, 40, 160)], np.uint8)
        self._turn = 0

        def answer(model: Any, image: np.ndarray) -> np.ndarray:
            given, out = model.get_input_details()[0], model.get_output_details()[0]
            picture = cv2.resize(image, (int(given["shape"][2]), int(given["shape"][1])))
            tensor = np.float32(np.expand_dims(picture, 0) / 255)
            scale, zero = given["quantization"]
            if given["dtype"] != np.float32:
                limits = np.iinfo(given["dtype"])
                tensor = np.clip(np.round(tensor / scale + zero), limits.min, limits.max).astype(given["dtype"])
            model.set_tensor(given["index"], tensor)
            model.invoke()
            return np.asarray(model.get_tensor(out["index"])[0])

        def step() -> None:
            image = frames[self._turn % len(frames)]
            self._turn += 1
            mask = np.argmax(answer(models[0], image), axis=-1)
            overlay = cv2.resize(colours[mask], (image.shape[1], image.shape[0]))
            cv2.addWeighted(image, 0.6, overlay, 0.4, 0)
            int(np.argmax(answer(models[1], image)))

        self.step: Callable[[], Any] = step


def training_step(ask: Ask) -> Any:
    """Return one training step of Keras or PyTorch, from a file that needs nothing else of Smearscope."""
    sys.path.insert(0, ask["root"])
    return importlib.import_module("benchmarks.suites.training_steps").ENGINES[ask["engine"]](ask)


KINDS: dict[str, Callable[[Ask], Any]] = {
    "tflite": TFLiteInvoke,
    "onnx": OnnxRun,
    "opencv": OpenCVForward,
    "pipeline": PipelineExamine,
    "naive": NaiveLoop,
    "training": training_step,
}


def _random(shape: Any, dtype: Any) -> np.ndarray:
    rng = np.random.default_rng(0)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return np.asarray(rng.random(tuple(shape)), kind)
    limits = np.iinfo(kind)
    return np.asarray(rng.integers(limits.min, limits.max, tuple(shape), endpoint=True), kind)


def main() -> None:
    """Answer each line of JSON on standard input with one line of JSON, until there are no more."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a runtime prints must not come between the replies
    models: dict[str, Any] = {}
    for line in sys.stdin:
        try:
            reply = _answer(models, json.loads(line))
        # Whatever a foreign runtime raises becomes the variant's own fault, with its words; the others go on.
        except Exception as error:  # noqa: BLE001
            words = " ".join(str(error).split())[:300]
            reply = {"fault": f"{type(error).__name__}: {words}" if words else type(error).__name__}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _answer(models: dict[str, Any], ask: Ask) -> Ask:
    if ask["do"] == "open":
        model = KINDS[ask["kind"]](ask)
        started = time.perf_counter()
        model.step()
        first_ms = (time.perf_counter() - started) * 1e3
        models[ask["name"]] = model
        added_mb = max(0.0, resident_mb() - model.before_mb)
        told = getattr(model, "told", {})
        return {"init_ms": model.init_ms, "first_ms": first_ms, "rss_mb": added_mb} | told
    if ask["do"] == "peak":
        return {"peak_mb": peak_mb()}
    step = models[ask["name"]].step
    if ask["do"] == "warm":
        until = time.perf_counter() + ask["seconds"]
        while time.perf_counter() < until:
            step()
        return {}
    return {"ms": list(_timed(step, ask["n"], ask["seconds"]))}


def _timed(step: Callable[[], Any], n: int, seconds: float) -> Iterator[float]:
    """Yield the milliseconds of up to `n` calls, at least one, ending early after `seconds`."""
    until = time.perf_counter() + seconds
    for _ in range(n):
        started = time.perf_counter()
        step()
        ended = time.perf_counter()
        yield (ended - started) * 1e3
        if ended >= until:
            return


if __name__ == "__main__":
    main()
