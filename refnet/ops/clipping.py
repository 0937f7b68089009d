"""Gradients kept small: by value, by their own norm, by the norm of all together."""

from collections.abc import Sequence
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, called_as
from refnet.ops.arguments import as_dtype, dtype_of, entries, floating


def positive(op: str, clip_norm: Any) -> float:
    """clip_norm as a float above 0. Raises ArgumentError."""
    if isinstance(clip_norm, bool) or not isinstance(clip_norm, (int, float)) or not clip_norm > 0:
        raise ArgumentError(f"{op}: the norm must be a number above 0; got {clip_norm!r}.")
    return float(clip_norm)


def clip_by_value(x: TensorLike, clip_value: float) -> TensorLike:
    """x, cut off at -clip_value and clip_value. See `clip`.

    Args:
        x: an array, tensor or number of any dtype.
        clip_value: a number above 0.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.

    >>> clip_by_value([-3.0, 1.0], 2.0)
    array([-2.,  1.], dtype=float32)
    """
    bound = positive("clip_by_value", clip_value)
    return ops.clip(floating("clip_by_value", x), -bound, bound)


@called_as("clip_by_norm", "sum")
def clip_by_norm(x: TensorLike, clip_norm: float, axes: Any = None) -> TensorLike:
    """x, scaled down to a norm if its own is larger.

        y[i] = x[i] * clip_norm / max(n, clip_norm),  n = sqrt(sum over i of x[i]**2)

    Args:
        x: an array or tensor; integers and bools take the default floating dtype.
        clip_norm: a number above 0.
        axes: the axes over which a norm is taken; None for all.
    Returns:
        x's shape and dtype.
    NaN: spreads along the axes; an infinite norm gives 0, and NaN for the infinite elements. Empty: an empty result.
    Raises:
        ArgumentError: a norm that is not above 0, an axis that x does not have.
    Source: Keras 3 `Optimizer(clipnorm=...)`; Pascanu et al. 2013.

    >>> clip_by_norm([3.0, 4.0], 1.0)
    array([0.6, 0.8], dtype=float32)
    """
    bound = positive("clip_by_norm", clip_norm)
    x = floating("clip_by_norm", x)
    total = ops.sum(ops.square(x), axes, keepdims=True)
    some = ops.greater(total, 0)
    norm = ops.where(some, ops.sqrt(ops.where(some, total, 1)), total)  # at 0 the root has no slope
    return ops.divide(ops.multiply(x, bound), ops.maximum(norm, bound))


def global_norm(xs: Sequence[TensorLike]) -> TensorLike:
    """The norm of several arrays as if they were one.

        y = sqrt(sum over k and i of  x_k[i]**2)

    Args:
        xs: arrays or tensors, at least one; None entries are left out.
    Returns:
        One number, in the dtype of the first.
    NaN: spreads. Empty: 0.
    Raises:
        ArgumentError: no array.

    >>> global_norm([[3.0], [4.0]])
    array(5., dtype=float32)
    """
    given = [floating("global_norm", x) for x in entries("global_norm", xs, "xs") if x is not None]
    if not given:
        raise ArgumentError("global_norm needs at least one array.")
    dtype = dtype_of(given[0])
    sums = [as_dtype(ops.sum(ops.square(x)), dtype) for x in given]
    total = sums[0]
    for part in sums[1:]:
        total = ops.add(total, part)
    return ops.sqrt(total)


def clip_by_global_norm(xs: Sequence[TensorLike], clip_norm: float) -> list[TensorLike]:
    """Several arrays, scaled down together to a norm if their common one is larger.

        y_k[i] = x_k[i] * clip_norm * min(1 / n, 1 / clip_norm),  n = global_norm(xs)

    Args:
        xs: arrays or tensors, at least one; None entries stay None.
        clip_norm: a number above 0.
    Returns:
        A list like xs.
    NaN: a norm that is infinite or NaN makes everything NaN. Empty: empty results.
    Raises:
        ArgumentError: a norm that is not above 0, no array.
    Source: Keras 3 `Optimizer(global_clipnorm=...)`; Pascanu et al. 2013.

    >>> clip_by_global_norm([[3.0], [4.0]], 1.0)
    [array([0.6], dtype=float32), array([0.8], dtype=float32)]
    """
    bound = positive("clip_by_global_norm", clip_norm)
    norm = global_norm(xs)
    scale = ops.multiply(bound, ops.minimum(ops.divide(1, norm), 1 / bound))
    scale = ops.add(scale, ops.subtract(norm, norm))  # inf - inf is NaN
    return [None if x is None else scaled(floating("clip_by_global_norm", x), scale) for x in xs]


def scaled(x: TensorLike, scale: TensorLike) -> TensorLike:
    return ops.multiply(x, as_dtype(scale, dtype_of(x)))
