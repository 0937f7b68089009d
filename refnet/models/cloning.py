"""Models made again of new layers."""

from collections.abc import Callable
from typing import Any

from refnet import registration
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.layers.base import Layer
from refnet.layers.core import Input, InputLayer
from refnet.models.model import Model
from refnet.models.sequential import Sequential
from refnet.saving import sharing, weight_paths
from refnet.structure import flatten, packed


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model of new layers with the same configurations and new weights, not compiled.

    Args:
        model: a functional model or a Sequential; a subclass if nothing but itself is given.
        input_tensors: what the new model begins with, in the structure of the model's inputs; new Inputs if None.
        clone_function: gives the layer that stands for a layer (not called for Inputs); one of the same config if None.
        call_function: `call_function(layer, *args, **kwargs)` calls a new layer; for functional models.
        recursive: whether `clone_function` is given the layers of inner models instead of these models.
    Raises:
        ArgumentError: something that is no model; arguments that a model of its kind does not take.
    Source: Keras 3 `models.clone_model`.

    >>> from refnet import layers
    >>> made = Sequential([Input((3,)), layers.Dense(2, name="narrow")])
    >>> wider = clone_model(made, clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "units": 5}))
    >>> wider.output_shape, wider.layers[0].name
    ((None, 5), 'narrow')
    """
    for word in kwargs:
        if word != "cache":
            raise ArgumentError(f"clone_model has no argument {word!r}.")
    if not isinstance(model, Model):
        raise ArgumentError(f"clone_model takes a model; got {model!r}.")
    plain = input_tensors is None and clone_function is None and call_function is None
    if plain:
        with sharing.numbering(), registration.making_once():
            clone = type(model).from_config(model.get_config())
        weight_paths.give(clone, weight_paths.of(model))
        return clone
    new = _cloning(clone_function or _same, call_function, recursive)
    if isinstance(model, Sequential):
        if call_function is not None:
            raise ArgumentError(
                "clone_model: call_function is for functional models; a Sequential calls its layers in turn."
            )
        return _sequential(model, input_tensors, new)
    if model.graph is None:
        raise ArgumentError(
            "clone_model: of a model that is a subclass, only a whole copy can be made; give no input_tensors, clone_function or "
            "call_function."
        )
    return _functional(model, input_tensors, new, call_function)


def _same(layer: Layer) -> Any:
    return type(layer).from_config(layer.get_config())


def _cloning(function: Callable[[Any], Any], call_function: Any, recursive: bool) -> Callable[[Any], Any]:
    """The function that gives the layer in a layer's place; of one layer always the same."""
    made: dict[Layer, Any] = {}

    def new(layer: Any) -> Any:
        if layer not in made:
            inner = recursive and isinstance(layer, Model)
            more = None if isinstance(layer, Sequential) else call_function
            found = clone_model(layer, None, function, more, True) if inner else function(layer)
            if not isinstance(found, Layer):
                raise ArgumentError(
                    f"clone_model: clone_function must give a layer; for {layer.name} it gave {found!r}."
                )
            made[layer] = found
        return made[layer]

    return new


def _input_like(x: Tensor) -> Tensor:
    name = x.origin.name if isinstance(x.origin, InputLayer) else x.name or None
    made: Tensor = Input(batch_shape=x.shape, dtype=x.dtype, name=name)
    return made


def _starts(model: Any, input_tensors: Any) -> list[Any]:
    own = flatten(model._inputs_structure)
    if input_tensors is None:
        return [_input_like(x) for x in own]
    given = flatten(input_tensors)
    if len(given) != len(own) or not all(isinstance(x, Tensor) for x in given):
        raise ArgumentError(
            f"clone_model: input_tensors must be {len(own)} tensors, one for each input; got {input_tensors!r}."
        )
    return given


def _sequential(model: Any, input_tensors: Any, new: Callable[[Any], Any]) -> Any:
    layers = [new(layer) for layer in model.layers]
    if model.graph is None and input_tensors is None:
        return Sequential(layers, name=model.name)
    (start,) = _starts(model, input_tensors)
    made = Sequential([] if start.origin is None else [start.origin], name=model.name)
    if start.origin is None:
        made.add(Input(batch_shape=start.shape, dtype=start.dtype))
    for layer in layers:
        made.add(layer)
    return made


def _functional(model: Any, input_tensors: Any, new: Callable[[Any], Any], call_function: Any) -> Any:
    starts = _starts(model, input_tensors)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        kept = {key: value for key, value in kwargs.items() if value is not None}
        return new(layer)(*args, **kept) if call_function is None else call_function(new(layer), *args, **kept)

    results = model.graph.called_again(starts, call, "it cannot be cloned")
    return Model(packed(model._inputs_structure, starts), packed(model._outputs_structure, results), name=model.name)
