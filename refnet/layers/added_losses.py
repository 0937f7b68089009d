"""What the calls of a step that is being traced have added to the loss."""

from typing import TYPE_CHECKING, Any

from refnet.graph import Mode, trace
from refnet.tracing import Call

if TYPE_CHECKING:
    from refnet.layers.base import Layer


def added_here(layer: "Layer") -> list[Any]:
    """The losses that calls of the layer and of those inside it have added in the step around, and the penalties of its weights.

    A layer called anew by the step has its former losses, and those of the layers inside it, taken back, as in Keras.
    """
    root = trace.call
    assert root is not None
    while root.parent is not None:
        root = root.parent
    mode = trace.step[1] if trace.step is not None else Mode(trace.training, trace.captured)
    held: dict[Any, list[Any]] = {root.layer: [loss for loss, guard in root.losses if mode.holds(guard)]}
    for call in root.inner:
        held.update((inside, []) for inside in _layers_of(call))
        for made in _with_inner(call):
            held.setdefault(made.layer, []).extend(loss for loss, guard in made.losses if mode.holds(guard))
    layers = layer._flatten_layers()
    added = [loss for inside in layers for loss in held.get(inside, ())]
    return added + [v.regularizer(v) for v in layer.trainable_weights if v.regularizer is not None]


def _layers_of(call: Call) -> list[Any]:
    """The layer that is called and those inside it."""
    layer: Any = call.layer
    return list(layer._flatten_layers())


def _with_inner(call: Call) -> list[Call]:
    """The call and those made in it, in their order."""
    return [call, *(made for inner in call.inner for made in _with_inner(inner))]
