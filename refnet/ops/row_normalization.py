"""Layer normalization: each row brought to mean 0 and variance 1 over its features."""

from collections.abc import Sequence

from refnet import ops, settings
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, SpecLike, View, size_of
from refnet.errors import ArgumentError, ShapeError
from refnet.gradients import differentiated
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, checked_axes, dtype_of, floating, number, shape_of
from refnet.ops.loss import compatible, joined
from refnet.ops.normalization import checked_epsilon, parameter, through_moments
from refnet.ops.statistics import wide_enough
from refnet.scalars import divide, sqrt


def layer_normalization(
    x: TensorLike,
    gamma: TensorLike = None,
    beta: TensorLike = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Array:
    """Each row of x normalized by its own mean and variance.

        mean[n]     = sum over f of  x[n, f] / F
        variance[n] = sum over f of  (x[n, f] - mean[n])**2 / F
        y[n, f]     = (x[n, f] - mean[n]) / sqrt(variance[n] + epsilon) * gamma[f] + beta[f]

    Args:
        x: an array or tensor with axes; integers and bools take the default floating dtype.
        gamma, beta: one number for each feature, in the shape of the axes; None for 1 and 0.
        axis: the axis of the features, or several, which together are a row.
        epsilon: keeps the root away from 0; at least 0; `config.epsilon()` if None.
    Returns:
        x's shape and dtype. float16 and bfloat16 are computed in float32.
    NaN: a row with NaN or an infinity is all NaN. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have, or twice; epsilon below 0.  ShapeError: not one number for each feature.
    Source: Ba et al. 2016; Keras 3 `ops.layer_normalization`, without its deprecated `rms_scaling`.

    >>> layer_normalization([[1.0, 3.0], [8.0, 4.0]], gamma=[1.0, 2.0], beta=[0.0, 10.0], epsilon=0.0)
    array([[-1., 12.],
           [ 1.,  8.]], dtype=float32)
    """
    name = "layer_normalization"
    x = floating(name, x)
    epsilon = settings.epsilon() if epsilon is None else epsilon
    checked_epsilon(name, epsilon)
    wide, rank = wide_enough(x), len(shape_of(x))
    axes = checked_axes(name, axis, rank)
    if not axes:
        raise ArgumentError(f"{name} needs at least one axis of features; got axis {axis} for shape {shape_of(x)}.")
    order = [a for a in range(rank) if a not in axes] + list(axes)
    moved = wide if order == list(range(rank)) else ops.transpose(wide, order)
    features = ops.shape(moved)[rank - len(axes) :]
    gamma = ops.ones(features, dtype_of(wide)) if gamma is None else parameter(name, gamma, wide, "gamma")
    beta = ops.zeros(features, dtype_of(wide)) if beta is None else parameter(name, beta, wide, "beta")
    y = layer_normalization_op(
        moved, gamma, beta, count=len(axes), epsilon=number("layer_normalization", epsilon, "epsilon")
    )[0]
    if moved is not wide:
        y = ops.transpose(y, [order.index(a) for a in range(rank)])
    return as_dtype(y, dtype_of(x))


def layer_normalization_rule(x: Spec, gamma: Spec, beta: Spec, *, count: int, epsilon: float) -> tuple[Spec, ...]:
    features = tuple(x.shape[len(x.shape) - count :])
    for argument, v in (("gamma", gamma), ("beta", beta)):
        if not compatible(v.shape, features):
            raise ShapeError(
                f"layer_normalization needs one number of {argument} for each feature; for rows of shape {features} "
                f"that is shape {features}; got {argument} of shape {tuple(v.shape)}."
            )
    row = Spec(tuple(x.shape[: len(x.shape) - count]), x.dtype)
    return Spec(tuple(x.shape), x.dtype), row, row


def row_views(x: SpecLike, count: int) -> tuple[View, View, View]:
    """x as (row, feature), a vector of rows and one of features."""
    cut = len(x.shape) - count
    rows, features = size_of(x.shape[:cut]), size_of(x.shape[cut:])
    return View((rows, features)), View((rows,)), View((features,))


def layer_normalization_form(x: Spec, gamma: Spec, beta: Spec, *, count: int, epsilon: float) -> Form:
    whole, rows, features = row_views(x, count)
    cost = 8 * whole.shape[1] + 8
    return Form((whole, features, features), (epsilon,), (whole, rows, rows), rows.shape, cost)


def layer_normalization_gradient_form(dy: Spec, x: Spec, *others: Spec, count: int, epsilon: float) -> Form:
    whole, rows, features = row_views(x, count)
    cost = 10 * whole.shape[1] + 8
    return Form((whole, whole, rows, rows, features), (epsilon,), (whole,), rows.shape, cost)


def row_mean(x: Array, n: int) -> Number:
    total = 0
    for f in range(x.shape[1]):
        total += x[n, f]
    return divide(total, x.shape[1])


def row_variance(x: Array, n: int, mean: Number) -> Number:
    total = 0
    for f in range(x.shape[1]):
        distance = x[n, f] - mean
        total += distance * distance
    return divide(total, x.shape[1])


def layer_normalization_loop(
    tasks: Tasks, x: Array, gamma: Array, beta: Array, epsilon: float, y: Array, mean: Array, variance: Array
) -> None:
    for (n,) in tasks:
        center = row_mean(x, n)
        square = row_variance(x, n, center)
        root = sqrt(square + epsilon)
        for f in range(x.shape[1]):
            y[n, f] = divide(x[n, f] - center, root) * gamma[f] + beta[f]
        mean[n] = center
        variance[n] = square


def layer_normalization_gradient_loop(
    tasks: Tasks, dy: Array, x: Array, mean: Array, variance: Array, gamma: Array, epsilon: float, dx: Array
) -> None:
    count = x.shape[1]
    for (n,) in tasks:
        root = sqrt(variance[n] + epsilon)
        total = 0
        product = 0
        for f in range(x.shape[1]):
            total += dy[n, f] * gamma[f]
            product += dy[n, f] * gamma[f] * divide(x[n, f] - mean[n], root)
        for f in range(x.shape[1]):
            normal = divide(x[n, f] - mean[n], root)
            through = dy[n, f] * gamma[f] - divide(total, count) - normal * divide(product, count)
            dx[n, f] = divide(through, root)


def layer_normalization_gradient(
    node: Node, dy: TensorLike, dmean: TensorLike, dvariance: TensorLike
) -> list[TensorLike]:
    (x, gamma, _), (_, mean, variance), count = node.inputs, node.outputs, node.attributes["count"]
    rank = len(shape_of(x))
    rows, features = tuple(range(rank - count)), tuple(range(rank - count, rank))
    dx = dgamma = dbeta = None
    if dy is not None:
        dx = layer_normalization_gradient_op(dy, x, mean, variance, gamma, **node.attributes)
        root = ops.sqrt(ops.add(ops.expand_dims(variance, features), node.attributes["epsilon"]))
        normal = ops.divide(ops.subtract(x, ops.expand_dims(mean, features)), root)
        dgamma, dbeta = ops.sum(ops.multiply(dy, normal), rows), ops.sum(dy, rows)
    through = through_moments(x, ops.expand_dims(mean, features), features, dmean, dvariance)
    return [joined(dx, through), dgamma, dbeta]


def layer_normalization_gradient_composite(
    dy: TensorLike, x: TensorLike, mean: TensorLike, variance: TensorLike, gamma: TensorLike, count: int, epsilon: float
) -> list[TensorLike]:
    """What the gradient's loop computes, written with ops: to be differentiated."""
    features = tuple(range(len(shape_of(x)) - count, len(shape_of(x))))
    root = ops.sqrt(ops.add(ops.expand_dims(variance, features), epsilon))
    normal = ops.divide(ops.subtract(x, ops.expand_dims(mean, features)), root)
    above = ops.multiply(dy, gamma)
    product = ops.mean(ops.multiply(above, normal), features, keepdims=True)
    common = ops.add(ops.mean(above, features, keepdims=True), ops.multiply(normal, product))
    return [ops.divide(ops.subtract(above, common), root)]


layer_normalization_gradient_op = Op(
    "layer_normalization_gradient",
    lambda dy, x, mean, variance, gamma, *, count, epsilon: Spec(tuple(x.shape), x.dtype),
    loop=layer_normalization_gradient_loop,
    form=layer_normalization_gradient_form,
    gradient=lambda node, *ds: differentiated(layer_normalization_gradient_composite, node, ds),
)
layer_normalization_op = Op(
    "layer_normalization",
    layer_normalization_rule,
    loop=layer_normalization_loop,
    form=layer_normalization_form,
    gradient=layer_normalization_gradient,
)
