"""Bundles side by side: size, accuracy, speed and memory of each level."""

import multiprocessing
import resource
import timeit
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.levels import Level, level_spec
from smear.bundle.manifest import ModelFile
from smear.errors import ConversionError
from smear.imaging.resampling import to_tensor
from smear.inference.tflite import open_runtime
from smear.inference.verification import INPUTS, read_golden

ROUNDS = 5  # of both models, after one to warm up: a first impression; for figures use 'smearscope bench'
KILOBYTE = 1024  # unit of ru_maxrss on Linux


@dataclass(frozen=True, slots=True)
class Row:
    """One level of one bundle; None where a figure was not measured."""

    bundle: str
    level: str
    bytes: int
    accuracy: float | None
    macro_f1: float | None
    dice: float | None
    ece: float | None
    agreement: float | None  # with Keras, of the model that agrees less
    milliseconds: float | None  # one field and one classifier input, median
    peak_mb: float | None  # resident memory of a process that runs both models


def rows_of(bundle: Bundle) -> list[Row]:
    """Return one row for each level of `bundle`, timed on its golden inputs.

    Raises:
        BundleError: its golden file cannot be read.
    """
    rows = []
    largest = max((_fields(entry) for entry in bundle.manifest.classifier.levels.values()), default=0)
    for level, segmenter in bundle.manifest.segmenter.levels.items():
        classifier = bundle.manifest.classifier.levels[level]
        cost = None if level_spec(level).needs_delegate else measure_cost(bundle, level)
        fields = _fields(classifier)
        name = level if fields == largest else f"{level} ({fields} fields)"  # measured on fewer fields: not comparable
        rows.append(_row(bundle.manifest.name, name, segmenter, classifier, cost))
    return rows


def _fields(classifier: ModelFile) -> int:
    """Return on how many fields a level was measured."""
    return classifier.figures["accuracy"].n if "accuracy" in classifier.figures else 0


def _row(name: str, level: str, segmenter: ModelFile, classifier: ModelFile, cost: tuple[float, float] | None) -> Row:
    def value(part: ModelFile, figure: str) -> float | None:
        return part.figures[figure].value if figure in part.figures else None

    agreements = [a for a in (value(segmenter, "agreement"), value(classifier, "agreement")) if a is not None]
    return Row(
        bundle=name,
        level=level,
        bytes=segmenter.bytes + classifier.bytes,
        accuracy=value(classifier, "accuracy"),
        macro_f1=value(classifier, "macro_f1"),
        dice=value(segmenter, "dice"),
        ece=value(classifier, "ece"),
        agreement=min(agreements, default=None),
        milliseconds=cost[0] if cost else None,
        peak_mb=cost[1] if cost else None,
    )


def measure_cost(bundle: Bundle, level: Level) -> tuple[float, float]:
    """Return the median milliseconds of one pass of both models at `level` and the peak memory in MB.

    Each level runs in a process of its own, since peak memory never falls again within one.
    """
    context = multiprocessing.get_context("forkserver")  # its server imports this module, and no TensorFlow
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, context) as pool:
        try:
            return pool.submit(_cost, bundle.path, level).result()
        except BrokenProcessPool:
            raise ConversionError(
                f"bundle {bundle.path}: running level {level} ended its process; see the lines above, and convert it "
                "again"
            ) from None


def _cost(path: Path, level: Level) -> tuple[float, float]:
    bundle = load_bundle(path)
    golden = read_golden(bundle)
    pairs = [(open_runtime(bundle.model(role, level), None), to_tensor(golden[key][0])) for role, key in INPUTS.items()]
    seconds = timeit.repeat(lambda: [model.invoke(tensor) for model, tensor in pairs], number=1, repeat=ROUNDS + 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE / 1e6
    return median(seconds[1:]) * 1e3, peak


COLUMNS = (
    ("bytes", "bytes"),
    ("accuracy", "accuracy"),
    ("macro_f1", "macro F1"),
    ("dice", "Dice"),
    ("ece", "calibration error"),
    ("agreement", "agreement with Keras"),
    ("milliseconds", "ms (quick)"),
    ("peak_mb", "peak memory, MB"),
)


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw a panel for each figure with a bar for each level, and write the PNG `file`."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    names = [f"{row.bundle} {row.level}" for row in rows]
    figure, axes = pyplot.subplots(2, len(COLUMNS) // 2, figsize=(16, 2 + 0.5 * len(rows)), sharey=True)
    for axis, (attribute, title) in zip(axes.flat, COLUMNS, strict=True):
        values = [getattr(row, attribute) for row in rows]
        axis.barh(names, [0 if value is None else value for value in values], color="#56b4e9")
        for position, value in enumerate(values):
            text = "not measured" if value is None else f"{value:,.0f}" if attribute == "bytes" else f"{value:.4g}"
            axis.text(0, position, f" {text}", va="center", fontsize=8)
        axis.set_title(title)
        axis.set_xticks([])
    axes.flat[0].invert_yaxis()
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
