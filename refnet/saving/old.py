"""Weights in the HDF5 layout of the first edition's Keras: a group for each layer by name. They are taken in the layers' order."""

from typing import Any

from refnet.annotations import Array
from refnet.errors import FileError
from refnet.graph import Variable
from refnet.saving.weights import Source


def _root(source: Source) -> str:
    return "model_weights" if "model_weights" in source.names("/") else ""


def _words(source: Source, path: str, attribute: str) -> list[str]:
    group = source.get(path)
    if group is None or attribute not in getattr(group, "attrs", {}):
        raise FileError(f"the file has no {attribute} at {path or '/'}.")
    return [word.decode("utf-8") if isinstance(word, bytes) else str(word) for word in list(group.attrs[attribute])]


def is_old(source: Source) -> bool:
    """Whether a file has that layout."""
    return "layer_names" in source.get(_root(source)).attrs


def values(source: Source, model: Any) -> list[tuple[Variable, Array]]:
    """Every weight with its value: the layers that have weights, in the file's order and in the model's.

    Raises:
        FileError: another number of layers or weights, or another shape.
    """
    root = _root(source)
    named = [(name, _words(source, f"{root}/{name}", "weight_names")) for name in _words(source, root, "layer_names")]
    held = [(name, paths) for name, paths in named if paths]
    layers = [layer for layer in model.layers if layer.weights]
    if len(held) != len(layers):
        raise FileError(f"{model.name} has {len(layers)} layers with weights; the file has {len(held)}.")
    pairs = []
    for (name, paths), layer in zip(held, layers):
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        if len(paths) != len(variables):
            raise FileError(f"{layer.name} has {len(variables)} weights; the file's layer {name!r} has {len(paths)}.")
        for variable, path in zip(variables, paths):
            dataset = source.dataset(f"{root}/{name}/{path}")
            if dataset.shape != variable.shape:
                raise FileError(
                    f"{variable.name} has shape {variable.shape}; the file's {name}/{path} has shape {dataset.shape}."
                )
            pairs.append((variable, source.array(dataset)))
    return pairs
