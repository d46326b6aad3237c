"""Pseudo-labels: masks that a fitted segmenter gives to fields without a mask drawn by hand."""

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from smear.images import list_images, read_image
from smear.imaging.masking import SCALE_BAR_BOX
from smear.imaging.resampling import FIELD_SIZE, to_model_scale, to_tensor
from smear.progress import progress
from train.data.masks import BG, CELL, CYTO, FIELD_ZOOM, IGNORE, NUC, MaskedImage, hand_drawn_masks
from train.fitting.mask_pools import class_folders
from train.networks.segmentation import probabilities_of

LABELLED_EVERY = 3  # of our fields without a mask: one in so many gets a pseudo-label; of the benign ones, each
SURE_BACKGROUND, SURE_CELL, SURE_NUCLEUS = 0.7, 0.35, 0.8  # probabilities beyond which a pixel is labelled
VIEWS = 4  # rotated and mirrored, whose probabilities are averaged


def pseudo_label(model: keras.Model, root: Path) -> list[MaskedImage]:
    """Return our fields without a mask drawn by hand under the masks of `model`, averaged over `VIEWS` views.

    Pixels of which it is not sure, and the corner of the scale bar, are coded IGNORE.
    """
    names = {masked.name for masked in hand_drawn_masks(root)}
    labelled = []
    for folder in class_folders(root):
        paths = list_images(folder)[:: 1 if folder.name == "Benign" else LABELLED_EVERY]
        for path in progress([path for path in paths if path.stem not in names], f"Labelling {folder.name}"):
            pixels = to_model_scale(read_image(path)).pixels
            if pixels.shape[:2] == (FIELD_SIZE, FIELD_SIZE):
                labelled.append(MaskedImage(path.stem, folder.name, pixels, _codes(model, pixels), FIELD_ZOOM))
    return labelled


def _codes(model: keras.Model, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return codes uint8 (h, w) of RGB uint8 (h, w, 3)."""
    views = np.concatenate([to_tensor(_view(pixels, k)) for k in range(VIEWS)])
    background, cytoplasm, nucleus = np.mean(
        [_view_undone(p, k) for k, p in enumerate(probabilities_of(model, views))], axis=0
    ).transpose(2, 0, 1)
    cell = background < SURE_CELL
    share = nucleus / (nucleus + cytoplasm + 1e-6)
    sure = [background > SURE_BACKGROUND, cell & (share > SURE_NUCLEUS), cell & (share < 1 - SURE_NUCLEUS), cell]
    codes = np.select(sure, [BG, NUC, CYTO, CELL], IGNORE).astype(np.uint8)
    codes[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :] = IGNORE
    return codes


def _view(image: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Rotate (h, w, c) by `number` right angles, and mirror it if that is odd."""
    rotated = np.rot90(image, number)
    return rotated[:, ::-1] if number % 2 else rotated


def _view_undone(image: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """Undo `_view`."""
    return np.rot90(image[:, ::-1] if number % 2 else image, -number)
