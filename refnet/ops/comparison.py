"""Comparison, logic and choice, element by element."""

from collections.abc import Callable

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, TensorLike
from refnet.errors import ArgumentError
from refnet.ops.arguments import as_dtype, as_integer, compared, converted, dtype_of, promoted
from refnet.ops.elementwise import elementwise
from refnet.scalars import INF

# ---- comparison


def equal(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether x1[i] == x2[i], with broadcasting.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype (compared in the promoted one); shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: equals nothing. Signed zeros are equal. Empty: an empty result. There is no gradient.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.equal`.

    >>> equal([1, 2], 2)
    array([False,  True])
    """
    return equal_op(*compared("equal", x1, x2))


def equal_scalar(x1: Number, x2: Number) -> Number:
    return x1 == x2


def not_equal(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether x1[i] != x2[i], with broadcasting; True where either is NaN. See `equal`.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: is unequal to all, itself too. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.not_equal`.

    >>> not_equal([1, 2], 2)
    array([ True, False])
    """
    return not_equal_op(*compared("not_equal", x1, x2))


def not_equal_scalar(x1: Number, x2: Number) -> Number:
    return x1 != x2


def less(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether x1[i] < x2[i], with broadcasting; False where either is NaN. See `equal`.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: is less than nothing. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.less`.

    >>> less([1, 2, 3], 2)
    array([ True, False, False])
    """
    return less_op(*compared("less", x1, x2))


def less_scalar(x1: Number, x2: Number) -> Number:
    return x1 < x2


def less_equal(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether x1[i] <= x2[i], with broadcasting; False where either is NaN. See `equal`.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: gives False. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.less_equal`.

    >>> less_equal([1, 2, 3], 2)
    array([ True,  True, False])
    """
    return less_equal_op(*compared("less_equal", x1, x2))


def less_equal_scalar(x1: Number, x2: Number) -> Number:
    return x1 <= x2


def greater(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether x1[i] > x2[i], with broadcasting; False where either is NaN. See `equal`.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: is greater than nothing. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.greater`.

    >>> greater([1, 2, 3], 2)
    array([False, False,  True])
    """
    return greater_op(*compared("greater", x1, x2))


def greater_scalar(x1: Number, x2: Number) -> Number:
    return x1 > x2


def greater_equal(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether x1[i] >= x2[i], with broadcasting; False where either is NaN. See `equal`.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: gives False. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.greater_equal`.

    >>> greater_equal([1, 2, 3], 2)
    array([False,  True,  True])
    """
    return greater_equal_op(*compared("greater_equal", x1, x2))


def greater_equal_scalar(x1: Number, x2: Number) -> Number:
    return x1 >= x2


equal_op = elementwise("equal", equal_scalar, result="bool")
not_equal_op = elementwise("not_equal", not_equal_scalar, result="bool")
less_op = elementwise("less", less_scalar, result="bool")
less_equal_op = elementwise("less_equal", less_equal_scalar, result="bool")
greater_op = elementwise("greater", greater_scalar, result="bool")
greater_equal_op = elementwise("greater_equal", greater_equal_scalar, result="bool")


# ---- what kind of number


def isfinite(x: TensorLike) -> Array:
    """Whether x[i] is neither infinite nor NaN; always True for integers and bools.

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape, bool. Empty: an empty result. There is no gradient.
    Source: Keras 3 `ops.isfinite`.

    >>> isfinite([1.0, float("inf"), float("nan")])
    array([ True, False, False])
    """
    return isfinite_op(converted("isfinite", x))


def isfinite_scalar(x: Number) -> Number:
    return -INF < x < INF


def isinf(x: TensorLike) -> Array:
    """Whether x[i] is inf or -inf. See `isfinite`.

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape, bool. There is no gradient.
    Empty: an empty result.
    Source: Keras 3 `ops.isinf`.

    >>> isinf([1.0, float("inf"), float("nan")])
    array([False,  True, False])
    """
    return isinf_op(converted("isinf", x))


def isinf_scalar(x: Number) -> Number:
    return x == INF or x == -INF


def isnan(x: TensorLike) -> Array:
    """Whether x[i] is NaN. See `isfinite`.

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape, bool. There is no gradient.
    Empty: an empty result.
    Source: Keras 3 `ops.isnan`.

    >>> isnan([1.0, float("inf"), float("nan")])
    array([False, False,  True])
    """
    return isnan_op(converted("isnan", x))


def isnan_scalar(x: Number) -> Number:
    return x != x


isfinite_op = elementwise("isfinite", isfinite_scalar, result="bool")
isinf_op = elementwise("isinf", isinf_scalar, result="bool")
isnan_op = elementwise("isnan", isnan_scalar, result="bool")


# ---- logic


def truth(op: str, x: TensorLike) -> TensorLike:
    """x as bool: everything but zero is true."""
    return as_dtype(converted(op, x), "bool")


def logical_and(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether both elements are true, with broadcasting.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; what is not zero is true. Shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: is true. Empty: an empty result. There is no gradient.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.logical_and`.

    >>> logical_and([True, True], [1.5, 0.0])
    array([ True, False])
    """
    return logical_and_op(truth("logical_and", x1), truth("logical_and", x2))


def logical_and_scalar(x1: Number, x2: Number) -> Number:
    return x1 and x2


def logical_or(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether at least one element is true, with broadcasting. See `logical_and`.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype, true where not 0; shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: is true. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.logical_or`.

    >>> logical_or([True, False], [0, 0])
    array([ True, False])
    """
    return logical_or_op(truth("logical_or", x1), truth("logical_or", x2))


def logical_or_scalar(x1: Number, x2: Number) -> Number:
    return x1 or x2


def logical_xor(x1: TensorLike, x2: TensorLike) -> Array:
    """Whether exactly one element is true, with broadcasting. See `logical_and`.

    Args:
        x1, x2: arrays, tensors or numbers of any dtype, true where not 0; shapes that broadcast.
    Returns:
        The common shape, bool.
    NaN: is true. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.logical_xor`.

    >>> logical_xor([True, True, False], [True, False, False])
    array([False,  True, False])
    """
    return not_equal(truth("logical_xor", x1), truth("logical_xor", x2))


def logical_not(x: TensorLike) -> Array:
    """Whether the element is false. See `logical_and`.

    Args:
        x: an array, tensor or number of any dtype, true where not 0.
    Returns:
        x's shape, bool. There is no gradient.
    NaN: is true. Empty: an empty result.
    Source: Keras 3 `ops.logical_not`.

    >>> logical_not([True, False])
    array([False,  True])
    """
    return logical_not_op(truth("logical_not", x))


def logical_not_scalar(x: Number) -> Number:
    return not x


logical_and_op = elementwise("logical_and", logical_and_scalar, result="bool")
logical_or_op = elementwise("logical_or", logical_or_scalar, result="bool")
logical_not_op = elementwise("logical_not", logical_not_scalar, result="bool")


# ---- choice


def where(condition: TensorLike, x1: TensorLike = None, x2: TensorLike = None) -> Array:
    """The element of x1 where the condition holds, else that of x2.

        y[i] = x1[i] if condition[i] else x2[i], with broadcasting

    Args:
        condition: an array, tensor or number of any dtype; what is not zero is true.
        x1, x2: arrays, tensors or numbers of any dtype; shapes that broadcast with the condition's.
    Returns:
        The common shape, in the promoted dtype of x1 and x2.
    NaN: what is not chosen has no influence, neither on the result nor on the gradient. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.  ArgumentError: x1 or x2 missing.
    Source: Keras 3 `ops.where`.

    >>> where([True, False], [1.0, 2.0], 0)
    array([1., 0.], dtype=float32)
    """
    if x1 is None or x2 is None:
        raise ArgumentError("where needs both x1 and x2. For the places where a condition holds use ops.nonzero.")
    return where_op(truth("where", condition), *promoted("where", x1, x2))


def where_scalar(condition: Number, x1: Number, x2: Number) -> Number:
    return x1 if condition else x2


where_op = elementwise(
    "where",
    where_scalar,
    None,
    lambda dy, y, condition, x1, x2: where(condition, dy, 0),
    lambda dy, y, condition, x1, x2: where(condition, 0, dy),
    like=1,
)


def clip(x: TensorLike, x_min: TensorLike, x_max: TensorLike) -> Array:
    """x, but nothing below x_min and nothing above x_max.

        y[i] = min(max(x[i], x_min[i]), x_max[i]), with broadcasting

    Args:
        x: an array, tensor or number of any dtype.
        x_min, x_max: numbers, arrays or tensors; they are cast to the result's dtype, whole numbers beyond its range to its
            end. Where x_min > x_max, x_max wins.
    Returns:
        The common shape, in x's dtype; bool gives int32.
    Ties: on a bound the gradient goes to x (JAX splits it).
    NaN: in x stays; a NaN bound does not bind. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.clip`.

    >>> clip([-3, 1, 9], 0, 5)
    array([0, 1, 5])
    """
    x = converted("clip", x)
    if dtype_of(x) == "bool":
        x = as_dtype(x, "int32")
    return clip_op(x, *(as_bound(bound, dtype_of(x)) for bound in (x_min, x_max)))


def as_bound(x: TensorLike, dtype: str) -> TensorLike:
    """A bound in the dtype of what it bounds. Whole numbers must not wrap around: -2 bounds no uint8."""
    if not dtypes.is_integer(dtype):
        return ops.cast(x, dtype)
    if isinstance(x, int):
        ends = np.iinfo(dtype)
        return as_integer("clip", min(max(x, int(ends.min)), int(ends.max)), dtype)
    return ops.saturate_cast(x, dtype)


def clip_scalar(x: Number, x_min: Number, x_max: Number) -> Number:
    raised = x_min if x < x_min else x
    return x_max if raised > x_max else raised


def clip_partial(choose: Callable[..., TensorLike]) -> Callable[..., TensorLike]:
    """The gradient of the input of clip that `choose(above, below)` says was taken."""

    def partial(dy: TensorLike, y: TensorLike, x: TensorLike, x_min: TensorLike, x_max: TensorLike) -> TensorLike:
        above = greater(where(less(x, x_min), x_min, x), x_max)
        return where(choose(above, less(x, x_min)), dy, 0)

    return partial


clip_op = elementwise(
    "clip",
    clip_scalar,
    clip_partial(lambda above, below: logical_not(logical_or(above, below))),
    clip_partial(lambda above, below: logical_and(below, logical_not(above))),
    clip_partial(lambda above, below: above),
)
