"""More smooth activations, and gates."""

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import checked_axis, floating, number, shape_of


def celu(x: TensorLike, alpha: float = 1.0) -> Array:
    """elu whose slope is 1 at zero for every alpha.

        y[i] = x[i] if x[i] > 0 else alpha * (e**(x[i] / alpha) - 1)

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        alpha: a number, not 0.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Raises:
        ArgumentError: alpha of 0.
    Source: Barron 2017; Keras 3 `ops.celu`.

    >>> celu([-1.0, 2.0])
    array([-0.63212055,  2.        ], dtype=float32)
    """
    x, alpha = floating("celu", x), number("celu", alpha, "alpha")
    if alpha == 0:
        raise ArgumentError("celu: alpha must not be 0; for the limit use relu.")
    positive = ops.greater(x, 0)
    below = ops.divide(ops.where(positive, 0, x), alpha)
    return ops.where(positive, x, ops.multiply(alpha, ops.expm1(below)))


def log_sigmoid(x: TensorLike) -> Array:
    """The logarithm of sigmoid, exact where sigmoid itself would round to 0 or 1.

        y[i] = ln(1 / (1 + e**-x[i])) = -softplus(-x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, below 0; the limits at -inf and inf.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.log_sigmoid`.

    >>> log_sigmoid([0.0, -1000.0])
    array([-6.931472e-01, -1.000000e+03], dtype=float32)
    """
    return ops.negative(ops.softplus(ops.negative(floating("log_sigmoid", x))))


def mish(x: TensorLike) -> Array:
    """x * tanh(softplus(x)).

        y[i] = x[i] * tanh(ln(1 + e**x[i]))

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays, and -inf gives NaN. Empty: an empty result.
    Source: Misra 2019; Keras 3 `activations.mish`.

    >>> mish([0.0, 1.0])
    array([0.        , 0.86509836], dtype=float32)
    """
    x = floating("mish", x)
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


def squareplus(x: TensorLike, b: float = 4) -> Array:
    """A smooth relu without exponentials.

        y[i] = (x[i] + sqrt(x[i]**2 + b)) / 2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        b: how far the bend reaches; 0 makes it relu (whose gradient at 0 is NaN here).
    Returns:
        x's shape and dtype.
    NaN: stays, and -inf gives NaN. Empty: an empty result.
    Source: Barron 2021; Keras 3 `ops.squareplus`.

    >>> squareplus([0.0, 1.5])
    array([1., 2.], dtype=float32)
    """
    x = floating("squareplus", x)
    return ops.divide(ops.add(x, ops.sqrt(ops.add(ops.square(x), number("squareplus", b, "b")))), 2)


def tanh_shrink(x: TensorLike) -> Array:
    """x - tanh(x).

        y[i] = x[i] - tanh(x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.tanh_shrink`.

    >>> tanh_shrink([0.0, 1.0])
    array([0.        , 0.23840582], dtype=float32)
    """
    x = floating("tanh_shrink", x)
    return ops.subtract(x, ops.tanh(x))


def glu(x: TensorLike, axis: int = -1) -> Array:
    """One half of x, let through by the other.

        y[o, j, i] = x[o, j, i] * sigmoid(x[o, n/2 + j, i])

    Args:
        x: an array or tensor; integers and bools take the default floating dtype.
        axis: the axis that is halved; its length n must be known and even.
    Returns:
        x's shape with the axis half as long, x's dtype.
    NaN: stays, on either side. Empty: an empty result.
    Raises:
        ShapeError: an odd or open length.  ArgumentError: no such axis.
    Source: Dauphin et al. 2016; Keras 3 `ops.glu`.

    >>> glu([1.0, 2.0, 0.0, 1000.0])
    array([0.5, 2. ], dtype=float32)
    """
    x = floating("glu", x)
    axis = checked_axis("glu", axis, len(shape_of(x)))
    length = shape_of(x)[axis]
    if length is None or length % 2:
        raise ShapeError(f"glu halves axis {axis}, whose length must be even; got shape {tuple(shape_of(x))}.")
    through, gate = ops.split(x, 2, axis)
    return ops.multiply(through, ops.sigmoid(gate))
