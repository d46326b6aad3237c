"""Which layer of a Keras model feeds which, through Keras's public calls."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """The connections between the layers of one model, by their names."""

    sources: dict[str, tuple[str, ...]]  # layer -> the layers whose outputs it takes, in order
    output: str  # the layer whose output is the model's

    def consumers(self, name: str) -> tuple[str, ...]:
        """Return the layers that take the output of the layer `name`."""
        return tuple(layer for layer, sources in self.sources.items() if name in sources)


def layer_graph(model: "keras.Model") -> LayerGraph:
    """Return the connections of `model`, which has one input and one output.

    Keras keeps its own record private, so every layer is called once more on symbolic tensors and watched.
    """
    import keras

    functional = keras.Model(model.inputs[0], model.outputs[0])  # a Sequential becomes a graph too
    producers: dict[int, str] = {}  # id of a symbolic tensor -> the layer that made it
    kept: list[Any] = []  # keeps the tensors alive, and so their ids unique
    sources: dict[str, tuple[str, ...]] = {}
    input_name = functional.layers[0].name

    def tensors(values: Any) -> list[Any]:
        return [value for value in keras.tree.flatten(values) if isinstance(value, keras.KerasTensor)]

    def watch(layer: Any, *args: Any, **kwargs: Any) -> Any:
        taken = tuple(producers.get(id(tensor), input_name) for tensor in tensors((args, kwargs)))
        sources[layer.name] = sources.get(layer.name, ()) + taken
        output = layer(*args, **kwargs)
        for tensor in tensors(output):
            producers[id(tensor)] = layer.name
            kept.append(tensor)
        return output

    copy = keras.models.clone_model(functional, clone_function=lambda layer: layer, call_function=watch)
    return LayerGraph(sources, producers.get(id(copy.outputs[0]), input_name))
