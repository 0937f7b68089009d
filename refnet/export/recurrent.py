"""Recurrent nets: a Scan over the time steps, whose body is one step; whatever the activations, with or without a mask."""

from collections.abc import Callable

import numpy as np

from refnet.errors import ArgumentError
from refnet.export.writer import Exported, Writer, value_of, writes
from refnet.ops.activation import SELU_ALPHA, SELU_SCALE
from refnet.ops.recurrent import ACTIVATIONS

SAME = {
    "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "softsign": "Softsign", "softplus": "Softplus", "exponential": "Exp",
}  # fmt: skip


def activated(w: Writer, x: str, code: int, dtype: str) -> str:
    """An activation of `refnet.ops.recurrent`, by number."""
    name = ACTIVATIONS[code]
    if name in SAME:
        return w.node(SAME[name], x)
    if name == "linear":
        return x
    if name in ("relu6", "hard_tanh"):
        low, high = (0, 6) if name == "relu6" else (-1, 1)
        return w.node("Clip", x, w.constant(low, dtype), w.constant(high, dtype))
    if name == "log_sigmoid":
        return w.node("Neg", w.node("Softplus", w.node("Neg", x)))
    attributes = {
        "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
        "elu": ("Elu", {"alpha": 1.0}),
        "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
        "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    }
    kind, given = attributes[name]
    return w.node(kind, x, **given)


Step = Callable[[list[str], str], list[str]]


def recurrence(w: Writer, call: Exported, states: list[int], mask: int, step: Step) -> list[str]:
    """The states after every step.

    Args:
        states: where among the inputs the first states are.
        mask: where the mask is; the recurrent dropout's is behind it.
        step: writes one step, from the states and the projected inputs to the new states.
    """
    factors = value_of(call.inputs[mask + 1])
    if factors is None or (np.asarray(factors, float) != 1).any():
        raise ArgumentError("it has a recurrent dropout mask, which there is in training only")
    dtype = call.inputs[0].dtype
    every = value_of(call.inputs[mask])
    masked = every is None or not every.all()

    def whole(before: list[str], entries: list[str]) -> list[str]:
        after = step(before, entries[0])
        if not masked:
            return after
        counts = w.unsqueeze(entries[1], 1)
        return [w.node("Where", counts, new, old) for new, old in zip(after, before)]

    sequences = [(call.names[0], dtype), *([(call.names[mask], "bool")] if masked else [])]
    return w.scan([(call.names[i], dtype) for i in states], sequences, whole)


@writes("simple_rnn")
def simple_rnn(w: Writer, call: Exported) -> str:
    kernel, dtype = call.names[1], call.inputs[0].dtype

    def step(states: list[str], x: str) -> list[str]:
        z = w.node("Add", x, w.node("MatMul", states[0], kernel))
        return [activated(w, z, call.attributes["activation"], dtype)]

    return recurrence(w, call, [2], 3, step)[0]


@writes("lstm")
def lstm(w: Writer, call: Exported) -> tuple[str, str, None]:
    kernel, dtype, a = call.names[1], call.inputs[0].dtype, call.attributes

    def step(states: list[str], x: str) -> list[str]:
        h, c = states
        parts = w.several("Split", 4, w.node("Add", x, w.node("MatMul", h, kernel)), axis=1, num_outputs=4)
        i, f, o = (activated(w, parts[k], a["recurrent_activation"], dtype) for k in (0, 1, 3))
        g = activated(w, parts[2], a["activation"], dtype)
        c = w.node("Add", w.node("Mul", f, c), w.node("Mul", i, g))
        return [w.node("Mul", o, activated(w, c, a["activation"], dtype)), c]

    h, c = recurrence(w, call, [2, 3], 4, step)
    return h, c, None


@writes("gru")
def gru(w: Writer, call: Exported) -> tuple[str, None, None]:
    dtype, a = call.inputs[0].dtype, call.attributes
    units = int(call.inputs[1].shape[0])
    sizes = w.ints(2 * units, units)
    kernels = w.several("Split", 2, call.names[1], sizes, axis=1)  # of both gates, and of the candidate
    biases = w.several("Split", 2, call.names[2], sizes, axis=0)

    def step(states: list[str], x: str) -> list[str]:
        h = states[0]
        gates_x, candidate_x = w.several("Split", 2, x, sizes, axis=1)
        gates = w.node("Add", gates_x, w.node("Add", w.node("MatMul", h, kernels[0]), biases[0]))
        z, r = w.several("Split", 2, activated(w, gates, a["recurrent_activation"], dtype), axis=1, num_outputs=2)
        if a["reset_after"]:
            seen = w.node("Mul", r, w.node("Add", w.node("MatMul", h, kernels[1]), biases[1]))
        else:
            seen = w.node("MatMul", w.node("Mul", r, h), kernels[1])
        g = activated(w, w.node("Add", candidate_x, seen), a["activation"], dtype)
        kept = w.node("Sub", w.constant(1, dtype), z)
        return [w.node("Add", w.node("Mul", z, h), w.node("Mul", kept, g))]

    return recurrence(w, call, [3], 4, step)[0], None, None
