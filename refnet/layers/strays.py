"""Layers that are called inside a layer, but held by none of its attributes: it knows nothing of their weights."""

import warnings
from typing import TYPE_CHECKING

from refnet.errors import calls_below_the_user
from refnet.tracing import Call

if TYPE_CHECKING:
    from refnet.layers.base import Layer
    from refnet.metrics.base import Metric


def warn_of_strays(layer: "Layer", record: Call) -> None:
    """One warning for a layer with weights to train that `call` made, or took from outside, where its weights are none of `layer`'s."""
    if not record.inner:
        return
    held = set(map(id, layer.weights))
    for stray in _called_in(record):
        if not held.issuperset(map(id, getattr(stray, "trainable_weights", ()))):
            warnings.warn(
                f"{layer.name}: its call uses {stray.name}, which is no attribute of {layer.name}. Unless another layer of "
                f"the model holds {stray.name}, its weights are neither trained nor saved. Make it in __init__, as an attribute.",
                stacklevel=calls_below_the_user(),
            )
            return


def _called_in(record: Call) -> "list[Layer | Metric]":
    """The layers called in a call, at any depth, in their order; those inside them are theirs to hold."""
    return [layer for call in record.inner for layer in (call.layer, *_called_in(call))]
