"""The first edition's HDF5 layout: a group of weights for each layer by name, and in a whole model's file its configuration too.

Keras 3 writes and reads it under names that end in `.h5`. Weights are taken in the layers' order, or by their names.
"""

import io
import json
import warnings
from typing import Any

import numpy as np

from refnet import losses
from refnet.annotations import Array
from refnet.errors import FileError
from refnet.graph import Variable
from refnet.layers.base import Layer
from refnet.saving import frozen, inside, serialization, weight_paths
from refnet.saving.files import h5py
from refnet.saving.weights import Source, ordered_layers, put_array, trained

NAMES_IN_ATTRIBUTE = 2000  # more names than fit into one attribute go into several, numbered
OWN = "top_level_model_weights"  # the group of a model's own weights


# ---- what stands where


def variables_of(layer: Layer) -> list[Variable]:
    """A layer's variables as such files have them: those that are trained, then the others; of a model, in its layers' order."""
    found: dict[Variable, bool] = {}
    _gather(layer, found)
    return [v for v, on in found.items() if on] + [v for v, on in found.items() if not on]


def _gather(layer: Layer, found: dict[Variable, bool]) -> None:
    from refnet.models.model import Model

    for v in layer._own_weights:
        found.setdefault(v, v.trainable and layer.trainable)
    whole = isinstance(layer, Model) and layer.graph is not None
    for inner in ordered_layers(layer) if whole else layer._held_layers():
        _gather(inner, found)


def _own(model: Any) -> list[Variable]:
    return list(model._own_weights)


# ---- writing


def written_weights(model: Any) -> bytes:
    """A file with the weights of a model."""
    buffer = io.BytesIO()
    with h5py().File(buffer, "w") as file:
        _write_weights(file, model)
    return buffer.getvalue()


def written_model(model: Any, version: str, include_optimizer: bool) -> bytes:
    """A file with a model's configuration and weights, and what `compile` was told with the optimizer's state."""
    described = serialization.described(model)
    config = {"class_name": described["registered_name"] or described["class_name"], "config": described["config"]}
    buffer = io.BytesIO()
    with h5py().File(buffer, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = version, "refnet"
        file.attrs["model_config"] = json.dumps(config)
        for entry in (weight_paths, inside):
            file.attrs[entry.ENTRY] = json.dumps(entry.of(model))
        _write_weights(file.create_group("model_weights"), model)
        told = described.get("compile_config")
        if include_optimizer and told:
            optimizer = told.pop("optimizer")
            name = optimizer["registered_name"] or optimizer["class_name"]
            told["loss"] = _full_names(told["loss"])
            told["optimizer_config"] = {"class_name": name, "config": optimizer["config"]}
            file.attrs["training_config"], file.attrs[frozen.ENTRY] = json.dumps(told), json.dumps(frozen.of(model))
            state = model.optimizer.saved_variables(trained(model))
            _write_group(file.create_group("optimizer_weights"), state)
    return buffer.getvalue()


def _full_names(loss: Any) -> Any:
    """Losses by their whole names: Keras 3.15 does not find 'mse' and 'mae' when it reads such a file."""
    if isinstance(loss, list):
        return [_full_names(part) for part in loss]
    if isinstance(loss, dict) and "class_name" not in loss:
        return {output: _full_names(part) for output, part in loss.items()}
    return getattr(losses.get(loss), "__name__", loss) if isinstance(loss, str) else loss


def _write_weights(group: Any, model: Any) -> None:
    layers = ordered_layers(model)
    _write_names(group, "layer_names", [layer.name for layer in layers])
    group.attrs["backend"] = "refnet"
    for layer in layers:
        _write_group(group.create_group(layer.name), variables_of(layer))
    _write_group(group.create_group(OWN), _own(model))


def _write_group(group: Any, variables: list[Variable]) -> None:
    names: list[str] = []
    for variable in variables:
        name, number = variable.name, 1
        while name in names:
            name, number = f"{variable.name}_{number}", number + 1
        names.append(name)
        put_array(group, name, variable)
    _write_names(group, "weight_names", names)


def _write_names(group: Any, attribute: str, names: list[str]) -> None:
    parts = [names[i : i + NAMES_IN_ATTRIBUTE] for i in range(0, len(names), NAMES_IN_ATTRIBUTE)] or [[]]
    for number, part in enumerate(parts):
        key = attribute if len(parts) == 1 else f"{attribute}{number}"
        group.attrs[key] = np.array(part, dtype=h5py().string_dtype())


# ---- reading


def _root(source: Source) -> str:
    return "model_weights" if "model_weights" in source.names("/") else ""


def _words(source: Source, path: str, attribute: str) -> list[str]:
    """The names in an attribute, or in several, numbered."""
    group = source.get(path)
    attributes = getattr(group, "attrs", {})
    keys = [attribute] if attribute in attributes else []
    while not keys or keys[-1] != attribute:
        key = f"{attribute}{len(keys)}"
        if key not in attributes:
            break
        keys.append(key)
    if group is None or not keys:
        raise FileError(f"the file has no {attribute} at {path or '/'}.")
    words = [word for key in keys for word in list(attributes[key])]
    return [word.decode("utf-8") if isinstance(word, bytes) else str(word) for word in words]


def text(source: Source, attribute: str) -> str | None:
    """A text that the file has as an attribute; None without."""
    attributes = source.get("").attrs
    if attribute not in attributes:
        return None
    value = attributes[attribute]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def is_old(source: Source) -> bool:
    """Whether a file has this layout."""
    attributes = source.get(_root(source)).attrs
    return "layer_names" in attributes or "layer_names0" in attributes


Pairs = list[tuple[Variable, Array]]


def values(source: Source, model: Any, skip_mismatch: bool = False) -> Pairs:
    """Every weight with its value: the layers that have weights, in the file's order and in the model's.

    Args:
        skip_mismatch: whether a weight of another shape is left as it is, with a warning.
    Raises:
        FileError: another number of layers or weights, or another shape.
    """
    root = _root(source)
    named = [(name, _words(source, f"{root}/{name}", "weight_names")) for name in _words(source, root, "layer_names")]
    held = [(name, paths) for name, paths in named if paths]
    layers = [layer for layer in ordered_layers(model) if layer.weights]
    if len(held) != len(layers):
        raise FileError(f"{model.name} has {len(layers)} layers with weights; the file has {len(held)}.")
    pairs = []
    for (name, paths), layer in zip(held, layers):
        pairs += _of_layer(source, f"{root}/{name}", paths, layer.name, variables_of(layer), skip_mismatch)
    return pairs + _own_values(source, root, model, skip_mismatch)


def values_by_name(source: Source, model: Any, skip_mismatch: bool = False) -> Pairs:
    """The weights of the model's layers that the file has under their names; the others stay as they are."""
    root, pairs = _root(source), Pairs()
    by_name = {layer.name: layer for layer in ordered_layers(model)}
    for name in _words(source, root, "layer_names"):
        if name in by_name:
            layer, paths = by_name[name], _words(source, f"{root}/{name}", "weight_names")
            pairs += _of_layer(source, f"{root}/{name}", paths, layer.name, variables_of(layer), skip_mismatch)
    return pairs


def _own_values(source: Source, root: str, model: Any, skip_mismatch: bool) -> Pairs:
    if OWN not in source.names(root):
        return []
    path = f"{root}/{OWN}"
    return _of_layer(source, path, _words(source, path, "weight_names"), model.name, _own(model), skip_mismatch)


def _of_layer(
    source: Source, place: str, paths: list[str], owner: str, variables: list[Variable], skip_mismatch: bool
) -> Pairs:
    if len(paths) != len(variables):
        told = f"{owner} has {len(variables)} weights; the file's layer {place.rpartition('/')[2]!r} has {len(paths)}."
        if skip_mismatch:
            warnings.warn(f"{told} It stays as it is.", stacklevel=6)
            return []
        raise FileError(told)
    pairs = []
    for variable, path in zip(variables, paths):
        dataset = source.dataset(f"{place}/{path}")
        if dataset.shape != variable.shape:
            told = f"{variable.name} has shape {variable.shape}; the file's {path} has shape {dataset.shape}."
            if not skip_mismatch:
                raise FileError(told)
            warnings.warn(f"{told} It stays as it is.", stacklevel=6)
            continue
        pairs.append((variable, source.array(dataset)))
    return pairs


def optimizer_values(source: Source, model: Any) -> Pairs:
    """The optimizer's state; of another optimizer's or an older Keras's, which has other variables, nothing, with a warning."""
    if "optimizer_weights" not in source.names("/"):
        return []
    paths = _words(source, "optimizer_weights", "weight_names")
    datasets = [source.dataset(f"optimizer_weights/{path}") for path in paths]
    variables = trained(model)
    unused = len(datasets) == len(model.optimizer.own_variables())
    if unused or len(datasets) == model.optimizer.saved_count(variables):
        if not unused:
            model.optimizer.build(variables)
        own = model.optimizer.own_variables() if unused else model.optimizer.saved_variables(variables)
        if [d.shape for d in datasets] == [v.shape for v in own]:
            return [(v, source.array(d)) for v, d in zip(own, datasets)]
    warnings.warn(
        f"the file's optimizer has {len(paths)} variables, which are not those of {model.optimizer.name}: it starts anew.",
        stacklevel=4,
    )
    return []
