"""Functions of Keras 2's `backend` that make values, draw them, put them in another order or show them; and what only sessions need."""

import warnings
from typing import Any

import numpy as np

from refnet import dtypes, ops, random
from refnet.graph import Condition, Tensor, Variable, as_tensor, assignment, phase, trace
from refnet.ops.arguments import converted


def backend() -> str:
    """'refnet': there is no other framework underneath."""
    return "refnet"


# ---- made


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Any:
    """`ops.arange`, int32 if not told otherwise.

    >>> arange(3)
    array([0, 1, 2], dtype=int32)
    """
    return ops.arange(start, stop, step, dtype)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable with the identity matrix."""
    return Variable(np.asarray(ops.eye(size, dtype=dtypes.standardize(dtype))), name=name or "variable")


def cast_to_floatx(x: Any) -> Any:
    """x in the default floating dtype.

    >>> cast_to_floatx([1, 2])
    array([1., 2.], dtype=float32)
    """
    return ops.cast(converted("cast_to_floatx", x, "x"), dtypes.floatx())


def identity(x: Any, name: str | None = None) -> Any:
    """The same elements once more."""
    return ops.copy(x)


# ---- in another order


def cumsum(x: Any, axis: int = 0) -> Any:
    """Sums of the elements so far, along an axis."""
    return ops.cumsum(x, axis=axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Products of the elements so far, along an axis."""
    return ops.cumprod(x, axis=axis)


def reverse(x: Any, axes: Any) -> Any:
    """x with its elements in reverse order along one axis or several.

    >>> reverse([1, 2, 3], 0)
    array([3, 2, 1])
    """
    return ops.flip(x, axes)


def tile(x: Any, n: Any) -> Any:
    """x, n times along each axis."""
    return ops.tile(x, n)


def slice(x: Any, start: Any, size: Any) -> Any:
    """The block of x that begins at `start`, of size `size`."""
    return ops.slice(x, start, size)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether a class is among the k with the largest scores.

    >>> in_top_k([[0.1, 0.5, 0.4]], [2], 2)
    array([ True])
    """
    return ops.in_top_k(targets, predictions, k)


# ---- drawn


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of the normal distribution, none further than two standard deviations from the mean."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """1 with probability p, else 0."""
    return ops.cast(ops.less(random.uniform(shape, 0.0, 1.0, None, seed), p), dtypes.standardize(dtype))


random_bernoulli = random_binomial


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable with numbers of the normal distribution."""
    return Variable(np.asarray(random.normal(shape, mean, scale, dtype, seed)), name=name or "variable")


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable with numbers spread evenly."""
    return Variable(np.asarray(random.uniform(shape, low, high, dtype, seed)), name=name or "variable")


# ---- assigned and shown


def moving_average_update(x: Variable, value: Any, momentum: float) -> Any:
    """For `function(updates=)`, or inside a layer's call: the record that x takes momentum * x + (1 - momentum) * value.

    Inside a layer's call x takes it in training alone, as Keras 2 runs what `add_update` is given.
    """
    change = ops.multiply(ops.subtract(x, value), 1.0 - momentum)
    new = as_tensor(ops.subtract(x, change), x.dtype)
    return assignment(x, in_training(new, x) if trace.call is not None else new)


def in_training(new: Any, old: Any) -> Any:
    """A tensor that is `new` in training, `old` at inference."""
    training = trace.learning_phase if trace.training is None else trace.training
    if training is not None:
        return as_tensor(new if training else old)
    return phase(as_tensor(new), as_tensor(old), condition=Condition())


def print_tensor(x: Any, message: str = "") -> Any:
    """x, printed where it has a value: an array, a variable, or a tensor under `compile(run_eagerly=True)`."""
    if isinstance(x, Tensor) and x.known is None and not isinstance(x, Variable):
        warnings.warn(
            f"print_tensor prints nothing here: {x!r} has no value while a graph is built. Under compile(run_eagerly=True) it has.",
            stacklevel=2,
        )
    else:
        print(message, np.asarray(x))
    return x


# ---- what only sessions and sparse tensors need


def manual_variable_initialization(value: bool) -> None:
    """Changes nothing: a variable has its value from the start."""


def is_sparse(tensor: Any) -> bool:
    """False: tensors are dense here."""
    return False


def to_dense(tensor: Any) -> Any:
    """The tensor itself."""
    return tensor
