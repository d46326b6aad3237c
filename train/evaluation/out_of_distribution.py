"""Pictures that must get no label: other tissue, red cells alone, blank glass, fields out of focus."""

from collections.abc import Iterator
from pathlib import Path

from smear.classes import LABELS
from smear.inference.evaluator import LabelledPicture
from smear.synthetic import blank, red_cells_only, render
from train.data.dataset import found_below, read_as_rgb

FOREIGN = {"histology": "histology", "red cells only": "red_cells_only"}  # name in the report -> folder of ood/
SYNTHETIC = 100  # fields of each kind
DEFOCUS_UM = 12.0  # a blur disc 20 px across: no structure of a nucleus is left
SEED = 70_000  # far from the seeds that training draws


def sources() -> tuple[str, ...]:
    """Return the sources of out-of-distribution pictures by name."""
    return (*FOREIGN, "synthetic blank", "synthetic red cells only", "synthetic out of focus")


def pictures(source: str, root: Path) -> Iterator[LabelledPicture]:
    """Yield the pictures of one of `sources`; `root` is the root of the training data.

    Raises:
        DatasetError: the folder of a foreign source is missing or empty.
    """
    if source in FOREIGN:
        for path in found_below(
            root / "ood" / FOREIGN[source], source, "give the root that holds ood/, or --without-ood"
        ):
            yield LabelledPicture(f"{source}/{path.name}", read_as_rgb(path), None, path.name)
        return
    for number in range(SYNTHETIC):
        seed = SEED + number
        if source == "synthetic blank":
            image = blank(seed).image
        elif source == "synthetic red cells only":
            image = red_cells_only(seed).image
        else:
            image = render(LABELS[number % len(LABELS)], seed, defocus_um=DEFOCUS_UM).image
        yield LabelledPicture(f"{source}/{seed}", image, None, str(seed))
