"""A functional model as a config and back: its top-level calls and bare nodes in order, each tensor named by what made it."""

from typing import Any

import numpy as np

from refnet.definition import Op
from refnet.errors import ArgumentError
from refnet.graph import Call, Constant, Node, Tensor, node_of
from refnet.layers.base import Layer
from refnet.layers.core import InputLayer
from refnet.structure import flatten, mapped


def graph_config(model: Any) -> dict[str, Any]:
    """The config of a functional model.

    Raises:
        ArgumentError: a layer closes over tensors of the model: called again it would read the old ones.
    """
    graph = model.graph
    outer = graph.outer_calls()
    held = set(outer)

    def top(call: Call | None) -> Call | None:
        while call is not None and call not in held:
            call = call.parent
        return call

    for node in graph.nodes:
        own = top(node.call)
        if own is None:
            continue
        known = {id(x) for x in flatten([own.inputs, own.arguments])}
        for x in node.inputs:
            if x.node is not None and top(x.node.call) is not own and id(x) not in known:
                raise ArgumentError(f"{own.layer.name} closes over tensors of the model, so it has no config.")
    place: dict[Tensor, Any] = {x: {"input": i} for i, x in enumerate(graph.inputs)}

    def at(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        if x in place:
            return place[x]
        if isinstance(x, Constant):
            return {"value": x.value.tolist(), "dtype": x.dtype}
        raise ArgumentError(f"{model.name} reads {x!r}, which no layer of it made, so it has no config.")

    entries: list[dict[str, Any]] = []
    layers: dict[str, Any] = {}
    events = [*outer, *(node for node in graph.nodes if top(node.call) is None)]
    for event in sorted(events, key=lambda e: e.number):
        if isinstance(event, Node):
            entries.append(
                {"op": event.op.name, "inputs": [at(x) for x in event.inputs], "attributes": event.attributes}
            )
        else:
            layer = event.layer
            layers[layer.name] = {"class_name": type(layer).__name__, "config": layer.get_config()}
            entries.append(
                {"layer": layer.name, "inputs": mapped(at, event.inputs), "arguments": mapped(at, event.arguments)}
            )
        for i, y in enumerate(flatten(event.outputs)):
            place[y] = {"entry": len(entries) - 1, "output": i}
    return {
        "name": model.name,
        "trainable": model.trainable,
        "inputs": [{"shape": x.shape, "dtype": x.dtype, "name": x.name} for x in graph.inputs],
        "input_structure": mapped(at, model.inputs_structure),
        "layers": layers,
        "entries": entries,
        "outputs": mapped(at, model.outputs_structure),
    }


def model_of(config: dict[str, Any]) -> Any:
    """The model that a config describes, with new weights."""
    from refnet.models.model import Model

    inputs = [InputLayer(batch_shape=e["shape"], dtype=e["dtype"], name=e["name"]).output for e in config["inputs"]]
    layers = {k: Layer.kinds[e["class_name"]].from_config(e["config"]) for k, e in config["layers"].items()}
    made: list[list[Tensor]] = []

    def at(place: Any) -> Any:
        if isinstance(place, dict):
            if "input" in place:
                return inputs[place["input"]]
            if "entry" in place:
                return made[place["entry"]][place["output"]]
            if "value" in place:
                return Constant(np.asarray(place["value"]), place["dtype"])
            return {key: at(part) for key, part in place.items()}
        if isinstance(place, (list, tuple)):
            return type(place)(at(part) for part in place)
        return place

    for entry in config["entries"]:
        if "op" in entry:
            made.append(flatten(node_of(Op.named[entry["op"]], tuple(at(entry["inputs"])), entry["attributes"])))
        else:
            arguments = at(entry["arguments"])
            made.append(flatten(layers[entry["layer"]](at(entry["inputs"]), *arguments.pop("args", ()), **arguments)))
    model = Model(at(config["input_structure"]), at(config["outputs"]), name=config["name"])
    model._trainable = config.get("trainable", True)
    return model
