"""Synthetic smears: seeded fields with their exact masks, for the simulated camera, tests and pre-training."""

from smear.synthetic.fields import SyntheticField, blank, red_cells_only, render
from smear.synthetic.slide import SyntheticSlide
from smear.synthetic.stains import SESSIONS, Stain

__all__ = ["SESSIONS", "Stain", "SyntheticField", "SyntheticSlide", "blank", "red_cells_only", "render"]
