"""The figures of the report as PNG bytes."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from smear.classes import LABELS
from train.evaluation.control_results import Outcome
from train.evaluation.scores import Evaluation, ReliabilityBins
from train.evaluation.shortcut_controls import Graded
from train.reporting.training_cost import Stage

DPI = 100
BLUE, RED, GREY = "#0072b2", "#d55e00", "#555555"  # Okabe-Ito: distinguishable by colour-blind readers


@contextmanager
def _drawing(rows: int, columns: int, size: tuple[float, float]) -> Iterator[tuple[Any, io.BytesIO]]:
    """Yield the axes (rows, columns) of a figure, and the buffer that gets its PNG afterwards."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=size, layout="constrained")  # not pyplot: no window, no global state
        axes = figure.subplots(rows, columns, squeeze=False)
        buffer = io.BytesIO()
        yield axes, buffer
        figure.savefig(buffer, format="png", dpi=DPI)


def confusion(found: Evaluation) -> bytes:
    """True class by best class, in fields."""
    with _drawing(1, 1, (5.2, 4.0)) as (axes, png):
        ax = axes[0, 0]
        shares = found.confusion / np.maximum(found.confusion.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(found.confusion):
            ax.text(column, row, count, ha="center", va="center", color="white" if shares[row, column] > 0.5 else "k")
        ax.set_xticks(range(len(LABELS) + 1), [*LABELS, "no cell"])
        ax.set_yticks(range(len(LABELS)), LABELS)
        ax.set(xlabel="best class", ylabel="true class")
    return png.getvalue()


def reliability(found: Evaluation, temperature: float) -> bytes:
    """Accuracy against confidence, before and after temperature scaling."""
    with _drawing(1, 2, (8.4, 4.0)) as (axes, png):
        parts = (
            (f"before: ECE {found.ece_before.value:.3f}", found.before),
            (f"after T = {temperature:.3g}: ECE {found.ece_after.value:.3f}", found.after),
        )
        for ax, (title, bins) in zip(axes[0], parts, strict=True):
            _reliability(ax, bins)
            ax.set(title=title, xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    return png.getvalue()


def _reliability(ax: Any, bins: ReliabilityBins) -> None:
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls="--")
    filled = bins.count > 0
    sizes = 20 + 180 * bins.count[filled] / max(1, bins.count.max())
    ax.scatter(bins.confidence[filled], bins.accuracy[filled], sizes, color=BLUE, alpha=0.7)
    for x, y, count in zip(bins.confidence[filled], bins.accuracy[filled], bins.count[filled], strict=True):
        ax.annotate(str(count), (x, y), fontsize=7, textcoords="offset points", xytext=(6, -9))


def risk_coverage(found: Evaluation, point: tuple[float, float], threshold: float) -> bytes:
    """Risk among the most confident share of fields; `point` is coverage and risk at the bundle's threshold."""
    with _drawing(1, 1, (5.6, 3.8)) as (axes, png):
        ax = axes[0, 0]
        ax.plot(found.coverage, found.risk, color=RED)
        ax.scatter(*point, color="k", zorder=3)
        ax.annotate(f"abstains below {threshold:.2f}", point, textcoords="offset points", xytext=(-110, 14))
        ax.set(xlabel="coverage: share of fields that get a label", ylabel="risk: share of them that is wrong")
        ax.set(xlim=(0, 1.02), ylim=(0, max(0.02, 1.15 * float(np.max(found.risk)))))
    return png.getvalue()


def ood_scores(outcome: Outcome) -> bytes | None:
    """Out-of-distribution scores of every source, and the threshold; None where the bundle has no such score."""
    groups = {"test fields": [float(score) for score in outcome.answers.ood_scores]}
    groups |= {one.source: list(one.ood_scores) for one in outcome.out_of_distribution}
    scored = {name: scores for name, scores in groups.items() if scores}
    if not groups["test fields"]:
        return None
    with _drawing(1, 1, (8.0, 0.6 * len(scored) + 1.4)) as (axes, png):
        ax = axes[0, 0]
        rng = np.random.default_rng(0)
        for row, (name, scores) in enumerate(scored.items()):
            heights = row + rng.uniform(-0.28, 0.28, len(scores))
            ax.scatter(scores, heights, 7, color=BLUE if name == "test fields" else RED, alpha=0.5)
        if outcome.bundle.ood_above is not None:
            ax.axvline(outcome.bundle.ood_above, color="k", lw=0.9)
        ax.set_yticks(range(len(scored)), [f"{name} ({len(scores)} with a cell)" for name, scores in scored.items()])
        ax.invert_yaxis()
        ax.set(xlabel="out-of-distribution score; refused right of the line", xlim=(-0.02, 1.02))
    return png.getvalue()


def graded(rows: Sequence[Graded]) -> bytes:
    """Accuracy of the best class and of the label, and the share labelled, under each corruption."""
    kinds = [kind for kind in dict.fromkeys(row.kind for row in rows) if kind != "none"]
    with _drawing(1, len(kinds), (3.1 * len(kinds), 4.0)) as (axes, png):
        start = next(row for row in rows if row.kind == "none")
        for ax, kind in zip(axes[0], kinds, strict=True):
            own = [start, *(row for row in rows if row.kind == kind)]
            for name, colour, text in (
                ("accuracy", GREY, "best class right"),
                ("right_if_labelled", BLUE, "right, if labelled"),
                ("labelled", RED, "labelled"),
            ):
                shares = [getattr(row, name) for row in own]
                ax.plot([one.value if one.n else np.nan for one in shares], "o-", ms=4, color=colour, label=text)
            ax.set_xticks(range(len(own)), ["none", *(row.strength for row in own[1:])], rotation=60, ha="right")
            ax.set(title=kind, ylim=(0, 1.03))
        axes[0, 0].legend(loc="lower left", fontsize=8)
    return png.getvalue()


def curves(stages: Sequence[Stage]) -> bytes:
    """Every column of every epochs.csv, one panel for each stage."""
    columns = min(4, len(stages))
    rows = -(-len(stages) // columns)
    with _drawing(rows, columns, (3.2 * columns, 2.6 * rows)) as (axes, png):
        for ax, stage in zip(axes.flat, stages, strict=False):
            for name, values in stage.curves.items():
                ax.plot(np.arange(1, len(values) + 1), values, "o-" if len(values) < 3 else "-", label=name)
            ax.set(title=stage.name, xlabel="epoch")
            ax.legend(fontsize=7)
        for ax in axes.flat[len(stages) :]:
            ax.axis("off")
    return png.getvalue()


def pictures(rows: Sequence[Sequence[NDArray[np.uint8]]], heads: Sequence[str], names: Sequence[str]) -> bytes:
    """A grid of RGB uint8 pictures, with `heads` above the columns and `names` beside the rows."""
    with _drawing(len(rows), len(heads), (2.1 * len(heads) + 0.3, 2.15 * len(rows))) as (axes, png):
        for row, (images, name) in enumerate(zip(rows, names, strict=True)):
            for column, image in enumerate(images):
                ax = axes[row, column]
                ax.imshow(image)
                ax.set(xticks=[], yticks=[])
                if row == 0:
                    ax.set_title(heads[column], fontsize=9)
            axes[row, 0].set_ylabel(name, fontsize=8)
    return png.getvalue()


def outlined(image: NDArray[np.uint8], cell: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a copy of `image` with the outline of bool (H, W) `cell` drawn on it in green."""
    contours, _ = cv2.findContours(cell.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(image.copy(), contours, -1, (0, 190, 0), 1), np.uint8)
