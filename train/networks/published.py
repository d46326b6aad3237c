"""Networks of keras.applications as classifiers of whole fields."""

import keras
from keras import layers

from smear.classes import LABELS

Channels = tuple[float, float, float]
SIGNED: tuple[Channels, Channels] = ((2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))  # -1..1
TORCH: tuple[Channels, Channels] = (
    (1 / 0.229, 1 / 0.224, 1 / 0.225),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)
CAFFE: tuple[Channels, Channels] = ((255.0, 255.0, 255.0), (-103.939, -116.779, -123.68))  # of blue, green, red
PREPROCESSING = {
    "MobileNetV2": SIGNED,
    "InceptionV3": SIGNED,
    "ResNet50": CAFFE,
    "NASNetMobile": SIGNED,
    "DenseNet201": TORCH,
}
"""keras.applications name -> scale and offset of each channel: its own `preprocess_input`, for inputs in 0..1."""


def published(name: str, size: int, weights: str = "none") -> keras.Model:
    """Return network `name`: float (n, size, size, 3) in 0..1 to softmax (n, 4). `weights` is "imagenet" or "none"."""
    inputs = keras.Input((size, size, 3))
    scale, offset = PREPROCESSING[name]
    x = inputs[..., ::-1] if PREPROCESSING[name] is CAFFE else inputs
    x = layers.Rescaling(scale, offset)(x)
    features = getattr(keras.applications, name)(
        include_top=False, pooling="avg", weights=None if weights == "none" else weights, input_shape=(size, size, 3)
    )
    outputs = layers.Dense(len(LABELS), activation="softmax", dtype="float32")(features(x))
    return keras.Model(inputs, outputs, name=name)
