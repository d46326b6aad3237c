"""Smears of other laboratories: what each set is, its scale, and the three conditions under which it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smear.imaging.stain_normalization import background_colour
from train.data.dataset import found_below, read_as_rgb
from train.data.masks import PIXEL_SIZE_UM

Condition = Literal["no scale", "right scale", "white-balanced"]
CONDITIONS: tuple[Condition, ...] = ("no scale", "right scale", "white-balanced")
"""The pixel size is not given; it is; it is, and the background is neutral, as the refusal of a tint advises."""
Cells = Literal["normal", "leukaemic", "other"]


@dataclass(frozen=True, slots=True)
class Laboratory:
    """One set of pictures, none of which shows a field of our four classes."""

    name: str
    folder: str  # below the root of the training data; pictures lie in it or in folders below it
    pixel_size_um: float  # estimated from red cells of 7.2 µm, or else from neutrophils
    cells: Cells = "normal"
    teaches: bool = True  # False: its terms allow measuring, but no weights fitted to it
    on_black: bool = False  # cells are cut out on black, which is replaced by white


LABORATORIES = (
    Laboratory("pbc", "others/pbc", 0.10),
    Laboratory("raabin", "others/raabin/images", 0.06),
    Laboratory("draaslan", "others/draaslan", 0.14),
    Laboratory("segpc", "others/segpc/images", 0.14, "other", teaches=False),
    Laboratory("cnmc", "others/cnmc", 0.05, "leukaemic", on_black=True),
    Laboratory("chula", "others/chula", 0.18, "other"),
    Laboratory("iml", "others/iml", 0.105, "other"),
    Laboratory("zheng1", "wbc_masks/zheng_dataset1/images", PIXEL_SIZE_UM["zheng_dataset1"]),
    Laboratory("zheng2", "wbc_masks/zheng_dataset2/images", PIXEL_SIZE_UM["zheng_dataset2"]),
    Laboratory("bccd", "wbc_masks/bccd/images", PIXEL_SIZE_UM["bccd"]),
    Laboratory("sigtuple", "wbc_masks/sigtuple/images", PIXEL_SIZE_UM["sigtuple"]),
)
"""SegPC-2021 (myeloma marrow) is licensed CC BY-NC-SA: it is measured with and teaches nothing."""

_SAME_CELL_PX = 40  # of the malaria pictures: less than a cell
PARASITES: dict[str, tuple[tuple[int, int], ...]] = {
    "malaria__000.jpg": ((564, 411), (333, 841)),
    "malaria__001.jpg": ((554, 515),),
    "malaria__003.jpg": ((218, 361), (956, 394), (849, 744)),
    "malaria__005.jpg": ((656, 753),),
    "malaria__010.jpg": ((533, 378),),
    "malaria__013.jpg": ((718, 214),),
    "malaria__025.jpg": ((1132, 808),),
    "malaria__030.jpg": ((773, 389),),
    "malaria__035.jpg": ((335, 615),),
}
"""Centres, x and y, of schizonts and gametocytes in the malaria pictures that the segmenter takes for leukocytes.

Found by looking at every cell that it found there; the other 15 are leukocytes.
"""


def is_leukocyte(laboratory: Laboratory, name: str, centre: NDArray[np.float64]) -> bool:
    """Return whether the cell at `centre`, float (2,) of x and y, in the picture called `name` is a leukocyte.

    A giant platelet and a parasite are none. Other cells of the sets are taken for leukocytes, as nearly all are.
    """
    if laboratory.name == "pbc":
        return not name.startswith("platelet/")
    parasites = PARASITES.get(name.rsplit("/", 1)[-1], ()) if laboratory.name == "iml" else ()
    return all(np.hypot(*(centre - place)) > _SAME_CELL_PX for place in parasites)


def pictures(laboratory: Laboratory, root: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the name, with its folder, and the RGB uint8 (H, W, 3) of each picture of `laboratory`.

    Raises:
        DatasetError: its folder is missing or empty.
    """
    for path in files(laboratory, root):
        image = read_as_rgb(path)
        if laboratory.on_black:
            image[image.max(axis=2) == 0] = 255
        yield f"{path.parent.name}/{path.name}", image


def files(laboratory: Laboratory, root: Path) -> list[Path]:
    """Return the pictures of `laboratory` below the root of the training data.

    Raises:
        DatasetError: its folder is missing or empty.
    """
    folder = root / laboratory.folder
    return found_below(folder, laboratory.name, f"give the root that holds {laboratory.folder}")


def white_balanced(image: NDArray[np.uint8], cell: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return `image` with its background brought to the neutral grey of its brightest channel.

    `cell` is bool (H, W): what is no background.
    """
    background = np.maximum(background_colour(image, cell), 1.0)
    return np.asarray(np.clip(np.rint(image * (background.max() / background)), 0, 255), np.uint8)
