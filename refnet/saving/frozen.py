"""Which layers were trainable when `compile` was called, in files: those that were frozen or thawed since. The optimizer goes on with
what it found then, as when a network is frozen in one model and trained by another."""

from typing import Any

from refnet.saving.weights import places

ENTRY = "trainable_at_compile"


def of(model: Any) -> dict[str, bool]:
    """{a layer's place in the file: whether it was trainable at compile}, of those that are not as they were."""
    then = getattr(model, "_captured", {})  # a FeatureSpace has none
    return {path: then[layer] for path, layer in places(model) if then.get(layer, layer.trainable) != layer.trainable}


def give(model: Any, then: Any) -> None:
    """Tells a model that was read and compiled what its layers were at compile; what is no entry of `of` is left out."""
    if isinstance(then, dict):
        model._captured.update({layer: then[path] for path, layer in places(model) if isinstance(then.get(path), bool)})
