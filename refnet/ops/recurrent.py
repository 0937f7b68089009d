"""What simple_rnn, lstm and gru share: their arguments, their activations, and how the work is cut.

The products of the inputs with the kernel do not depend on the state, so they are one `matmul` for all time steps, outside the
primitives, which take its result (called `projected`, with the bias added) and own what must go step by step: one task is one
row of the batch, from its first time step to its last. Backward the same: a primitive takes one row from the last step to the
first and gives the slopes of every step's preactivations; the gradients of kernel, recurrent kernel, bias and inputs are then
matrix products and sums over all rows and steps at once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Shape, TensorLike
from refnet.definition import Spec, View, broadcast_strides
from refnet.errors import ArgumentError, ShapeError, did_you_mean
from refnet.gradients import Undifferentiable
from refnet.graph import Constant
from refnet.ops.activation import SELU_ALPHA, SELU_SCALE
from refnet.ops.arguments import as_dtype, converted, dtype_of, promoted, shape_of
from refnet.ops.elementwise import sum_like
from refnet.scalars import divide, exp, expm1, log1p, tanh

# ---- activations: a closed set, by number. The slope of each follows from its value, so a step only has to save its values.

ACTIVATIONS = (
    "linear",
    "tanh",
    "sigmoid",
    "relu",
    "hard_sigmoid",
    "softsign",
    "softplus",
    "elu",
    "selu",
    "exponential",
    "relu6",
    "leaky_relu",
    "hard_tanh",
    "log_sigmoid",
)
LINEAR, TANH, SIGMOID, RELU, HARD_SIGMOID, SOFTSIGN, SOFTPLUS, ELU, SELU, EXPONENTIAL, RELU6 = range(11)
LEAKY_RELU, HARD_TANH, LOG_SIGMOID = range(11, 14)
SMOOTH = (LINEAR, TANH, SIGMOID, SOFTSIGN, EXPONENTIAL)  # written without a comparison


def activate(x: Number, activation: int) -> Number:
    """The activation of that number, as `refnet.ops` defines it under its name."""
    if activation == TANH:
        return tanh(x)
    if activation == SIGMOID:
        return divide(1, 1 + exp(-x))
    if activation == RELU:
        return 0 if x <= 0 else x
    if activation == HARD_SIGMOID:
        return between(0, x + 3, 6) / 6
    if activation == SOFTSIGN:
        return divide(x, 1 + abs(x))
    if activation == SOFTPLUS:
        return (x if x > 0 else 0) + log1p(exp(-x if x > 0 else x))
    if activation == ELU:
        return x if x > 0 else expm1(x)
    if activation == SELU:
        return SELU_SCALE * (x if x > 0 else SELU_ALPHA * expm1(x))
    if activation == EXPONENTIAL:
        return exp(x)
    if activation == RELU6:
        return between(0, x, 6)
    if activation == LEAKY_RELU:
        return x if x > 0 else 0.2 * x
    if activation == HARD_TANH:
        return between(-1, x, 1)
    if activation == LOG_SIGMOID:
        return (x if x < 0 else 0) - log1p(exp(-x if x > 0 else x))
    return x


def between(low: int, x: Number, high: int) -> Number:
    """x, or the end of low..high that it lies beyond. NaN stays."""
    if x <= low:
        return low
    return high if x >= high else x


def through(dy: Number, y: Number, activation: int) -> Number:
    """dy times the derivative of an activation where its value is y."""
    if activation == TANH:
        return dy * (1 - y * y)
    if activation == SIGMOID:
        return dy * (y * (1 - y))
    if activation == RELU:
        return dy if y > 0 else 0
    if activation == HARD_SIGMOID:
        return dy / 6 if y > 0 and y < 1 else 0
    if activation == SOFTSIGN:
        return dy * ((1 - abs(y)) * (1 - abs(y)))
    if activation == SOFTPLUS:
        return -dy * expm1(-y)
    if activation == ELU:
        return dy if y > 0 else dy * (1 + y)
    if activation == SELU:
        # The two constants are not multiplied with each other: rounded, their product is not the slope's.
        return dy * SELU_SCALE if y > 0 else dy * y + dy * SELU_SCALE * SELU_ALPHA
    if activation == EXPONENTIAL:
        return dy * y
    if activation == RELU6:
        return dy if y > 0 and y < 6 else 0
    if activation == LEAKY_RELU:
        return dy if y > 0 else 0.2 * dy
    if activation == HARD_TANH:
        return dy if y > -1 and y < 1 else 0
    if activation == LOG_SIGMOID:
        return -dy * expm1(y)
    return dy


def activation_name(activation: Any) -> str | None:
    """The name, among ACTIVATIONS, of an activation given by name, as a function of `refnet.ops`, or as None for linear."""
    if activation is None:
        return "linear"
    if callable(activation):
        name = {"exp": "exponential"}.get(getattr(activation, "__name__", ""), getattr(activation, "__name__", ""))
        known = getattr(ops, "exp" if name == "exponential" else name, None)
        activation = name if activation is known else activation
    return activation if isinstance(activation, str) and activation in ACTIVATIONS else None


def activation_code(op: str, argument: str, activation: Any) -> int:
    """The number of an activation among ACTIVATIONS."""
    name = activation_name(activation)
    if name is not None:
        return ACTIVATIONS.index(name)
    advice = (
        did_you_mean(activation, ACTIVATIONS) if isinstance(activation, str) else " Known: " + ", ".join(ACTIVATIONS)
    )
    raise ArgumentError(
        f"{op}: {argument} must be one of the activations whose slope follows from their value; got {activation!r}."
        f"{advice} Any other function can be the step of ops.scan."
    )


# ---- one product of the definitions: the state, a mask for each gate on it, times a column of the recurrent kernel


def recurrence(hidden: Array, dropout: Array, kernel: Array, gate: int, n: int, u: int) -> Number:
    """sum over j of  hidden[j] * dropout[gate, n, j] * kernel[j, gate * units + u]"""
    units = kernel.shape[0]
    total = 0
    for j in range(units):
        total += hidden[j] * dropout[gate, n, j] * kernel[j, gate * units + u]
    return total


def recurrence_back(row: Array, kernel: Array, gate: int, j: int) -> Number:
    """sum over u of  row[gate * units + u] * kernel[j, gate * units + u]"""
    units = kernel.shape[0]
    total = 0
    for u in range(units):
        total += row[gate * units + u] * kernel[j, gate * units + u]
    return total


# ---- arguments


def checked_arguments(
    op: str, gates: int, inputs: TensorLike, kernel: TensorLike, recurrent_kernel: TensorLike, *others: TensorLike
) -> list[TensorLike]:
    """The arrays in their common floating dtype, absent ones still None; shapes of inputs and kernels checked."""
    given = [inputs, kernel, recurrent_kernel, *others]
    present = promoted(op, *[x for x in given if x is not None])
    if not dtypes.is_floating(dtype_of(present[0])):
        present = [as_dtype(x, dtypes.floatx()) for x in present]
    rest = iter(present)
    arrays = [None if x is None else next(rest) for x in given]
    x, k, r = map(shape_of, arrays[:3])
    if len(x) != 3 or x[1] == 0:
        raise ShapeError(f"{op} needs inputs of shape (batch, time, features) with at least one time step; got {x}.")
    if len(r) != 2 or r[0] is None or r[1] != gates * r[0]:
        wide = "(units, units)" if gates == 1 else f"(units, {gates} * units)"
        raise ShapeError(f"{op} needs a recurrent_kernel of shape {wide}; got {r}.")
    expect(op, "kernel", arrays[1], (x[2], r[1]), "(features, columns of recurrent_kernel)")
    return arrays


def expect(op: str, name: str, x: TensorLike, shape: Shape, meaning: str) -> None:
    """Raises ShapeError unless x has that shape, as far as it is known."""
    given = shape_of(x)
    if len(given) != len(shape) or any(a is not None and b is not None and a != b for a, b in zip(given, shape)):
        raise ShapeError(f"{op} needs {name} of shape {meaning}, here {tuple(shape)}; got {given}.")


def initial(op: str, name: str, state: TensorLike, inputs: TensorLike, units: int) -> TensorLike:
    """The state before the first step: zeros if it was not given."""
    if state is None:
        return ops.zeros((ops.shape(inputs)[0], units), dtype_of(inputs))
    expect(op, name, state, (shape_of(inputs)[0], units), "(batch, units)")
    return state


def steps_mask(op: str, mask: TensorLike, inputs: TensorLike, go_backwards: bool) -> TensorLike:
    """bool (batch, time), in the order in which steps are taken; (1, 1) and true if every step counts."""
    if mask is None:
        return np.ones((1, 1), bool)
    mask = converted(op, mask, "mask")
    expect(op, "mask", mask, shape_of(inputs)[:2], "(batch, time)")
    mask = as_dtype(mask, "bool")
    return ops.flip(mask, 1) if go_backwards else mask


def gate_masks(op: str, mask: TensorLike, inputs: TensorLike, gates: int, units: int) -> TensorLike:
    """The recurrent dropout mask as (gates, batch, units), (1, batch, units) or, if there is none, one 1."""
    if mask is None:
        return np.ones((1, 1, 1), dtypes.as_numpy(dtype_of(inputs)))
    batch = shape_of(inputs)[0]
    if len(shape_of(mask)) == 2:
        expect(op, "recurrent_dropout_mask", mask, (batch, units), "(batch, units)")
        return ops.expand_dims(mask, 0)
    expect(op, "recurrent_dropout_mask", mask, (gates, batch, units), "(batch, units) or (gates, batch, units)")
    return mask


def project(
    op: str, gates: int, inputs: TensorLike, kernel: TensorLike, bias: TensorLike, mask: TensorLike, go_backwards: bool
) -> TensorLike:
    """inputs times kernel plus bias for all steps, in the order in which they are taken: (batch, time, gates * units).

    With a dropout mask for each gate, each gate's columns of the kernel meet inputs of their own.
    """
    batch, _, features = shape_of(inputs)
    if go_backwards:
        inputs = ops.flip(inputs, 1)
    if mask is None:
        y = ops.matmul(inputs, kernel)
    elif len(shape_of(mask)) == 2:
        expect(op, "dropout_mask", mask, (batch, features), "(batch, features)")
        y = ops.matmul(ops.multiply(inputs, ops.expand_dims(mask, 1)), kernel)
    else:
        expect(op, "dropout_mask", mask, (gates, batch, features), "(batch, features) or (gates, batch, features)")
        columns = ops.split(kernel, gates, axis=1)
        parts = [ops.matmul(ops.multiply(inputs, ops.expand_dims(mask[g], 1)), columns[g]) for g in range(gates)]
        y = ops.concatenate(parts, axis=2)
    return y if bias is None else ops.add(y, bias)


def repeated(x: Spec, shape: Shape) -> View:
    """An array seen with a larger shape, its axes of length 1 repeated."""
    return View(shape, tuple(broadcast_strides(tuple(x.shape), shape)))


# ---- what the gradients are made of


def flowing(d: TensorLike, like: TensorLike) -> TensorLike:
    """What flows into an output, or one 0 where nothing does."""
    return np.zeros((1, 1, 1), dtypes.as_numpy(dtype_of(like))) if d is None else d


def states_before(states: TensorLike, first: TensorLike) -> TensorLike:
    """The state before each step."""
    return ops.concatenate([ops.expand_dims(first, 1), states[:, :-1]], axis=1)


def rows_of(x: TensorLike) -> TensorLike:
    """(batch, time, n) as (batch * time, n)."""
    return ops.reshape(x, (-1, shape_of(x)[-1]))


def without_dropout(dropout: TensorLike) -> bool:
    return isinstance(dropout, Constant) and dropout.shape == (1, 1, 1)


def recurrent_kernel_gradient(before: Sequence[TensorLike], dz: TensorLike, dropout: TensorLike) -> TensorLike:
    """The sum over rows and steps of  before * dropout * slopes of the preactivations, gate by gate where these differ.

    before: what each gate's columns are multiplied with, (batch, time, units) each.
    """
    same = all(x is before[0] for x in before)
    if same and shape_of(dropout)[0] == 1:
        masked = before[0] if without_dropout(dropout) else ops.multiply(before[0], ops.expand_dims(dropout[0], 1))
        return ops.matmul(ops.transpose(rows_of(masked)), rows_of(dz))
    slopes, last = ops.split(dz, len(before), axis=2), shape_of(dropout)[0] - 1
    columns = []
    for gate, (x, d) in enumerate(zip(before, slopes)):
        masked = x if without_dropout(dropout) else ops.multiply(x, ops.expand_dims(dropout[min(gate, last)], 1))
        columns.append(ops.matmul(ops.transpose(rows_of(masked)), rows_of(d)))
    return ops.concatenate(columns, axis=1)


def recurrent_dropout_gradient(
    before: Sequence[TensorLike], dz: TensorLike, recurrent_kernel: TensorLike, dropout: TensorLike
) -> TensorLike:
    """The slope of the masks on the state: sums over time of  before * (slopes times the kernel, turned around)."""
    if without_dropout(dropout):
        return None
    slopes, kernels = ops.split(dz, len(before), axis=2), ops.split(recurrent_kernel, len(before), axis=1)
    back = [ops.multiply(x, ops.matmul(d, ops.transpose(k))) for x, d, k in zip(before, slopes, kernels)]
    return sum_like(ops.stack([ops.sum(b, axis=1) for b in back]), dropout)


def once_only(name: str) -> Callable[..., Any]:
    """The gradient of a gradient of a recurrent op: there is none."""
    return Undifferentiable(
        f"{name} has no second derivative. Write the recurrence with ops.scan, whose steps can be differentiated again."
    )
