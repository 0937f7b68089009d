"""Configurations as older Keras wrote them, brought to today's form. Nothing is made here: `serialization.restored` does that."""

from typing import Any

from refnet.errors import FileError

# Arguments that layers of older Keras had and that say nothing about what they compute.
DROPPED = ("implementation", "time_major", "sparse", "ragged", "batch_input_shape", "batch_size", "data_adapter")


def modern(config: Any) -> dict[str, Any]:
    """A model's or layer's configuration in today's form.

    Args:
        config: {"class_name", "config"}, as the first edition's Keras, tf.keras or Keras 3 writes it into `.h5` files.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str) or "config" not in config:
        raise FileError(f"the configuration of a layer must name its class; got {str(config)[:60]}.")
    if config.get("module"):
        return config
    name, inner = config["class_name"], config["config"]
    if name == "Sequential" and isinstance(inner, list):
        inner = {"name": "sequential", "layers": inner}
    if not isinstance(inner, dict):
        raise FileError(f"the configuration of {name} must be a dict; got a {type(inner).__name__}.")
    inner = dict(inner)
    own = {key: value for key, value in config.items() if key not in ("class_name", "config", "inbound_nodes")}
    if isinstance(inner.get("layers"), list):
        inner["layers"] = _counted_anew([modern(entry) for entry in inner["layers"]], inner)
        inner.setdefault("name", own.get("name", name.lower()))
        name = {"Model": "Functional", "Functional": "Functional"}.get(name, name)
        for end in ("input_layers", "output_layers"):
            if end in inner and name == "Functional":
                inner[end] = inner[end][0] if _single(inner[end]) else inner[end]
        module = {"Functional": "keras.src.models.functional", "Sequential": "keras"}.get(name)
    else:
        inner, module, name = _layer(name, inner), None, CALLED_OTHERWISE.get(name, name)
    made = {"module": module, "registered_name": None, **own, "class_name": name, "config": inner}
    if "inbound_nodes" in config:
        made["inbound_nodes"] = [_node(node) for node in config["inbound_nodes"]]
    return made


def _counted_anew(layers: list[Any], config: dict[str, Any]) -> list[Any]:
    """Older Keras counts the calls of inner models from 1, their own graph being the first; here every first call is 0.

    Where a model's ends are named, Keras 3 still counts functional models so.
    """
    inner = {entry.get("name", entry["config"].get("name")): entry["class_name"] for entry in layers}
    models = [name for name, kind in inner.items() if kind in ("Functional", "Sequential")]
    old = [use for entry in layers for use in entry.get("inbound_nodes", []) if use.pop("old", False)]
    for use in old:
        for place in _places(use):
            place[1] -= place[0] in models
    if old:
        for end in ("input_layers", "output_layers"):
            for place in config.get(end) or []:
                place[1] -= inner.get(place[0]) == "Sequential"
    return layers


def _places(value: Any) -> list[list[Any]]:
    """The place of every tensor in a call's arguments."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [value["config"]["keras_history"]]
        value = list(value.values())
    return [place for part in value for place in _places(part)] if isinstance(value, list) else []


def _single(ends: Any) -> bool:
    """Whether a list of ends has one, which today stands alone."""
    return isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list)


# Keras's own names of classes that it exports by another
CALLED_OTHERWISE = {"GroupedQueryAttention": "GroupQueryAttention"}


def _layer(name: str, config: dict[str, Any]) -> dict[str, Any]:
    shape = config.get("batch_input_shape")
    kept = {key: value for key, value in config.items() if key not in DROPPED}
    if shape is not None:
        if name == "InputLayer":
            kept["batch_shape"] = shape
        else:
            kept["input_shape"] = shape[1:]
    if isinstance(kept.get("axis"), list) and len(kept["axis"]) == 1:
        kept["axis"] = kept["axis"][0]
    if isinstance(kept.get("dtype"), dict) and kept["dtype"].get("class_name") == "Policy":
        kept["dtype"] = kept["dtype"]["config"]["name"]
    for key, value in kept.items():
        kinds = [kind for kind in ("initializer", "regularizer", "constraint") if key.endswith(f"_{kind}")]
        if kinds and isinstance(value, dict):
            kept[key] = {"module": f"keras.{kinds[0]}s", **value}
    for key in ("layer", "forward_layer", "backward_layer", "cell"):
        if isinstance(kept.get(key), dict):
            kept[key] = modern(kept[key])
    return kept


def _node(node: Any) -> Any:
    """A call: older Keras lists (layer, call, output, arguments) for each tensor; only its first has arguments of its own."""
    if isinstance(node, dict):
        return node
    entries = [node] if node and isinstance(node[0], str) else list(node)
    tensors = [_tensor(entry) for entry in entries]
    kwargs = entries[0][3] if entries and len(entries[0]) > 3 else {}
    kwargs = {key: _argument(value) for key, value in kwargs.items()}
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": kwargs, "old": True}


def _tensor(entry: Any) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": list(entry[:3])}}


def _argument(value: Any) -> Any:
    """An argument of a call: a tensor where it looks like (layer, call, output)."""
    places = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
    return _tensor(value) if places and all(isinstance(n, int) for n in value[1:]) else value


def compile_config(training: dict[str, Any]) -> dict[str, Any]:
    """What `compile` was told, from a file's training_config."""
    optimizer = training.get("optimizer_config")
    if not isinstance(optimizer, dict):
        raise FileError("the file's training_config names no optimizer.")
    told = {"optimizer": _of_module("optimizers", optimizer), "loss_weights": training.get("loss_weights")}
    words = (("loss", "losses"), ("metrics", "metrics"), ("weighted_metrics", "metrics"))
    return {**told, **{word: _of_module(module, training.get(word)) for word, module in words}}


def _of_module(module: str, value: Any) -> Any:
    """Objects of one of Keras's modules, which say so."""
    if isinstance(value, list):
        return [_of_module(module, part) for part in value]
    if isinstance(value, dict) and "class_name" in value:
        return {"module": f"keras.{module}", "registered_name": None, **value}
    return {key: _of_module(module, part) for key, part in value.items()} if isinstance(value, dict) else value
