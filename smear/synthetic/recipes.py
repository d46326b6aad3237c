"""What each class looks like under the microscope: kinds of leukocytes, their number, and what surrounds them.

Diameters and counts come from the cell maps of 32 hand-masked fields; the morphology follows the FAB and WHO
descriptions of B-lymphoblasts and hematogones. Ranges overlap between classes on purpose.
"""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CellKind:
    """How to draw one kind of leukocyte."""

    diameter_um: Range  # mean and standard deviation
    nc_ratio: Range  # nucleus area / cell area
    amount: Range  # chromatin, relative to the stain's own
    coarseness: float  # 0: fine, even chromatin; 1: clumped
    contrast: float  # of the chromatin, relative to its amount
    nucleoli: tuple[int, int] = (0, 0)  # fewest and most
    basophilia: float = 1.0  # blue of the cytoplasm
    granules: float = 0.0  # eosin in the cytoplasm, grainy
    irregularity: float = 0.03  # of the outline, relative to its radius
    lobes: tuple[int, int] = (1, 1)  # of the nucleus, fewest and most


@dataclass(frozen=True, slots=True)
class Recipe:
    """The contents of one class's fields; counts are for a field of 112 x 112 µm."""

    kinds: tuple[tuple[CellKind, float], ...]  # with their shares
    leukocytes: Range
    clustering: float  # chance that a leukocyte lies against the one before
    smudges: float  # mean number of smudge cells
    reds: Range


HEMATOGONE = CellKind((9.2, 1.2), (0.86, 0.95), (1.25, 1.8), 0.8, 0.22, basophilia=1.1)
LYMPHOCYTE = CellKind((10.2, 1.0), (0.72, 0.86), (1.1, 1.5), 0.9, 0.25, basophilia=0.8)
ERYTHROBLAST = CellKind((9.0, 1.0), (0.45, 0.66), (1.6, 2.1), 1.0, 0.25, basophilia=1.3, irregularity=0.02)
GRANULOCYTE = CellKind((13.0, 1.1), (0.36, 0.5), (0.95, 1.2), 0.7, 0.14, basophilia=0.12, granules=0.6, lobes=(2, 4))
MYELOCYTE = CellKind((15.5, 1.8), (0.56, 0.72), (0.8, 1.05), 0.5, 0.16, (0, 2), 0.5, 0.6, lobes=(1, 2))
EARLY_BLAST = CellKind((12.4, 1.3), (0.82, 0.93), (0.95, 1.25), 0.25, 0.10, (0, 1), 1.2, irregularity=0.055)
PRE_BLAST = CellKind((12.6, 2.0), (0.70, 0.88), (0.90, 1.20), 0.45, 0.14, (0, 2), 1.1, irregularity=0.03)
PRE_SMALL = CellKind((9.0, 0.8), (0.84, 0.94), (1.15, 1.45), 0.6, 0.2, (0, 0), 1.2, irregularity=0.05)
PRO_BLAST = CellKind((11.3, 1.1), (0.78, 0.92), (0.85, 1.15), 0.15, 0.15, (1, 3), 1.0, irregularity=0.04)

RECIPES: dict[str, Recipe] = {
    "Benign": Recipe(
        ((HEMATOGONE, 0.5), (LYMPHOCYTE, 0.14), (ERYTHROBLAST, 0.1), (GRANULOCYTE, 0.15), (MYELOCYTE, 0.11)),
        (4, 14), 0.2, 0.5, (130, 260),
    ),
    "Early": Recipe(((EARLY_BLAST, 0.93), (LYMPHOCYTE, 0.05), (GRANULOCYTE, 0.02)), (2, 12), 0.3, 0.6, (110, 240)),
    "Pre": Recipe(((PRE_BLAST, 0.78), (PRE_SMALL, 0.2), (GRANULOCYTE, 0.02)), (5, 30), 0.55, 1.8, (100, 230)),
    "Pro": Recipe(((PRO_BLAST, 0.95), (LYMPHOCYTE, 0.05)), (2, 8), 0.2, 0.6, (100, 200)),
}  # fmt: skip
NO_LEUKOCYTES = Recipe((), (0, 0), 0.0, 0.0, (90, 200))
EMPTY_GLASS = Recipe((), (0, 0), 0.0, 0.0, (0, 0))
