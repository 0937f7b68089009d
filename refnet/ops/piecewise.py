"""Activations made of straight lines: hard forms of the smooth ones, and what cuts off small values."""

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.ops.arguments import floating, number


def relu6(x: TensorLike) -> Array:
    """min(max(x, 0), 6). The gradient is 0 at 0 and beyond 6.

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.relu6`.

    >>> relu6([-1.0, 3.0, 9.0])
    array([0., 3., 6.], dtype=float32)
    """
    return ops.minimum(ops.relu(x), 6)


def leaky_relu(x: TensorLike, negative_slope: float = 0.2) -> Array:
    """x above zero, negative_slope * x elsewhere.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        negative_slope: the slope below zero.
    Returns:
        x's shape and dtype.
    Ties: at 0 the gradient is the slope below zero.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.leaky_relu`.

    >>> leaky_relu([-1.0, 2.0], negative_slope=0.5)
    array([-0.5,  2. ], dtype=float32)
    """
    x = floating("leaky_relu", x)
    return ops.where(ops.greater(x, 0), x, ops.multiply(x, negative_slope))


def hard_sigmoid(x: TensorLike) -> Array:
    """relu6(x + 3) / 6: sigmoid by three straight lines.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    Ties: at -3 and 3 the gradient is 0.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.hard_sigmoid`.

    >>> hard_sigmoid([-4.0, 0.0, 4.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return ops.divide(relu6(ops.add(floating("hard_sigmoid", x), 3)), 6)


def hard_silu(x: TensorLike) -> Array:
    """x * hard_sigmoid(x): silu by straight lines and a parabola; also called hard_swish.

        y[i] = x[i] * min(max(x[i] + 3, 0), 6) / 6

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    Ties: the gradient of relu6 at -3 and 3.
    NaN: stays, and -inf gives NaN. Empty: an empty result.
    Source: Howard et al. 2019; Keras 3 `ops.hard_silu`.

    >>> hard_silu([-4.0, 1.0, 4.0])
    array([-0.       ,  0.6666667,  4.       ], dtype=float32)
    """
    x = floating("hard_silu", x)
    return ops.multiply(x, ops.hard_sigmoid(x))


hard_swish = hard_silu


def hard_tanh(x: TensorLike) -> Array:
    """x between -1 and 1: tanh by three straight lines.

        y[i] = min(max(x[i], -1), 1)

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    Ties: the gradient at -1 and 1 is 1.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.hard_tanh`.

    >>> hard_tanh([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return ops.clip(floating("hard_tanh", x), -1, 1)


def hard_shrink(x: TensorLike, threshold: float = 0.5) -> Array:
    """x where it is larger than the threshold, by absolute value; zero elsewhere.

        y[i] = x[i] if |x[i]| > threshold else 0

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        threshold: a number.
    Returns:
        x's shape and dtype.
    Ties: on the threshold value and gradient are 0.
    NaN: gives 0. Empty: an empty result.
    Source: Keras 3 `ops.hard_shrink`.

    >>> hard_shrink([-1.0, 0.5, 0.75])
    array([-1.  ,  0.  ,  0.75], dtype=float32)
    """
    x, threshold = floating("hard_shrink", x), number("hard_shrink", threshold, "threshold")
    return ops.where(ops.greater(ops.abs(x), threshold), x, 0.0)


def soft_shrink(x: TensorLike, threshold: float = 0.5) -> Array:
    """x moved towards zero by the threshold, not beyond it.

        y[i] = x[i] - threshold if x[i] > threshold, x[i] + threshold if x[i] < -threshold, else 0

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        threshold: a number.
    Returns:
        x's shape and dtype.
    Ties: on the threshold value and gradient are 0.
    NaN: gives 0. Empty: an empty result.
    Source: Keras 3 `ops.soft_shrink`.

    >>> soft_shrink([-1.0, 0.5, 0.75])
    array([-0.5 ,  0.  ,  0.25], dtype=float32)
    """
    x, threshold = floating("soft_shrink", x), number("soft_shrink", threshold, "threshold")
    below = ops.where(ops.less(x, -threshold), ops.add(x, threshold), 0.0)
    return ops.where(ops.greater(x, threshold), ops.subtract(x, threshold), below)


def threshold(x: TensorLike, threshold: float, default_value: float) -> Array:
    """x above the threshold, a constant elsewhere.

        y[i] = x[i] if x[i] > threshold else default_value

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        threshold, default_value: numbers.
    Returns:
        x's shape and dtype.
    Ties: on the threshold the constant is taken, and the gradient is 0.
    NaN: gives the constant. Empty: an empty result.
    Source: Keras 3 `ops.threshold`.

    >>> threshold([-1.0, 0.0, 2.0], 0.0, 9.0)
    array([9., 9., 2.], dtype=float32)
    """
    x, threshold = floating("threshold", x), number("threshold", threshold, "threshold")
    return ops.where(ops.greater(x, threshold), x, number("threshold", default_value, "default_value"))


def sparse_sigmoid(x: TensorLike) -> Array:
    """sigmoid by straight lines: exactly 0 and 1 away from the middle.

        y[i] = (min(max(x[i], -1), 1) + 1) / 2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    Ties: the gradient at -1 and 1 is that of the middle.
    NaN: stays. Empty: an empty result.
    Source: Martins and Astudillo 2016; Keras 3 `ops.sparse_sigmoid`.

    >>> sparse_sigmoid([-2.0, 0.5, 2.0])
    array([0.  , 0.75, 1.  ], dtype=float32)
    """
    return ops.multiply(ops.add(ops.clip(floating("sparse_sigmoid", x), -1, 1), 1), 0.5)


def sparse_plus(x: TensorLike) -> Array:
    """softplus by a parabola between two straight lines: exactly 0 and x away from the middle.

        y[i] = 0 for x[i] <= -1,  (x[i] + 1)**2 / 4 between,  x[i] for x[i] >= 1

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Martins and Astudillo 2016; Keras 3 `ops.sparse_plus`.

    >>> sparse_plus([-2.0, 0.0, 2.0])
    array([0.  , 0.25, 2.  ], dtype=float32)
    """
    x = floating("sparse_plus", x)
    parabola = ops.multiply(ops.square(ops.add(x, 1)), 0.25)
    return ops.where(ops.less_equal(x, -1), 0.0, ops.where(ops.greater_equal(x, 1), x, parabola))
