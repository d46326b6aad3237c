"""The paper's two networks as published, our own light pair, and what a network costs."""

import math

import keras
from keras import layers

from smear.classes import LABELS
from smear.imaging.masking import CROP_SIZE
from smear.imaging.resampling import FIELD_SIZE
from train.networks.backbone import MAX_ACTIVATION, efficientnet_lite0

SEGMENT_CHANNELS = 3  # background, cytoplasm, nucleus
PAPER_DROPOUT = 0.8  # as published; docs/decisions/0006 says what that does
UNET_BASE = 16  # filters of the first level; the paper does not state its own


def paper_cnn(size: int = FIELD_SIZE, dropout: float = PAPER_DROPOUT, name: str = "paper_cnn") -> keras.Model:
    """Return the custom CNN of Reza et al. (2025): float (n, size, size, 3) in 0..1 to softmax (n, 4).

    2,967,008 parameters at 224 pixels. `dropout` is the published 0.8 unless given.
    """
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.Conv2D(200, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(4),
            layers.Dropout(dropout),
            layers.Conv2D(150, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(4),
            layers.Conv2D(100, 3, padding="same", activation="relu"),
            layers.Dropout(dropout),
            layers.Conv2D(50, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(dropout),
            layers.Dense(len(LABELS), activation="softmax", dtype="float32"),
        ],
        name=name,
    )


def unet(size: int = FIELD_SIZE, base: int = UNET_BASE, channels: int = SEGMENT_CHANNELS) -> keras.Model:
    """Return the paper's U-Net: two 3x3 convolutions a level, transposed-convolution decoder, 1x1 convolution, softmax.

    Float (n, size, size, 3) in 0..1 to (n, size, size, channels).
    """
    inputs = x = keras.Input((size, size, 3))
    skips = []
    for level in range(4):
        x = _double_conv(x, base << level)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = _double_conv(x, base << 4)
    for level in reversed(range(4)):
        x = layers.Conv2DTranspose(base << level, 2, strides=2)(x)
        x = _double_conv(layers.Concatenate()([skips[level], x]), base << level)
    outputs = layers.Conv2D(channels, 1, activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="unet")


def _double_conv(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return x


UP_FILTERS = (40, 24, 16)  # of the decoder of `unet_light`, from 1/8 of the edge to 1/2


def unet_light(size: int = FIELD_SIZE, channels: int = SEGMENT_CHANNELS) -> keras.Model:
    """Return our U-Net for the device: EfficientNet-Lite0 down, resize and separable convolutions up, logits out.

    Only operations that an Edge TPU maps; a twelfth of `unet`'s multiply-adds. Float (n, size, size, 3) in 0..1 to
    logits (n, size/2, size/2, channels): a last upsampling would cost as much time as all the rest and give no better
    outline than logits interpolated to full size, which is how it is trained; see docs/decisions/0010.
    """
    inputs = keras.Input((size, size, 3))
    features = efficientnet_lite0(inputs)
    x = _separable(features[-1], 96)
    for filters, skip in zip(UP_FILTERS, reversed(features[:-1]), strict=True):
        x = _conv(x, filters, kernel=1)
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = _separable(layers.Concatenate()([skip, x]), filters)
    outputs = layers.Conv2D(channels, 1, dtype="float32")(x)
    return keras.Model(inputs, outputs, name="unet_light")


def smearnet(size: int = FIELD_SIZE, dropout: float = 0.3) -> keras.Model:
    """Return our classifier of masked fields: float (n, size, size, 3) in 0..1 to logits (n, size/16, size/16, 5).

    Each place of the map classifies the cells there with their neighbours in its receptive field; the map is pooled
    outside, see `smear.inference.aggregation`. The fifth logit is "other": no cell of the four classes.
    """
    inputs = keras.Input((size, size, 3))
    x = _conv(efficientnet_lite0(inputs, last_blocks=2)[-1], 192, kernel=1)
    x = layers.SpatialDropout2D(dropout)(x)
    outputs = layers.Conv2D(len(LABELS) + 1, 1, dtype="float32")(x)
    return keras.Model(inputs, outputs, name="smearnet")


def cellnet(size: int = CROP_SIZE, dropout: float = 0.2) -> keras.Model:
    """Return a classifier of one cell on a neutral background: float (n, size, size, 3) in 0..1 to logits (n, 5)."""
    inputs = keras.Input((size, size, 3))
    x = _conv(inputs, 24)
    x = _conv(x, 32, strides=2)
    x = _conv(x, 48, strides=2)
    x = _conv(x, 48)
    x = _conv(x, 64, strides=2)
    x = _conv(x, 96)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(len(LABELS) + 1, dtype="float32")(x)
    return keras.Model(inputs, outputs, name="cellnet")


def _conv(x: keras.KerasTensor, filters: int, kernel: int = 3, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU(MAX_ACTIVATION)(layers.BatchNormalization(momentum=0.9)(x))


def _separable(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return _conv(x, filters, kernel=1)


def multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of one forward pass of `model` at batch 1: convolutions, dense layers and attention."""
    total = 0
    for layer in model._flatten_layers(include_self=False):  # applications nest models
        if isinstance(layer, layers.Conv2DTranspose):
            total += math.prod(layer.kernel.shape) * layer.input.shape[1] * layer.input.shape[2]
        elif isinstance(layer, (layers.DepthwiseConv2D, layers.Conv2D)):
            total += math.prod(layer.kernel.shape) * layer.output.shape[1] * layer.output.shape[2]
        elif isinstance(layer, layers.SeparableConv2D):
            weights = sum(math.prod(kernel.shape) for kernel in (layer.depthwise_kernel, layer.pointwise_kernel))
            total += weights * math.prod(layer.output.shape[1:3])
        elif isinstance(layer, layers.MultiHeadAttention):
            _, positions, width = layer.output.shape
            total += 4 * positions * width**2 + 2 * positions**2 * width
        elif isinstance(layer, layers.Dense):
            total += math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])  # once for each position
    return int(total)
