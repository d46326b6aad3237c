"""A small vision transformer of plain Keras layers (Dosovitskiy et al. 2021); docs/decisions/0009 says why our own."""

import keras
from keras import layers

from smear.classes import LABELS

PATCH, WIDTH, DEPTH, HEADS = 16, 192, 6, 3  # half as deep as ViT-Ti/16: 1669 fields are too few for more
_EPSILON = 1e-6  # of the layer normalisation, as published


def vit(size: int) -> keras.Model:
    """Return pre-norm blocks and the mean over patches: float (n, size, size, 3) in 0..1 to softmax (n, 4)."""
    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(WIDTH, PATCH, strides=PATCH)(layers.Rescaling(2.0, -1.0)(inputs))
    x = PositionEmbedding()(layers.Reshape(((size // PATCH) ** 2, WIDTH))(x))
    for _ in range(DEPTH):
        y = layers.LayerNormalization(epsilon=_EPSILON)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y)])
        y = layers.LayerNormalization(epsilon=_EPSILON)(x)
        y = layers.Dense(WIDTH * 4, activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(WIDTH)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=_EPSILON)(x))
    outputs = layers.Dense(len(LABELS), activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="vit")


@keras.saving.register_keras_serializable("smearscope", name="Places")  # the name in models saved before
class PositionEmbedding(layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Adds a learned vector to each position of the sequence."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create one vector for each position."""
        self.places = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Return `x` with the vectors added."""
        return x + self.places
