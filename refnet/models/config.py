"""A functional model as Keras's config and back: its layers in Keras's order, each with the calls made of it.

An op called outside of any layer is an entry like a layer: one that Keras has under the same name and without further
attributes is written as Keras writes it, another as refnet's own.
"""

import inspect
from typing import Any

import numpy as np

from refnet import ops
from refnet.definition import Op
from refnet.errors import ArgumentError, FileError
from refnet.graph import Call, Constant, Node, Tensor, node_of
from refnet.layers.base import Layer
from refnet.layers.batch_normalization import BatchNormalization
from refnet.layers.core import InputLayer
from refnet.layers.function import Lambda
from refnet.layers.masks import mask_of
from refnet.layers.projected_attention import ProjectedAttention
from refnet.layers.wrappers import Bidirectional, TimeDistributed
from refnet.models.model import Model
from refnet.saving.serialization import restored, serialized
from refnet.structure import flatten, mapped

# Keras's classes for functions of refnet.ops that take nothing but tensors: {name of the function: name of the class}.
OPERATIONS = {
    **{name: name.capitalize() for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power")},
    **{name: name.capitalize() for name in ("negative", "square", "sqrt", "exp", "log", "tanh", "sin", "cos", "abs")},
    **{"true_divide": "TrueDivide", "floor_divide": "FloorDivide", "absolute": "Absolute", "matmul": "Matmul"},
    **{"not_equal": "NotEqual", "logical_or": "LogicalOr", "logical_and": "LogicalAnd"},
}
# Those that are read from Keras's files besides, and the arguments they take: {name of the class: (name of the function, arguments)}.
READ: dict[str, tuple[str, tuple[str, ...]]] = {
    **{kind: (kind.lower(), ()) for kind in ("Relu", "Relu6", "Sigmoid", "Silu", "Softplus", "Softsign")},
    **{kind: (kind.lower(), ("axis", "keepdims")) for kind in ("Mean", "Sum")},
    **{kind: (kind.lower(), ("axis", "keepdims", "initial")) for kind in ("Max", "Min")},
    **{"Softmax": ("softmax", ("axis",)), "LogSoftmax": ("log_softmax", ("axis",)), "Gelu": ("gelu", ("approximate",))},
    **{"LeakyRelu": ("leaky_relu", ("negative_slope",)), "Clip": ("clip", ("x_min", "x_max"))},
    **{"Reshape": ("reshape", ("newshape",)), "Transpose": ("transpose", ("axes",)), "Stack": ("stack", ("axis",))},
    **{"Cast": ("cast", ("dtype",)), "Norm": ("norm", ("ord", "axis", "keepdims"))},
    **{"Any": ("any", ("axis", "keepdims")), "Concatenate": ("concatenate", ("axis",))},
    **{"ExpandDims": ("expand_dims", ("axis",)), "Squeeze": ("squeeze", ("axis",))},
    **{"ZerosLike": ("zeros_like", ("dtype",)), "OnesLike": ("ones_like", ("dtype",))},
    "ConvertToTensor": ("convert_to_tensor", ("dtype",)),
}
KERAS_MODULE = "keras.src.ops.numpy"
# Layers whose `call` has training=None in Keras: in a call of theirs, True or False is what the user said.
WITHOUT_DEFAULT = (BatchNormalization, Bidirectional, Lambda, Model, ProjectedAttention, TimeDistributed)


class Order:
    """The layers and bare nodes of a graph in the order in which Keras would list them: by depth, then as a search from the
    outputs meets them.

    Attributes:
        operations: a Layer or a Node each.
        uses: {operation: its calls in this graph, in the order they were made}.
        place: {tensor: (operation, number of the call, number of the output)}.
    """

    def __init__(self, graph: Any):
        self.graph = graph
        self.uses: dict[Any, list[Any]] = {}
        self.place: dict[Tensor, tuple[Any, int, int]] = {}
        self.maker: dict[Tensor, Any] = {}
        self.inputs = {x: self._input_layer(x) for x in graph.inputs}
        for x, layer in self.inputs.items():
            self._record(layer, x, [x])
        for event in graph.outer_events():
            self._record(event.layer if isinstance(event, Call) else event, event, flatten(event.outputs))
        self.operations = self._ordered(graph.outputs)

    def _input_layer(self, x: Tensor) -> Layer:
        known = self.graph.input_layers
        if x.origin is None and x not in known:
            known[x] = InputLayer(batch_shape=x.shape, dtype=x.dtype, name=x.name or None)
        return x.origin if x.origin is not None else known[x]

    def _record(self, operation: Any, event: Any, outputs: list[Tensor]) -> None:
        uses = self.uses.setdefault(operation, [])
        uses.append(event)
        for i, y in enumerate(outputs):
            if y not in self.place:
                self.place[y], self.maker[y] = (operation, len(uses) - 1, i), event

    def parents(self, event: Any) -> list[Any]:
        """What made what an event reads: calls, bare nodes, and the nodes that made masks, which to Keras are ops of the graph."""
        read = [] if isinstance(event, Tensor) else flatten([event.inputs, getattr(event, "arguments", [])])
        masks = event.masks if isinstance(event, Call) and self._takes_masks(event) else []
        inner = isinstance(event, Node) and event not in self.uses
        made = [x for x in [*read, *masks] if isinstance(x, Tensor)]
        other = {x for x in (made if inner else masks) if isinstance(x, Tensor) and x not in self.maker}
        return [self.maker.get(x, x.node) for x in made if x in self.maker or (x in other and x.node is not None)]

    def _takes_masks(self, call: Call) -> bool:
        names = call.layer.call_parameters() if isinstance(call.layer, Layer) else []
        return any(name == "mask" or name.endswith("_mask") for name in names)

    def operation(self, event: Any) -> Any:
        if isinstance(event, Tensor):
            return self.inputs[event]
        return event.layer if isinstance(event, Call) else event

    def _ordered(self, outputs: list[Tensor]) -> list[Any]:
        found: dict[Any, int] = {}
        finished: dict[Any, None] = {}
        for y in outputs:
            self._search(self.maker[y], found, finished)
        depth: dict[Any, int] = {}
        deepest: dict[Any, int] = {}
        for event in reversed(finished):
            operation = self.operation(event)
            depth[event] = deepest[operation] = max(depth.get(event, 0), deepest.get(operation, 0))
            for parent in self.parents(event):
                depth[parent] = max(depth[event] + 1, depth.get(parent, 0))
        for operation in self.uses:  # inputs without a use, and calls that only add losses or updates
            if operation not in deepest:
                deepest[operation], found[operation] = 0, -1
        return sorted(self.uses, key=lambda operation: (-deepest[operation], found[operation]))

    def _search(self, start: Any, found: dict[Any, int], finished: dict[Any, None]) -> None:
        stack = [(start, iter(self._entered(start, found)))]
        while stack:
            event, rest = stack[-1]
            following = next((e for e in rest if e not in finished), None)
            if following is None:
                finished[event] = None
                stack.pop()
            else:
                stack.append((following, iter(self._entered(following, found))))

    def _entered(self, event: Any, found: dict[Any, int]) -> list[Any]:
        found.setdefault(self.operation(event), len(found))
        return self.parents(event)


def graph_config(model: Any) -> dict[str, Any]:
    """The config of a functional model.

    Raises:
        ArgumentError: a layer closes over tensors of the model: called again it would read the old ones.
    """
    graph = model.graph
    order = Order(graph)
    for call in graph.calls_closing_over():
        raise ArgumentError(f"{call.layer.name} closes over tensors of the model, so it has no config.")
    names = _names(order.operations)

    def at(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return serialized(x, keep=True)
        if x in order.place:
            operation, use, output = order.place[x]
            history = [names[operation], use, output]
            config = {"shape": list(x.shape), "dtype": x.dtype, "keras_history": history}
            return {"class_name": "__keras_tensor__", "config": config}
        if isinstance(x, Constant):
            return {"class_name": "__numpy__", "config": {"value": x.value.tolist(), "dtype": x.dtype}}
        raise ArgumentError(f"{model.name} reads {x!r}, which no layer of it made, so it has no config.")

    def end(x: Tensor) -> list[Any]:
        operation, use, output = order.place[x]
        return [names[operation], use + _offset(operation), output]

    layers = iter(model.layers)  # in the file as the model lists them, for weights are written in that order
    entries = []
    for operation in [x if isinstance(x, Node) else next(layers) for x in order.operations]:
        entry = (
            _node_entry(operation, names[operation])
            if isinstance(operation, Node)
            else serialized(operation, keep=True)
        )
        calls = [] if isinstance(operation, InputLayer) else [_use(event, at) for event in order.uses[operation]]
        entries.append({**entry, "name": names[operation], "inbound_nodes": calls})
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": entries,
        "input_layers": mapped(end, model._inputs_structure),
        "output_layers": mapped(end, model._outputs_structure),
    }


def _offset(operation: Any) -> int:
    """Keras counts the calls of an inner functional model from 1 where it names a model's ends."""
    from refnet.models.model import Model

    return int(type(operation) is Model)


def _names(operations: list[Any]) -> dict[Any, str]:
    names: dict[Any, str] = {x: x.name for x in operations if isinstance(x, Layer)}
    taken = set(names.values())
    for node in operations:
        if isinstance(node, Node):
            name, number = node.op.name, 1
            while name in taken:
                name, number = f"{node.op.name}_{number}", number + 1
            names[node] = name
            taken.add(name)
    return names


def _node_entry(node: Node, name: str) -> dict[str, Any]:
    if node.op.name in OPERATIONS and not node.attributes:
        kind = OPERATIONS[node.op.name]
        return {"module": KERAS_MODULE, "class_name": kind, "config": {"name": name}, "registered_name": kind}
    config = {"name": name, "attributes": serialized(node.attributes)}
    return {"module": "refnet.ops", "class_name": node.op.name, "config": config, "registered_name": None}


def _use(event: Any, at: Any) -> dict[str, Any]:
    """A call: Keras reads args and kwargs; the number keeps the order in which the calls were made."""
    if isinstance(event, Node):
        return {"args": [at(x) for x in event.inputs], "kwargs": {}, "number": event.number}
    arguments = dict(event.arguments)
    args = [mapped(at, event.inputs), *(mapped(at, a) for a in arguments.pop("args", ()))]
    return {"args": args, "kwargs": {key: mapped(at, a) for key, a in arguments.items()}, "number": event.number}


# ---- and back


class _Maker:
    """A functional model being made: its layers by name, and what their calls returned."""

    def __init__(self, config: dict[str, Any]):
        self.layers: dict[str, Any] = {}
        self.made: dict[tuple[str, int], list[Tensor]] = {}
        self.calls: dict[str, int] = {}
        waiting: list[tuple[str, dict[str, Any]]] = []
        for entry in config["layers"]:
            name = entry["name"]
            if name in self.layers:
                raise FileError(f"two layers of the configuration are called {name!r}.")
            self.layers[name], self.calls[name] = _operation(entry), 0
            waiting += [(name, use) for use in entry["inbound_nodes"]]
            if isinstance(self.layers[name], InputLayer):
                self.made[name, 0] = [self.layers[name].output]
        if all(isinstance(use.get("number"), int) for _, use in waiting):
            waiting.sort(key=lambda pair: pair[1]["number"])
        while waiting:
            waiting = self._advanced(waiting)

    def _advanced(self, waiting: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
        """Makes the calls whose inputs exist, those of one layer in order; gives the others."""
        left: dict[str, None] = {}
        rest = []
        for name, use in waiting:
            if name in left or any((place[0], place[1]) not in self.made for place in _places(use)):
                left[name] = None
                rest.append((name, use))
            else:
                self._call(name, use)
        if len(rest) == len(waiting):
            raise FileError(f"the configuration calls {', '.join(left)} on tensors that nothing makes.")
        return rest

    def _call(self, name: str, use: dict[str, Any]) -> None:
        args, kwargs = self.at(use["args"]), {key: self.at(value) for key, value in use["kwargs"].items()}
        if "mask" in kwargs and args and _follows(kwargs["mask"], args[0]):
            del kwargs["mask"]
        if "number" not in use and _was_open(self.layers[name], kwargs.get("training")):
            kwargs.pop("training", None)
        self.made[name, self.calls[name]] = flatten(self.layers[name](*args, **kwargs))
        self.calls[name] += 1

    def at(self, value: Any) -> Any:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            name, use, output = value["config"]["keras_history"]
            return self.made[name, use][output]
        if isinstance(value, dict) and "class_name" not in value:
            return {key: self.at(part) for key, part in value.items()}
        return [self.at(part) for part in value] if isinstance(value, list) else restored(value)

    def ends(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.ends(part) for key, part in value.items()}
        if len(value) == 3 and isinstance(value[0], str):
            name, use, output = value
            return self.made[name, use - _offset(self.layers[name])][output]
        return [self.ends(part) for part in value]


def _follows(mask: Any, inputs: Any) -> bool:
    """Whether a mask is the one that the inputs carry (or none, as they): Keras writes what it filled in into its configs."""
    given, own = flatten(mask), flatten(mapped(mask_of, inputs))
    if all(part is None for part in given):
        return True
    return len(given) == len(own) and all(a is b or _alike(a, b) for a, b in zip(given, own))


def _was_open(layer: Any, training: Any) -> bool:
    """Whether a call in a file of Keras's left `training` open: it writes there what its layer's `call` has as default, which its fit,
    evaluate and predict replace by what they do."""
    if not isinstance(layer, Layer) or training is None:
        return True
    call = type(layer).call
    if not call.__module__.startswith("refnet."):
        said = inspect.signature(call).parameters.get("training")
        return said is not None and said.default is training
    return training is layer.trains_by_default and not isinstance(layer, WITHOUT_DEFAULT)


def _alike(a: Any, b: Any) -> bool:
    """Whether two tensors are the same ops of the same tensors."""
    if a is b:
        return True
    if isinstance(a, Constant) and isinstance(b, Constant):
        return a.dtype == b.dtype and np.array_equal(a.value, b.value)
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)) or a.node is None or b.node is None:
        return False
    same = a.node.op is b.node.op and a.node.attributes == b.node.attributes
    same = same and a.node.outputs.index(a) == b.node.outputs.index(b) and len(a.node.inputs) == len(b.node.inputs)
    return same and all(_alike(x, y) for x, y in zip(a.node.inputs, b.node.inputs))


def _places(value: Any) -> list[Any]:
    """The keras_history of every tensor in a call's arguments."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [value["config"]["keras_history"]]
        value = list(value.values())
    return [place for part in value for place in _places(part)] if isinstance(value, list) else []


def _operation(entry: dict[str, Any]) -> Any:
    """What an entry's calls call: a layer, or a function of tensors."""
    module, name = entry.get("module") or "", entry["class_name"]
    if module.startswith("keras.src.ops") and name in READ:
        function, words = READ[name]
        given = {word: entry["config"][word] for word in words if word in entry["config"]}
        return lambda *args: getattr(ops, function)(*args, **given)
    if module.startswith("keras.src.ops"):
        functions = {kind: function for function, kind in OPERATIONS.items()}
        if name not in functions or set(entry["config"]) - {"name", "dtype", "trainable"}:
            raise FileError(f"the model calls Keras's operation {name}, which refnet cannot read from a file.")
        return getattr(ops, functions[name])
    if module != "refnet.ops":
        return restored({key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")})
    if name not in Op.named:
        raise FileError(f"the model calls an op {name!r}, which is not known.")
    attributes = {key: _tupled(value) for key, value in entry["config"]["attributes"].items()}
    return lambda *args: node_of(Op.named[name], tuple(_constant(x) for x in args), attributes)


def _constant(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else Constant(np.asarray(x))


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else restored(value)


def model_of(config: dict[str, Any], kind: Any) -> Any:
    """The model that a config describes, with new weights."""
    maker = _Maker(config)
    model = kind(maker.ends(config["input_layers"]), maker.ends(config["output_layers"]), name=config["name"])
    model._trainable = config.get("trainable", True)
    listed = [layer for layer in maker.layers.values() if isinstance(layer, Layer)]
    if set(listed) == set(model.layers):
        model._listed = model.graph, listed  # what a file holds of weights and of an optimizer follows its own order
    return model
