"""Activations: what stands between layers, element by element, and softmax, along lanes."""

from math import pi
from math import sqrt as root

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError
from refnet.graph import Node
from refnet.ops.arguments import checked_axes, checked_axis, converted, dtype_of, flag, floating, shape_of
from refnet.ops.elementwise import elementwise
from refnet.scalars import exp, log, log1p

# ---- relu and sigmoid


def relu(x: TensorLike) -> Array:
    """What is above zero; zero elsewhere.

        y[i] = max(x[i], 0)

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape and dtype. -0.0 gives 0.
    Ties: the gradient at 0 is 0.
    NaN: stays; its gradient is 0. Empty: an empty result.
    Source: Chollet 2.3.1; Keras 3 `ops.relu`.

    >>> relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.], dtype=float32)
    """
    x = converted("relu", x)
    if dtype_of(x) in dtypes.UNSIGNED + dtypes.BOOLEAN:
        return ops.unary.same(x)
    return relu_op(x)


def relu_scalar(x: Number) -> Number:
    return 0 if x <= 0 else x


def relu_gradient_scalar(dy: Number, y: Number) -> Number:
    return dy if y > 0 else 0


relu_gradient_op: Op = elementwise(
    "relu_gradient", relu_gradient_scalar, lambda d, dx, dy, y: relu_gradient_op(d, y), None
)
relu_op = elementwise("relu", relu_scalar, lambda dy, y, x: relu_gradient_op(dy, y))


def sigmoid(x: TensorLike) -> Array:
    """The logistic function.

        y[i] = 1 / (1 + e**-x[i])

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype, between 0 and 1; the limits at -inf and inf.
    NaN: stays. Empty: an empty result.
    Source: Chollet 3.4.3; Keras 3 `ops.sigmoid`.

    >>> sigmoid([0.0, 2.0, -1000.0])
    array([0.5      , 0.8807971, 0.       ], dtype=float32)
    """
    return sigmoid_op(floating("sigmoid", x))


def sigmoid_scalar(x: Number) -> Number:
    small = exp(-x if x >= 0 else x)  # e**-|x| never overflows
    return (1 if x >= 0 else small) / (1 + small)


sigmoid_op = elementwise(
    "sigmoid", sigmoid_scalar, lambda dy, y, x: ops.multiply(dy, ops.multiply(y, ops.subtract(1, y)))
)


def softplus(x: TensorLike) -> Array:
    """A smooth relu.

        y[i] = ln(1 + e**x[i]), computed as max(x[i], 0) + log1p(e**-|x[i]|)

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype; 0 at -inf, inf at inf.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.softplus`.

    >>> softplus([0.0, 1000.0])
    array([6.931472e-01, 1.000000e+03], dtype=float32)
    """
    return softplus_op(floating("softplus", x))


def softplus_scalar(x: Number) -> Number:
    return (x if x > 0 else 0) + log1p(exp(-x if x > 0 else x))


softplus_op = elementwise("softplus", softplus_scalar, lambda dy, y, x: ops.multiply(dy, sigmoid(x)))


# ---- softmax, along lanes


def softmax(x: TensorLike, axis: TensorLike = -1) -> Array:
    """Exponentials that sum to one along an axis: scores become probabilities.

        y[o, r, i] = e**x[o, r, i] / sum over k of  e**x[o, k, i]

    computed with the lane's largest element taken off first, so that nothing overflows.

    Args:
        x: an array or tensor with axes; integers and bools take the default floating dtype.
        axis: one axis, several (together they are one lane), or None for all.
    Returns:
        x's shape and dtype.
    NaN: a lane with NaN or inf, or of -inf alone, is all NaN. Empty: an empty result.
    Raises:
        ArgumentError: a number without axes, or an axis that x does not have.
    Source: Chollet 3.5.3; Keras 3 `ops.softmax`.

    >>> softmax([[0.0, 0.0], [0.0, 1000.0]])
    array([[0.5, 0.5],
           [0. , 1. ]], dtype=float32)
    """
    return along(softmax_op, "softmax", floating("softmax", x), axis)


def log_softmax(x: TensorLike, axis: TensorLike = -1) -> Array:
    """The logarithm of softmax, exact where softmax itself would round to 0 or 1.

        y[o, r, i] = x[o, r, i] - ln(sum over k of  e**x[o, k, i])

    computed with the lane's largest element taken off first.

    Args:
        x: an array or tensor with axes; integers and bools take the default floating dtype.
        axis: one axis, several (together they are one lane), or None for all.
    Returns:
        x's shape and dtype.
    NaN: a lane with NaN or inf, or of -inf alone, is all NaN. Empty: an empty result.
    Raises:
        ArgumentError: a number without axes, or an axis that x does not have.
    Source: Keras 3 `ops.log_softmax`.

    >>> log_softmax([0.0, 1000.0])
    array([-1000.,     0.], dtype=float32)
    """
    return along(log_softmax_op, "log_softmax", floating("log_softmax", x), axis)


def along(op: Op, name: str, x: TensorLike, axis: TensorLike) -> TensorLike:
    """The op along one axis; several axes are first brought to the end and made one."""
    rank = len(shape_of(x))
    if rank == 0:
        raise ArgumentError(f"{name} needs an array with axes; got a single number.")
    if axis is not None and not isinstance(axis, (tuple, list)):
        return op(x, axis=checked_axis(name, axis, rank))
    axes = checked_axes(name, axis, rank)
    order = [a for a in range(rank) if a not in axes] + list(axes)
    moved = ops.transpose(x, order)
    lanes = ops.reshape(moved, (*ops.shape(moved)[: rank - len(axes)], -1))
    y = ops.reshape(op(lanes, axis=rank - len(axes)), ops.shape(moved))
    return ops.transpose(y, [order.index(a) for a in range(rank)])


def lane_rule(*inputs: Spec, axis: int) -> Spec:
    x = inputs[-1]
    return Spec(tuple(x.shape), x.dtype)


def lane_form(*inputs: Spec, axis: int) -> Form:
    """(outer, lane, inner); one task for each lane."""
    x = inputs[0]
    outer, lane, inner = size_of(x.shape[:axis]), x.shape[axis], size_of(x.shape[axis + 1 :])
    view = View((outer, lane, inner))
    return Form((view,) * len(inputs), (), (view,), (outer if lane else 0, inner), cost=4 * lane)


def largest(x: Number, o: int, i: int) -> Number:
    """The largest element of a lane; NaN if there is one."""
    best = x[o, 0, i]
    for r in range(x.shape[1]):
        if x[o, r, i] > best or x[o, r, i] != x[o, r, i]:
            best = x[o, r, i]
    return best


def softmax_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        best = largest(x, o, i)
        total = 0
        for r in range(x.shape[1]):
            total += exp(x[o, r, i] - best)
        for r in range(x.shape[1]):
            y[o, r, i] = exp(x[o, r, i] - best) / total


def softmax_gradient_loop(tasks: Tasks, dy: Array, y: Array, dx: Array) -> None:
    for o, i in tasks:
        total = 0
        for r in range(y.shape[1]):
            total += dy[o, r, i] * y[o, r, i]
        for r in range(y.shape[1]):
            dx[o, r, i] = y[o, r, i] * (dy[o, r, i] - total)


def softmax_gradient_gradient(node: Node, d: TensorLike) -> list[TensorLike]:
    (dy, y), axis = node.inputs, node.attributes["axis"]
    inner = ops.subtract(dy, ops.sum(ops.multiply(dy, y), axis, keepdims=True))
    outer = ops.sum(ops.multiply(d, y), axis, keepdims=True)
    return [softmax_gradient_op(d, y, axis=axis), ops.subtract(ops.multiply(d, inner), ops.multiply(outer, dy))]


softmax_gradient_op = Op(
    "softmax_gradient", lane_rule, loop=softmax_gradient_loop, form=lane_form, gradient=softmax_gradient_gradient
)
softmax_op = Op(
    "softmax",
    lane_rule,
    loop=softmax_loop,
    form=lane_form,
    gradient=lambda node, dy: [softmax_gradient_op(dy, node.outputs[0], **node.attributes)],
)


def log_softmax_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, i in tasks:
        best = largest(x, o, i)
        total = 0
        for r in range(x.shape[1]):
            total += exp(x[o, r, i] - best)
        for r in range(x.shape[1]):
            y[o, r, i] = x[o, r, i] - best - log(total)


def log_softmax_gradient_loop(tasks: Tasks, dy: Array, y: Array, dx: Array) -> None:
    for o, i in tasks:
        total = 0
        for r in range(y.shape[1]):
            total += dy[o, r, i]
        for r in range(y.shape[1]):
            dx[o, r, i] = dy[o, r, i] - exp(y[o, r, i]) * total


def log_softmax_gradient_gradient(node: Node, d: TensorLike) -> list[TensorLike]:
    (dy, y), axis = node.inputs, node.attributes["axis"]
    weighted = ops.multiply(d, ops.exp(y))
    back = ops.subtract(d, ops.sum(weighted, axis, keepdims=True))
    return [back, ops.negative(ops.multiply(weighted, ops.sum(dy, axis, keepdims=True)))]


log_softmax_gradient_op = Op(
    "log_softmax_gradient",
    lane_rule,
    loop=log_softmax_gradient_loop,
    form=lane_form,
    gradient=log_softmax_gradient_gradient,
)
log_softmax_op = Op(
    "log_softmax",
    lane_rule,
    loop=log_softmax_loop,
    form=lane_form,
    gradient=lambda node, dy: [log_softmax_gradient_op(dy, node.outputs[0], **node.attributes)],
)


# ---- composites


def linear(x: TensorLike) -> Array:
    """x as it is.

    Args:
        x: an array, tensor or number of any dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `activations.linear`.

    >>> linear([1.0, -2.0])
    array([ 1., -2.], dtype=float32)
    """
    return ops.unary.same(x)


def elu(x: TensorLike, alpha: float = 1.0) -> Array:
    """x above zero, alpha * (e**x - 1) elsewhere.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        alpha: far below zero the result tends to -alpha.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Clevert et al. 2015; Keras 3 `ops.elu`.

    >>> elu([-1.0, 2.0])
    array([-0.63212055,  2.        ], dtype=float32)
    """
    x = floating("elu", x)
    positive = ops.greater(x, 0)
    # Where x is positive, e**x is not asked: it could overflow, and its gradient with it.
    return ops.where(positive, x, ops.multiply(alpha, ops.expm1(ops.where(positive, 0, x))))


# With which a normal number of mean 0 and variance 1 keeps both.
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu(x: TensorLike) -> Array:
    """scale * elu(x, alpha), with the constants that keep mean 0 and variance 1: scale = 1.0507..., alpha = 1.6732...

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Klambauer et al. 2017; Keras 3 `ops.selu`.

    >>> selu([-1.0, 2.0])
    array([-1.1113307,  2.101402 ], dtype=float32)
    """
    return ops.multiply(SELU_SCALE, elu(x, SELU_ALPHA))


def silu(x: TensorLike) -> Array:
    """x * sigmoid(x), also called swish.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Ramachandran et al. 2017; Keras 3 `ops.silu`.

    >>> silu([0.0, 2.0])
    array([0.       , 1.7615942], dtype=float32)
    """
    x = floating("silu", x)
    return ops.multiply(x, sigmoid(x))


swish = silu


def softsign(x: TensorLike) -> Array:
    """x / (1 + |x|).

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.softsign`.

    >>> softsign([-1.0, 3.0])
    array([-0.5 ,  0.75], dtype=float32)
    """
    x = floating("softsign", x)
    return ops.divide(x, ops.add(1, ops.abs(x)))


def gelu(x: TensorLike, approximate: bool = True) -> Array:
    """x times the probability that a standard normal number lies below x.

        y[i] = x[i] * (1 + erf(x[i] / sqrt(2))) / 2

    approximately: x[i] * (1 + tanh(sqrt(2 / pi) * (x[i] + 0.044715 * x[i]**3))) / 2

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
        approximate: whether to use the second formula.
    Returns:
        x's shape and dtype.
    NaN: stays, and -inf gives NaN. Empty: an empty result.
    Source: Hendrycks and Gimpel 2016; Keras 3 `ops.gelu`.

    >>> gelu([1.0])
    array([0.841192], dtype=float32)
    """
    x = floating("gelu", x)
    if flag("gelu", approximate, "approximate"):
        inner = ops.multiply(root(2 / pi), ops.add(x, ops.multiply(0.044715, ops.multiply(x, ops.square(x)))))
        return ops.multiply(ops.multiply(0.5, x), ops.add(1, ops.tanh(inner)))
    return ops.multiply(ops.multiply(0.5, x), ops.add(1, ops.erf(ops.multiply(x, root(0.5)))))
