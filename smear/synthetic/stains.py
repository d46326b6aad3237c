"""Stain sessions: the absorption of each dye, shared between classes so that colour does not reveal the class."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Stain:
    """One staining session under one lamp; absorptions are optical densities (natural logarithm) at amount 1."""

    name: str
    glass: Rgb  # RGB of the empty glass, 0 to 255; above 255 the camera is over-exposed, as in the data set
    haemoglobin: Rgb
    azure: Rgb  # basophil cytoplasm
    chromatin: Rgb  # the purple azure-eosin complex of the nucleus
    eosin: Rgb  # neutrophil granules, smudge cells

    def absorption(self) -> NDArray[np.float32]:
        """Return optical densities, float32 (4, 3): one row per dye, in the order of the painted planes."""
        return np.array([self.haemoglobin, self.azure, self.chromatin, self.eosin], np.float32)


# Read off the median colours of glass, red cells and leukocytes in 32 hand-masked fields of Aria et al. (2021);
# ROSE is the usual Giemsa look of other microscopes, which that data set does not hold.
VIOLET = Stain(
    "violet", (251, 256, 252), (0.29, 0.23, 0.12), (0.46, 0.40, 0.03), (0.46, 0.66, 0.02), (0.09, 0.30, 0.05)
)
BLUE = Stain("blue", (247, 258, 258), (0.36, 0.24, 0.10), (0.60, 0.36, 0.02), (0.53, 0.63, 0.01), (0.11, 0.33, 0.03))
MAGENTA = Stain(
    "magenta", (257, 258, 247), (0.19, 0.15, 0.08), (0.33, 0.32, 0.02), (0.17, 0.43, 0.02), (0.10, 0.34, 0.05)
)
DEEP = Stain("deep", (258, 254, 258), (0.18, 0.19, 0.12), (0.72, 0.66, 0.04), (0.75, 1.10, 0.04), (0.22, 0.48, 0.06))
SLATE = Stain("slate", (252, 256, 240), (0.32, 0.22, 0.14), (0.50, 0.34, 0.06), (0.48, 0.76, 0.04), (0.12, 0.34, 0.08))
ROSE = Stain("rose", (232, 232, 226), (0.16, 0.34, 0.24), (0.52, 0.36, 0.14), (0.66, 1.05, 0.30), (0.12, 0.36, 0.18))
SESSIONS: tuple[Stain, ...] = (VIOLET, BLUE, MAGENTA, DEEP, SLATE, ROSE)

# Every session is used by at least two classes and every class by at least four sessions: colour is no shortcut.
PALETTES: dict[str, tuple[Stain, ...]] = {
    "Benign": (VIOLET, DEEP, SLATE, BLUE, ROSE),
    "Early": (VIOLET, BLUE, MAGENTA, DEEP),
    "Pre": (BLUE, VIOLET, SLATE, MAGENTA, ROSE),
    "Pro": (MAGENTA, VIOLET, SLATE, DEEP, ROSE),
}


def draw_stain(rng: np.random.Generator, palette: tuple[Stain, ...]) -> Stain:
    """Return one session of `palette`, its dyes a little stronger, weaker or shifted, as from day to day."""
    base = palette[int(rng.integers(len(palette)))]
    strength = np.exp(rng.normal(0.0, 0.12, (4, 1)) + rng.normal(0.0, 0.05, (4, 3)))
    rows = base.absorption() * strength
    glass = np.array(base.glass) + rng.normal(0.0, 2.5, 3)

    def rgb(values: NDArray[np.floating]) -> Rgb:
        return float(values[0]), float(values[1]), float(values[2])

    return replace(
        base, glass=rgb(glass), haemoglobin=rgb(rows[0]), azure=rgb(rows[1]), chromatin=rgb(rows[2]), eosin=rgb(rows[3])
    )
