"""Pictures that must get no label: other tissue, red cells alone, blank glass, fields out of focus."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from smear.classes import LABELS
from smear.errors import DatasetError
from smear.images import list_images
from smear.inference.evaluator import LabelledPicture
from smear.synthetic import blank, red_cells_only, render

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
        yield from _foreign(source, root / "ood" / FOREIGN[source])
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


def _foreign(source: str, folder: Path) -> Iterator[LabelledPicture]:
    found = list_images(folder) if folder.is_dir() else []
    if not found:
        raise DatasetError(f"{folder}: no pictures of {source}; give the root that holds ood/, or --without-ood")
    for path in found:
        # Some have an alpha channel. The device refuses such a file for its format; here its content is in question.
        with Image.open(path) as picture:
            image = np.array(picture.convert("RGB"))
        yield LabelledPicture(f"{source}/{path.name}", image, None, path.name)
