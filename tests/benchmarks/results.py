"""A benchmark result as a run would give it, for tests of reports and comparisons."""

from typing import Any

from benchmarks.schema import (
    Board,
    Environment,
    Figure,
    Growth,
    Latency,
    Live,
    Operation,
    Pair,
    Peak,
    Point,
    Product,
    Ratio,
    Result,
    Segmentation,
    Stages,
    Start,
    Step,
    Variant,
)


def latency(ms: float) -> Latency:
    return Latency(n=64, min_ms=0.9 * ms, p50_ms=ms, p90_ms=1.2 * ms, p99_ms=1.5 * ms, max_ms=2 * ms, per_s=1000 / ms)


def environment(**changed: object) -> Environment:
    facts: dict[str, object] = {
        "machine": "Raspberry Pi 5", "cpu": "Cortex-A76", "cpus": 4, "memory_mb": 8000, "os": "Debian",
        "kernel": "6.12", "python": "3.13.5", "versions": {"ai-edge-litert": "2.3.0"}, "git_revision": "abc",
        "bundle": "default", "bundle_sha256": "0" * 64, "before": Board(temperature_c=50.0, throttled=0),
        "after": Board(),
    }  # fmt: skip
    return Environment.model_validate(facts | changed)


def make(ms: float = 20.0, accuracy: float = 0.95, **changed: object) -> Result:
    quality = {"accuracy": Figure(value=accuracy, split="validation", n=263, low=accuracy - 0.02, high=accuracy + 0.02)}
    ratio = Ratio(to="bundle/pipeline/int8/ai-edge-litert/1", value=12.0, low=11.0, high=13.0, rounds=50)
    own: dict[str, Any] = {"name": "a + b", "level": "int8", "runtime": "ai-edge-litert", "threads": 1}
    facts: dict[str, object] = {
        "created": "2026-01-01T00:00:00+00:00",
        "mode": "quick",
        "environment": environment(),
        "variants": (
            Variant(
                key="bundle/segmenter/int8/ai-edge-litert/1", pair="bundle", role="segmenter", level="int8",
                runtime="ai-edge-litert", threads=1, file_bytes=120_000, multiply_adds=187_000_000, init_ms=3.0,
                first_ms=9.0, rss_mb=20.0, latency=latency(ms / 2), gmacs=40.0,
            ),
            Variant(
                key="bundle/segmenter/float32/opencv/1", pair="bundle", role="segmenter", level="float32",
                runtime="opencv", threads=1, fault="OpenCV cannot read it",
            ),
        ),
        "pairs": (
            Pair(key=ratio.to, latency=latency(ms), figures=quality, **own),
            Pair(key="reference/pipeline/float32/tflite-runtime/1", latency=latency(12 * ms), ratio=ratio, **own),
        ),
        "stages": (
            Stages(
                name="camera frame", megapixels=1.58, cells=20, segmenter_invokes=12, classifier_invokes=20,
                stage_ms={"segment": 15.0, "gate": 5.0}, invokes_ms=16.0, total_ms=20.0, overhead=0.25, cpu_ms=19.0,
                invokes_cpu_ms=15.0, cpu_overhead=0.27, n=30,
            ),
        ),
        "live": (
            Live(
                camera="simulated", megapixels=1.58, to_result=latency(ms), to_screen=latency(ms + 5),
                fields_per_s=20.0, stage_ms={"capture": 9.0, "segment": 15.0, "compose": 4.0}, rss_mb=150.0,
            ),
        ),
        "growth": (
            Growth(
                of="cells", unit="leukocytes",
                points=(Point(at=1, values={"total": 10.0}), Point(at=100, values={"total": 30.0})),
            ),
        ),
        "training": (
            Step(key="training/paper_cnn/Keras/16/4", network="paper_cnn", engine="Keras", batch=16, threads=4,
                 latency=latency(900.0)),
            Step(key="training/paper_cnn/PyTorch/16/4", network="paper_cnn", engine="PyTorch", batch=16, threads=4,
                 fault="PyTorch is not installed"),
        ),
        "segmentation": (
            Segmentation(key="segmentation/smearscope/1", engine="smearscope", cells=44, cells_drawn=44,
                         latency=latency(6.0)),
            Segmentation(key="segmentation/cellpose/1", engine="cellpose", cells_drawn=44,
                         weights="random weights: time only", latency=latency(900.0)),
            Segmentation(key="segmentation/stardist/1", engine="stardist", cells_drawn=44,
                         fault="stardist is not installed"),
        ),
        "start": Start(help_s=0.2, help_p90_s=0.25, help_cpu_s=0.1, first_finding_s=1.0, n=3),
        "peak": Peak(
            int8_gmacs=90.0, float32_gmacs=25.0, level="int8", reached={"segmenter": 0.4}, invoke_ms={"segmenter": 5.0},
            products=(Product(engine="ai-edge-litert", kind="int8", size=512, gmacs=90.0),),
            operations=(
                Operation(role="segmenter", operation="CONV_2D", count=9, ms=4.0, multiply_adds=10**8, peak_share=0.5),
                Operation(role="segmenter", operation="CONCATENATION", count=4, ms=1, multiply_adds=0, peak_share=None),
            ),
        ),
    }  # fmt: skip
    return Result.model_validate(facts | changed)
