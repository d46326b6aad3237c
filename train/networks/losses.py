"""Losses for masks with outlined nuclei and for masks without."""

import keras
from keras import ops

from train.data.masks import BG, CELL, CYTO, IGNORE, NUC


def mask_loss(codes: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
    """Return cross-entropy plus Dice loss of the cell and, where it was outlined, of the nucleus.

    For a pixel coded CELL the probabilities of cytoplasm and nucleus are added; one coded IGNORE costs nothing.

    Args:
        codes: uint8 (n, h, w), see `train.data.masks`.
        outputs: logits float32 (n, h, w, 3), or smaller: they are interpolated to the size of `codes`.
    """
    logits = ops.cast(outputs, "float32")
    if logits.shape[1:3] != codes.shape[1:3]:
        logits = ops.image.resize(logits, codes.shape[1:3], interpolation="bilinear")
    codes = ops.cast(codes, "int32")
    log_p = ops.log_softmax(logits, axis=-1)
    log_cell = ops.logsumexp(log_p[..., 1:], axis=-1)
    is_bg, is_cyto, is_nuc, is_any = (ops.cast(codes == code, "float32") for code in (BG, CYTO, NUC, CELL))
    known = ops.cast(codes != IGNORE, "float32")
    nll = -(is_bg * log_p[..., 0] + is_cyto * log_p[..., 1] + is_nuc * log_p[..., 2] + is_any * log_cell)
    entropy = ops.sum(nll) / (ops.sum(known) + 1.0)
    cell_dice = _soft_dice(is_cyto + is_nuc + is_any, ops.exp(log_cell) * known)
    parts = known - is_any
    nucleus_dice = _soft_dice(is_nuc, ops.exp(log_p[..., 2]) * parts)
    return entropy + (1.0 - cell_dice) + 0.5 * (1.0 - nucleus_dice)


def mask_loss_of_softmax(codes: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
    """Return `mask_loss` for a model whose outputs are probabilities already, such as the paper's U-Net."""
    return mask_loss(codes, ops.log(ops.cast(outputs, "float32") + 1e-6))


def _soft_dice(truth: keras.KerasTensor, probability: keras.KerasTensor) -> keras.KerasTensor:
    return (2.0 * ops.sum(truth * probability) + 1.0) / (ops.sum(truth) + ops.sum(probability) + 1.0)
