"""What a training run needs below its data root, looked for before hours of work: one line says what is missing."""

from pathlib import Path

from smear.classes import LABELS
from smear.errors import DatasetError
from train.data.masks import FOREIGN, PIXEL_SIZE_UM

LAYOUT = "docs/how-to/train-on-your-own-data.md shows the folders"


def missing_foreign(root: Path) -> list[str]:
    """Return the folders of public masks that are not below `root`."""
    wanted = [f"{FOREIGN}/{source}/{part}" for source in PIXEL_SIZE_UM for part in ("images", "masks")]
    return [folder for folder in wanted if not (root / folder).is_dir()]


def require_foreign(root: Path) -> None:
    """Check that the cells of other laboratories are there, which a classifier of cells learns as "other".

    Raises:
        DatasetError: they are not.
    """
    if lacks := missing_foreign(root):
        raise DatasetError(
            f"{root}: no {_listed(lacks)}; copy the public masks there ({LAYOUT}), "
            "or go on without cells of other laboratories: --no-foreign-cells"
        )


def require_for_segmenter(root: Path) -> None:
    """Check that all is there that a segmenter is fitted to.

    Raises:
        DatasetError: it is not.
    """
    fields = [f"taleqani/Original/{label}" for label in LABELS]
    lacks = [folder for folder in (*fields, "taleqani_masks") if not (root / folder).is_dir()]
    if lacks := lacks + missing_foreign(root):
        raise DatasetError(
            f"{root}: no {_listed(lacks)}; a segmenter is fitted to fields with masks ({LAYOUT}): copy them there, "
            "or keep the segmenter that ships: 'smearscope train classifier --segmenter-from BUNDLE'"
        )


def _listed(lacks: list[str]) -> str:
    return ", ".join(lacks[:3]) + (f" and {len(lacks) - 3} more" if len(lacks) > 3 else "")
