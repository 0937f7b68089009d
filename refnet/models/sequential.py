"""Sequential: one layer after the other."""

import contextlib
from typing import Any

from refnet import mixed_precision, registration
from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError, foreign
from refnet.graph import Tensor, trace
from refnet.layers.base import Layer
from refnet.layers.checks import must_be_initialized
from refnet.layers.core import InputLayer
from refnet.layers.embedding import Embedding
from refnet.layers.weights import undone_on_error
from refnet.models.batches import Batches
from refnet.models.first_edition import ClassNames
from refnet.models.functional import Graph
from refnet.models.model import Model
from refnet.saving import sharing


class Sequential(ClassNames, Model):
    """A model whose layers follow each other.

    It is built when its input shape is known: by an Input at the front, by the first call, or by build(input_shape).

    Args:
        layers: a list of layers, with an Input at the front if wanted.
        trainable, name: see Layer.

    >>> from refnet.layers import Dense, Input
    >>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((6, 4)), np.zeros(6), epochs=2, verbose=0)
    >>> model.predict(np.ones((2, 4)), verbose=0).shape
    (2, 1)
    """

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None):
        self._stack: list[Layer] = []
        self._between: list[Any] = []  # the tensors before, between and after the layers
        super().__init__(trainable=trainable, name=name)
        if not isinstance(layers, (list, tuple, type(None))):
            raise ArgumentError(f"{self.name} takes a list of layers; got {layers!r}.")
        for layer in layers or []:
            self.add(layer)

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer at the end; an Input (or InputLayer) only at the front.

        Raises:
            ArgumentError: something that is no layer, a name that is taken, an Input after other layers.
        """
        if isinstance(layer, Tensor) and layer.origin is not None:
            layer = layer.origin
        if not isinstance(layer, Layer):
            called = f" {layer.__name__} is a class: call it, {layer.__name__}(...)." if isinstance(layer, type) else ""
            raise ArgumentError(f"{self.name}.add takes a layer; got {layer!r}.{called or foreign(layer)}")
        must_be_initialized(layer)
        if isinstance(layer, InputLayer):
            if self._stack or self._between:
                raise ArgumentError(f"{self.name}: an Input can only stand at the front.")
            self._begin(layer.output)
            return
        if self in layer._flatten_layers():
            raise ArgumentError(f"{self.name}.add: {layer.name} holds {self.name}; a model cannot stand inside itself.")
        if any(layer.name == other.name for other in self._stack):
            raise ArgumentError(f"{self.name} has a layer called {layer.name!r} already; names must differ.")
        if not self._stack and not self._between and layer._first_shape is not None:
            self._begin(InputLayer(layer._first_shape, layer._first_batch, layer.first_dtype).output)
        if not self._stack and not self._between and isinstance(layer, Model) and layer.graph is not None:
            (tensor,) = layer.inputs
            self._begin(InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype).output)
        if self._between:
            self._extend(layer)
        self._stack.append(layer)

    def _begin(self, tensor: Tensor) -> None:
        self._between = [tensor]
        self.set_graph(tensor, tensor)

    def _extend(self, layer: Layer) -> None:
        with trace.inside(path=self._settled_path()):
            output = layer(self._between[-1])
        self._between.append(output)
        self.set_graph(self._between[0], output)

    def pop(self, rebuild: bool = True) -> Layer:
        """Takes the last layer off and returns it."""
        if not self._stack:
            raise ArgumentError(f"{self.name} has no layer to pop.")
        layer = self._stack.pop()
        if self._between:
            self._between.pop()
            self.set_graph(self._between[0], self._between[-1])
        return layer

    @property
    def layers(self) -> list[Layer]:
        return list(self._stack)

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights for inputs of this shape (the batch axis included)."""
        if self._between or not self._stack:
            if input_shape is not None and not self._stack and not self._between:
                raise ArgumentError(f"{self.name} has no layers to build.")
            return
        if input_shape is None:
            raise ArgumentError(
                f"{self.name} needs an input shape to be built: give build(input_shape), or an Input first."
            )
        between: list[Any] = [InputLayer(batch_shape=_open_batch(tuple(input_shape)), name=f"{self.name}_input").output]
        with undone_on_error(self._flatten_layers()), trace.inside(path=self._settled_path()):
            for layer in self._stack:
                between.append(layer(between[-1]))
            self._between = between
            self.set_graph(between[0], between[-1])

    def _build_for_summary(self) -> None:
        """As in the first edition: a model that begins with an Embedding takes sequences of any length, if its layers do.

        Where one needs to know the length (Flatten), the table has unbuilt layers.
        """
        if self.graph is None and self._stack and isinstance(self._stack[0], Embedding):
            with contextlib.suppress(ShapeError):
                self.build((None, None))

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.graph is None:
            with trace.inside(call=None, guard=(), training=None):  # its own graph, whatever calls it first
                self.build(args[0].shape)

    def _graph_for(self, batches: Batches) -> Graph:
        if self.graph is None:
            self.build((None, *batches.inputs[0].shape[1:]))
        return self._current_graph()

    def output_structure(self, batches: Batches) -> Any:
        self._graph_for(batches)
        return self._outputs_structure

    def get_config(self) -> dict[str, Any]:
        return sharing.described(self._config_of_stack)

    def _config_of_stack(self) -> dict[str, Any]:
        from refnet.saving.serialization import serialized

        first = [self._between[0].origin] if self._between else []
        shape = list(self._between[0].shape) if self._between else None
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
            "layers": [serialized(layer, keep=True) for layer in [*first, *self._stack]],
            "build_input_shape": shape,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        from refnet.saving.serialization import restored

        model = cls(name=config["name"])
        model.dtype_policy = mixed_precision.get(config.get("dtype", model.dtype_policy))
        with registration.custom_object_scope(custom_objects), sharing.making(config):
            for entry in config["layers"]:
                model.add(restored(entry))
        if not model._between and model._stack and config.get("build_input_shape"):
            model.build(config["build_input_shape"])
        model._trainable = config.get("trainable", True)
        return model


def _open_batch(shape: Shape) -> Shape:
    return (None, *shape[1:])
