"""Hand-made frames and findings, for the tests of what comes after the pipeline."""

import numpy as np

from smear.classes import LABELS
from smear.findings import Cell, CellMask, Finding, Frame, Quality, Refusal, RefusalCode


def frame(sequence: int = 0, seed: int | None = None, wall_time_s: float = 1_700_000_000.0) -> Frame:
    """A small frame of coloured noise; each `seed` is another position on the slide."""
    rng = np.random.default_rng(sequence if seed is None else seed)
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    return Frame(image, "test:", sequence=sequence, monotonic_s=float(sequence), wall_time_s=wall_time_s + sequence)


def cell(best: str | None = "Pre") -> Cell:
    """One leukocyte; with `best` None the classifier saw the field, not the cell."""
    probabilities = tuple(0.7 if name == best else 0.1 for name in LABELS) if best else ()
    contour = np.array([[0, 0], [9, 0], [9, 9]], np.int32)
    return Cell((1, 2, 10, 12), (6.0, 8.0), 95.0, None, 0.8, 0.9, contour, False, probabilities)


TOO_DARK = Refusal(RefusalCode.TOO_DARK, "too dark (background at 9%): raise the lamp or the exposure")
UNCERTAIN = Refusal(RefusalCode.UNCERTAIN, "not certain enough (51%, at least 80% needed): look at more fields")
OUT_OF_FOCUS = Refusal(RefusalCode.OUT_OF_FOCUS, "out of focus (40% of the sharpness needed): turn the fine focus")


def finding(
    label: str | None = "Pre", refusals: tuple[Refusal, ...] = (), cells: tuple[Cell, ...] | None = None
) -> Finding:
    """A finding with two cells of its class; refused when `refusals` are given."""
    top = label or "Pre"
    return Finding(
        label=None if refusals else label,
        top=top,
        probabilities={name: 0.7 if name == top else 0.1 for name in LABELS},
        refusals=refusals,
        cells=(cell(top), cell(top)) if cells is None else cells,
        mask=CellMask(np.zeros((48, 64), np.uint8)),
        quality=Quality(focus=1.0, clipped=0.0, brightness=0.8, cell_share=0.1, ood_score=2.5),
        timing_ms={"segment": 12.0},
        bundle_sha256="ab" * 32,
        level="int8",
        runtime="ai-edge-litert",
    )
