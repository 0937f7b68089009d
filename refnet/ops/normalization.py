"""Batch normalization: each channel brought to mean 0 and variance 1, by given moments or by its own over the batch."""

from collections.abc import Sequence

from refnet import ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, SpecLike, View, size_of
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.gradients import differentiated
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, checked_axis, converted, dtype_of, floating, number, shape_of
from refnet.ops.loss import compatible, joined
from refnet.ops.statistics import number_of_elements, wide_enough
from refnet.scalars import divide, sqrt

# ---- batch normalization: (outer, channel, inner)


def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    axis: int,
    offset: TensorLike = None,
    scale: TensorLike = None,
    epsilon: float = 1e-3,
) -> Array:
    """x normalized per channel by a given mean and variance, as batch normalization does outside training.

        y[o, c, i] = (x[o, c, i] - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + offset[c]

    Args:
        x: an array or tensor with axes; integers and bools take the default floating dtype.
        mean, variance: one number for each channel; the gradient reaches them too.
        axis: where the channels are.
        offset, scale: one number for each channel; None for 0 and 1.
        epsilon: keeps the root away from 0; at least 0.
    Returns:
        x's shape and dtype; the others are cast to it. float16 and bfloat16 are computed in float32.
    NaN: stays; so for a variance below -epsilon, and for 0 / 0. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have, epsilon below 0.  ShapeError: not one number for each channel.
    Source: Ioffe and Szegedy 2015; Keras 3 `ops.batch_normalization`.

    >>> batch_normalization([[1.0, 2.0]], mean=[0.0, 2.0], variance=[4.0, 1.0], axis=-1, scale=[6.0, 1.0], epsilon=0.0)
    array([[3., 0.]], dtype=float32)
    """
    name = "batch_normalization"
    x, axis, wide = channelled(name, x, axis, epsilon)
    mean, variance = (parameter(name, v, wide, n) for v, n in ((mean, "mean"), (variance, "variance")))
    offset = ops.zeros_like(mean) if offset is None else parameter(name, offset, wide, "offset")
    scale = ops.ones_like(mean) if scale is None else parameter(name, scale, wide, "scale")
    y = batch_normalization_op(
        wide, mean, variance, offset, scale, axis=axis, epsilon=number("batch_normalization", epsilon, "epsilon")
    )
    return as_dtype(y, dtype_of(x))


def batch_normalization_training(
    x: TensorLike, axis: int, offset: TensorLike = None, scale: TensorLike = None, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    """x normalized per channel by its own mean and variance, as batch normalization does in training; and those two.

        mean[c]     = sum over o, i of  x[o, c, i] / n,   n = the number of pairs o, i
        variance[c] = sum over o, i of  (x[o, c, i] - mean[c])**2 / n
        y[o, c, i]  = (x[o, c, i] - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + offset[c]

    Args:
        x: an array or tensor with axes; integers and bools take the default floating dtype.
        axis: where the channels are; everything else is the batch.
        offset, scale: one number for each channel; None for 0 and 1.
        epsilon: keeps the root away from 0; at least 0.
    Returns:
        (y, mean, variance): y in x's shape and dtype; the others one number for each channel, in float32 where x has 16 bits.
        All three have gradients.
    NaN: a channel with NaN or an infinity is all NaN. Empty: an empty y, and NaN for mean and variance.
    Raises:
        ArgumentError: an axis that x does not have, epsilon below 0.  ShapeError: not one number for each channel.
    Source: Ioffe and Szegedy 2015; the variance is the biased one, as in Keras 3 `BatchNormalization`.

    >>> y, mean, variance = batch_normalization_training([[1.0], [3.0]], axis=-1, epsilon=0.0)
    >>> y, mean, variance
    (array([[-1.],
           [ 1.]], dtype=float32), array([2.], dtype=float32), array([1.], dtype=float32))
    """
    name = "batch_normalization_training"
    x, axis, wide = channelled(name, x, axis, epsilon)
    channels = (ops.shape(x)[axis],)
    offset = ops.zeros(channels, dtype_of(wide)) if offset is None else parameter(name, offset, wide, "offset")
    scale = ops.ones(channels, dtype_of(wide)) if scale is None else parameter(name, scale, wide, "scale")
    y, mean, variance = batch_normalization_training_op(
        wide, offset, scale, axis=axis, epsilon=number("batch_normalization_training", epsilon, "epsilon")
    )
    return as_dtype(y, dtype_of(x)), mean, variance


@called_as("batch_normalization", "subtract", "multiply", "add", "divide")
def normalized_by(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike = None,
    scale: TensorLike = None,
    epsilon: float = 1e-3,
) -> TensorLike:
    """`batch_normalization` by moments, offset and scale that are spread over x as they are, whatever axes they have.

    >>> normalized_by([[1.0, 2.0]], mean=[[0.0], [2.0]], variance=[[1.0], [4.0]], epsilon=0.0)
    array([[ 1. ,  2. ],
           [-0.5,  0. ]], dtype=float32)
    """
    name = "batch_normalization"
    x = floating(name, x)
    checked_epsilon(name, epsilon)
    wide = wide_enough(x)
    root = ops.sqrt(ops.add(parameter(name, variance, wide, "variance"), epsilon))
    y = ops.divide(ops.subtract(wide, parameter(name, mean, wide, "mean")), root)
    if scale is not None:
        y = ops.multiply(y, parameter(name, scale, wide, "scale"))
    if offset is not None:
        y = ops.add(y, parameter(name, offset, wide, "offset"))
    return as_dtype(y, dtype_of(x))


def channelled(name: str, x: TensorLike, axis: int, epsilon: float) -> tuple[TensorLike, int, TensorLike]:
    """x as floats, its channel axis counted from the front, and x in the dtype that is computed in."""
    x = floating(name, x)
    checked_epsilon(name, epsilon)
    return x, checked_axis(name, axis, len(shape_of(x))), wide_enough(x)


def checked_epsilon(name: str, epsilon: float) -> None:
    if not number(name, epsilon, "epsilon") >= 0:
        raise ArgumentError(f"{name}: epsilon must be at least 0; got {epsilon}.")


def parameter(name: str, v: TensorLike, x: TensorLike, argument: str) -> TensorLike:
    """v in x's dtype."""
    return as_dtype(converted(name, v, argument), dtype_of(x))


def per_channel(name: str, x: SpecLike, axis: int, **vectors: SpecLike) -> None:
    """Raises ShapeError unless each vector has one number for each channel of x."""
    for argument, v in vectors.items():
        if not compatible(v.shape, (x.shape[axis],)):
            raise ShapeError(
                f"{name} needs one number of {argument} for each of the {x.shape[axis]} channels "
                f"(axis {axis} of x, which has shape {tuple(x.shape)}); got {argument} of shape {tuple(v.shape)}."
            )


def batch_normalization_rule(
    x: Spec, mean: Spec, variance: Spec, offset: Spec, scale: Spec, *, axis: int, epsilon: float
) -> Spec:
    per_channel("batch_normalization", x, axis, mean=mean, variance=variance, offset=offset, scale=scale)
    return Spec(tuple(x.shape), x.dtype)


def channel_views(x: SpecLike, axis: int) -> tuple[View, View]:
    """x as (outer, channel, inner), and a vector of channels."""
    return View((size_of(x.shape[:axis]), x.shape[axis], size_of(x.shape[axis + 1 :]))), View((x.shape[axis],))


def batch_normalization_form(x: Spec, *vectors: Spec, axis: int, epsilon: float) -> Form:
    """One task for each outer place and channel."""
    whole, vector = channel_views(x, axis)
    return Form((whole, *[vector] * 4), (epsilon,), (whole,), whole.shape[:2], cost=4 * whole.shape[2] + 8)


def batch_normalization_loop(
    tasks: Tasks,
    x: Array,
    mean: Array,
    variance: Array,
    offset: Array,
    scale: Array,
    epsilon: float,
    y: Array,
) -> None:
    for o, c in tasks:
        root = sqrt(variance[c] + epsilon)
        for i in range(x.shape[2]):
            y[o, c, i] = divide(x[o, c, i] - mean[c], root) * scale[c] + offset[c]


def batch_normalization_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    (x, mean, variance, _, scale), axis, epsilon = node.inputs, node.attributes["axis"], node.attributes["epsilon"]
    axes = other_axes(x, axis)
    root = ops.sqrt(ops.add(variance, epsilon))
    slope = ops.divide(scale, root)
    doffset = ops.sum(dy, axes)
    dscale = ops.sum(ops.multiply(dy, standardized(x, mean, root, axis)), axes)
    dvariance = ops.divide(ops.multiply(ops.multiply(-0.5, dscale), slope), root)
    dx = ops.multiply(dy, spread(slope, x, axis))
    return [dx, ops.negative(ops.multiply(doffset, slope)), dvariance, doffset, dscale]


def other_axes(x: TensorLike, axis: int) -> tuple[int, ...]:
    return tuple(a for a in range(len(shape_of(x))) if a != axis)


def spread(v: TensorLike, x: TensorLike, axis: int) -> TensorLike:
    """A vector of channels, broadcast to x's rank."""
    return ops.expand_dims(v, other_axes(x, axis))


def standardized(x: TensorLike, mean: TensorLike, root: TensorLike, axis: int) -> TensorLike:
    return ops.divide(ops.subtract(x, spread(mean, x, axis)), spread(root, x, axis))


batch_normalization_op = Op(
    "batch_normalization",
    batch_normalization_rule,
    loop=batch_normalization_loop,
    form=batch_normalization_form,
    gradient=batch_normalization_gradient,
)


# ---- batch normalization in training: one task for each channel, which goes over the batch twice for mean and variance


def channel_mean(x: Array, c: int) -> Number:
    total = 0
    for o in range(x.shape[0]):
        for i in range(x.shape[2]):
            total += x[o, c, i]
    return divide(total, x.shape[0] * x.shape[2])


def channel_variance(x: Array, c: int, mean: Number) -> Number:
    total = 0
    for o in range(x.shape[0]):
        for i in range(x.shape[2]):
            distance = x[o, c, i] - mean
            total += distance * distance
    return divide(total, x.shape[0] * x.shape[2])


def batch_normalization_training_loop(
    tasks: Tasks, x: Array, offset: Array, scale: Array, epsilon: float, y: Array, mean: Array, variance: Array
) -> None:
    for (c,) in tasks:
        center = channel_mean(x, c)
        square = channel_variance(x, c, center)
        root = sqrt(square + epsilon)
        for o in range(x.shape[0]):
            for i in range(x.shape[2]):
                y[o, c, i] = divide(x[o, c, i] - center, root) * scale[c] + offset[c]
        mean[c] = center
        variance[c] = square


def batch_normalization_training_gradient_loop(
    tasks: Tasks,
    dy: Array,
    x: Array,
    mean: Array,
    variance: Array,
    scale: Array,
    epsilon: float,
    dx: Array,
    doffset: Array,
    dscale: Array,
) -> None:
    # Every element moves the mean and the variance too: what flows back through those is the same for the whole channel.
    count = x.shape[0] * x.shape[2]
    for (c,) in tasks:
        root = sqrt(variance[c] + epsilon)
        total = 0
        product = 0
        for o in range(x.shape[0]):
            for i in range(x.shape[2]):
                total += dy[o, c, i]
                product += dy[o, c, i] * divide(x[o, c, i] - mean[c], root)
        for o in range(x.shape[0]):
            for i in range(x.shape[2]):
                normal = divide(x[o, c, i] - mean[c], root)
                through = dy[o, c, i] - divide(total, count) - normal * divide(product, count)
                dx[o, c, i] = through * divide(scale[c], root)
        doffset[c] = total
        dscale[c] = product


def batch_normalization_training_rule(
    x: Spec, offset: Spec, scale: Spec, *, axis: int, epsilon: float
) -> tuple[Spec, ...]:
    per_channel("batch_normalization_training", x, axis, offset=offset, scale=scale)
    vector = Spec((x.shape[axis],), x.dtype)
    return Spec(tuple(x.shape), x.dtype), vector, vector


def batch_normalization_training_form(x: Spec, offset: Spec, scale: Spec, *, axis: int, epsilon: float) -> Form:
    whole, vector = channel_views(x, axis)
    cost = 8 * whole.shape[0] * whole.shape[2] + 8
    return Form((whole, vector, vector), (epsilon,), (whole, vector, vector), vector.shape, cost)


def batch_normalization_training_gradient_form(dy: Spec, x: Spec, *vectors: Spec, axis: int, epsilon: float) -> Form:
    whole, vector = channel_views(x, axis)
    cost = 10 * whole.shape[0] * whole.shape[2] + 8
    return Form((whole, whole, *[vector] * 3), (epsilon,), (whole, vector, vector), vector.shape, cost)


def batch_normalization_training_gradient(
    node: Node, dy: TensorLike, dmean: TensorLike, dvariance: TensorLike
) -> list[TensorLike]:
    (x, _, scale), (_, mean, variance), axis = node.inputs, node.outputs, node.attributes["axis"]
    dx = doffset = dscale = None
    if dy is not None:
        dx, doffset, dscale = batch_normalization_training_gradient_op(dy, x, mean, variance, scale, **node.attributes)
    axes = other_axes(x, axis)
    dx = joined(dx, through_moments(x, spread(mean, x, axis), axes, dmean, dvariance))
    return [dx, doffset, dscale]


def through_moments(
    x: TensorLike, mean: TensorLike, axes: Sequence[int], dmean: TensorLike, dvariance: TensorLike
) -> TensorLike:
    """x's gradient from those of its mean and variance along axes; None if there are none."""
    dx, count = None, number_of_elements(x, tuple(axes))
    if dmean is not None:
        dx = ops.multiply(ops.expand_dims(ops.divide(dmean, count), axes), ops.ones_like(x))
    if dvariance is not None:
        slope = ops.expand_dims(ops.divide(ops.multiply(2, dvariance), count), axes)
        dx = joined(dx, ops.multiply(slope, ops.subtract(x, mean)))
    return dx


def batch_normalization_training_gradient_composite(
    dy: TensorLike, x: TensorLike, mean: TensorLike, variance: TensorLike, scale: TensorLike, axis: int, epsilon: float
) -> list[TensorLike]:
    """What the gradient's loop computes, written with ops: to be differentiated."""
    axes = other_axes(x, axis)
    count = number_of_elements(x, axes)
    root = ops.sqrt(ops.add(variance, epsilon))
    normal = standardized(x, mean, root, axis)
    doffset, dscale = ops.sum(dy, axes), ops.sum(ops.multiply(dy, normal), axes)
    common = ops.add(spread(doffset, x, axis), ops.multiply(normal, spread(dscale, x, axis)))
    through = ops.subtract(dy, ops.divide(common, count))
    return [ops.multiply(through, spread(ops.divide(scale, root), x, axis)), doffset, dscale]


batch_normalization_training_gradient_op = Op(
    "batch_normalization_training_gradient",
    lambda dy, x, mean, variance, scale, *, axis, epsilon: batch_normalization_training_rule(
        x, mean, scale, axis=axis, epsilon=epsilon
    ),
    loop=batch_normalization_training_gradient_loop,
    form=batch_normalization_training_gradient_form,
    axis_of=1,
    gradient=lambda node, *ds: differentiated(batch_normalization_training_gradient_composite, node, ds),
)
batch_normalization_training_op = Op(
    "batch_normalization_training",
    batch_normalization_training_rule,
    loop=batch_normalization_training_loop,
    form=batch_normalization_training_form,
    gradient=batch_normalization_training_gradient,
)
