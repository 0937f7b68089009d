"""Layers called on arrays: the call is traced once, and its program kept for the next call of that kind."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from refnet import dtypes, settings
from refnet.errors import RefnetError
from refnet.graph import Mode, Tensor, Variable, trace
from refnet.keeping import OnEngines, key_of
from refnet.structure import flatten, mapped, outline, packed
from refnet.tracing import building

if TYPE_CHECKING:
    from refnet.layers.base import Layer


def computed(layer: "Layer", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result on arrays, by a program that is kept for the next call of this kind."""
    leaves = flatten([list(args), kwargs])
    arrays = [np.asarray(x) for x in leaves if isinstance(x, (np.ndarray, np.generic))]
    with building:
        made = layer._programs.found(kind_of(layer, args, kwargs))
        if made is None:
            made = made_for(layer, args, kwargs)
            # The kind is another one now, if the call has built the layer.
            layer._programs[kind_of(layer, args, kwargs)] = made
        executable = made.program.on_current()
    results = executable.run(arrays)
    layer._losses_at_once = results[len(results) - made.losses :] if made.losses else []
    return packed(made.outputs, results)


def kind_of(layer: "Layer", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """All that the program of a call on arrays depends on: the kind of the arguments, and how the layers are by now."""
    kind = (signature([list(args), kwargs], fixed_batch(layer)), trace.learning_phase, *settings.chosen())
    return kind, tuple((x.trainable, x.built, x.changed_at, x) for x in layer._flatten_layers())


class Made(NamedTuple):
    """The program of a call on arrays: its results are the outputs, then the losses that the call adds."""

    outputs: Any  # tensors, in the structure in which `call` returned them
    program: OnEngines
    losses: int  # how many


def made_for(layer: "Layer", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Made:
    """The program for any number of samples; for this number alone, if a `call` of the user's needs to know it."""
    try:
        return program_for(layer, args, kwargs)
    except (RefnetError, TypeError) as error:
        if fixed_batch(layer) or all(type(x).__module__.startswith("refnet.") for x in layer._flatten_layers()):
            raise
        layer._knows_batch = True
        try:
            return program_for(layer, args, kwargs)
        except (RefnetError, TypeError):
            layer._knows_batch = False
            raise error from None


def program_for(layer: "Layer", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Made:
    """The call, traced on tensors like the arrays."""
    from refnet.models.functional import Graph
    from refnet.program import Program

    slots: list[Tensor] = []
    fixed = fixed_batch(layer)

    def slot(x: Any) -> Any:
        if not isinstance(x, (np.ndarray, np.generic)):
            return x
        floating = x.dtype.kind == "f" and layer.autocast and dtypes.is_floating(layer.compute_dtype)
        shape = x.shape if fixed else (None, *x.shape[1:]) if x.ndim else ()
        slots.append(Tensor(shape, layer.compute_dtype if floating else x.dtype))
        return slots[-1]

    with trace.inside(call=None, guard=(), training=None):
        outputs = layer(*mapped(slot, list(args)), **mapped(slot, kwargs))
    layer._calls_made.pop()
    graph = Graph(slots, flatten(outputs))
    if not hasattr(layer, "run_counter"):
        layer.run_counter = Variable(0, dtype="int64", trainable=False, name=f"{layer.name}/run_counter")
    mode = Mode(None)
    losses = [loss for loss, guard in graph.losses if mode.holds(guard)]
    program = Program(slots, [*flatten(outputs), *losses], graph.assignments, mode, layer.run_counter)
    return Made(outputs, OnEngines(program), len(losses))


def fixed_batch(layer: "Layer") -> bool:
    """Whether a program serves one batch size only: a layer keeps a state for each sample, or asks for their number."""
    return layer._knows_batch or any(getattr(inner, "stateful", False) for inner in layer._flatten_layers())


def signature(structure: Any, fixed: bool) -> Any:
    """What a call's program depends on: the structure, arrays' shapes (the first axis only if fixed), other arguments' values."""

    def leaf(x: Any) -> Any:
        array = isinstance(x, (np.ndarray, np.generic))
        return ("array", x.ndim, x.shape[0 if fixed else 1 :], x.dtype.name) if array else key_of(x)

    return outline(structure, leaf)
