"""Normalizations written with others: by groups of channels, by the root mean square, by a norm."""

from collections.abc import Sequence

from refnet import ops, settings
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.ops.arguments import as_dtype, checked_axis, dtype_of, floating, integer, number, shape_of
from refnet.ops.normalization import checked_epsilon, parameter, per_channel, spread
from refnet.ops.row_normalization import layer_normalization_op
from refnet.ops.statistics import wide_enough


def group_normalization(
    x: TensorLike,
    groups: int = 32,
    gamma: TensorLike = None,
    beta: TensorLike = None,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> Array:
    """Each sample's channels normalized in groups, each group by its mean and variance over its channels and all places.

        y[n, g, k] = (x[n, g, k] - mean[n, g]) / sqrt(variance[n, g] + epsilon) * gamma[c] + beta[c],   c the channel of g, k

    Args:
        x: (batch, ...) with an axis of channels; integers and bools take the default floating dtype.
        groups: how many groups of neighbouring channels; -1 for one for each channel.
        gamma, beta: one number for each channel; None for 1 and 0.
        axis: where the channels are; not the first axis.
        epsilon: keeps the root away from 0; at least 0.
    Returns:
        x's shape and dtype. float16 and bfloat16 are computed in float32.
    NaN: a group with NaN or an infinity is all NaN. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have, or the first; epsilon below 0.
        ShapeError: channels that do not divide into the groups, or whose number is open; not one number for each channel.
    Source: Wu and He 2018; Keras 3 `GroupNormalization`.

    >>> group_normalization([[1.0, 3.0, 5.0, 9.0]], groups=2, epsilon=0.0)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """
    return in_groups("group_normalization", x, groups, gamma, beta, axis, epsilon)


def instance_normalization(
    x: TensorLike, gamma: TensorLike = None, beta: TensorLike = None, axis: int = -1, epsilon: float = 1e-3
) -> Array:
    """Each channel of each sample normalized by its mean and variance over all places: a group for each channel.

        y[n, c, k] = (x[n, c, k] - mean[n, c]) / sqrt(variance[n, c] + epsilon) * gamma[c] + beta[c]

    Args, Returns, NaN, Empty, Raises: as for `group_normalization`.
    Source: Ulyanov et al. 2016.

    >>> instance_normalization([[[1.0, 10.0], [3.0, 30.0]]], epsilon=0.0)
    array([[[-1., -1.],
            [ 1.,  1.]]], dtype=float32)
    """
    return in_groups("instance_normalization", x, -1, gamma, beta, axis, epsilon)


def in_groups(
    name: str, x: TensorLike, groups: int, gamma: TensorLike, beta: TensorLike, axis: int, epsilon: float
) -> TensorLike:
    x = floating(name, x)
    checked_epsilon(name, epsilon)
    rank, channel_axis = len(shape_of(x)), checked_axis(name, axis, len(shape_of(x)))
    if channel_axis == 0:
        raise ArgumentError(f"{name}: axis 0 holds the samples; the channels need another. x has shape {shape_of(x)}.")
    channels = shape_of(x)[channel_axis]
    groups = integer(name, groups, "groups")
    groups = channels if groups == -1 else groups
    if channels is None or groups < 1 or channels % groups:
        raise ShapeError(
            f"{name} needs channels that divide into equal groups; got {channels} channels "
            f"(axis {channel_axis} of shape {shape_of(x)}) and groups = {groups}."
        )
    wide = wide_enough(x)
    order = [0, channel_axis, *(a for a in range(1, rank) if a != channel_axis)]
    moved = ops.transpose(wide, order)
    inner = (channels // groups, *ops.shape(moved)[2:])
    rows = ops.reshape(moved, (ops.shape(x)[0], groups, *inner))
    ones, zeros = ops.ones(inner, dtype_of(wide)), ops.zeros(inner, dtype_of(wide))
    y = layer_normalization_op(rows, ones, zeros, count=len(inner), epsilon=float(epsilon))[0]
    y = ops.transpose(ops.reshape(y, ops.shape(moved)), [order.index(a) for a in range(rank)])
    for argument, v, combine in (("gamma", gamma, ops.multiply), ("beta", beta, ops.add)):
        if v is not None:
            v = parameter(name, v, wide, argument)
            per_channel(name, x, channel_axis, **{argument: v})
            y = combine(y, spread(v, x, channel_axis))
    return as_dtype(y, dtype_of(x))


@called_as("rms_normalization", "multiply")
def rms_normalization(
    x: TensorLike, scale: TensorLike = None, axis: int | Sequence[int] = -1, epsilon: float | None = None
) -> Array:
    """x divided by its root mean square along axes.

        y[n, f] = x[n, f] / sqrt((sum over k of  x[n, k]**2) / F + epsilon) * scale[f]

    Args:
        x: an array or tensor; integers and bools take the default floating dtype.
        scale: what the result is multiplied by; it broadcasts against x from the last axis; None for 1.
        axis: the axis, or several.
        epsilon: keeps the root away from 0; at least 0; `config.epsilon()` if None.
    Returns:
        x's shape and dtype. float16 and bfloat16 are computed in float32.
    NaN: a row with NaN is all NaN, one with an infinity NaN there and 0 elsewhere. Empty: an empty result.
    Raises:
        ArgumentError: an axis that x does not have, or twice; epsilon below 0.  ShapeError: a scale that does not broadcast.
    Source: Zhang and Sennrich 2019; Keras 3 `ops.rms_normalization`.

    >>> rms_normalization([3.0, 4.0, 0.0, 0.0], epsilon=0.0)
    array([1.2, 1.6, 0. , 0. ], dtype=float32)
    """
    name = "rms_normalization"
    x = with_axes(floating(name, x))
    epsilon = settings.epsilon() if epsilon is None else epsilon
    checked_epsilon(name, epsilon)
    wide = wide_enough(x)
    inverse = ops.rsqrt(ops.add(ops.mean(ops.square(wide), axis, keepdims=True), epsilon))
    y = ops.multiply(wide, inverse)
    if scale is not None:
        y = ops.multiply(y, parameter(name, scale, wide, "scale"))
        if len(shape_of(y)) != len(shape_of(x)):
            raise ShapeError(f"{name}: scale must broadcast to x's shape {shape_of(x)}; got {shape_of(scale)}.")
    return as_dtype(y, dtype_of(x))


@called_as("normalize", "sum")
def normalize(x: TensorLike, axis: int | Sequence[int] = -1, order: int = 2, epsilon: float | None = None) -> Array:
    """x divided by its norm along axes.

        y[n, f] = x[n, f] / max((sum over k of  |x[n, k]|**order)**(1 / order), epsilon)

    Args:
        x: an array or tensor; integers and bools take the default floating dtype.
        axis: the axis, or several; their elements count as one vector.
        order: of the norm, a whole number from 1.
        epsilon: the least that is divided by, above 0; `config.epsilon()` if None.
    Returns:
        x's shape and dtype. float16 and bfloat16 are computed in float32.
    NaN: a vector with NaN is all NaN; infinities give NaN. Empty: an empty result. A vector of zeros stays, and the gradient there is 1 / epsilon.
    Raises:
        ArgumentError: an axis that x does not have, or twice; an order that is no whole number from 1; epsilon not above 0.
    Source: Keras 3 `ops.normalize`. Several axes with an order other than 2 are a matrix norm there.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    name = "normalize"
    x = with_axes(floating(name, x))
    epsilon = settings.epsilon() if epsilon is None else number(name, epsilon, "epsilon")
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ArgumentError(f"{name}: order must be a whole number from 1; got {order!r}.")
    if not epsilon > 0:
        raise ArgumentError(f"{name}: epsilon must be above 0; got {epsilon}.")
    wide = wide_enough(x)
    if order == 2:  # bounded below before the root is taken: its slope at 0 is infinite
        length = ops.sqrt(ops.maximum(ops.sum(ops.square(wide), axis, keepdims=True), epsilon * epsilon))
    else:  # the largest element is taken out first, so that no power overflows, or underflows where it counts
        size = ops.abs(wide)
        largest = ops.stop_gradient(ops.max(size, axis, keepdims=True, initial=epsilon))
        total = ops.sum(ops.power(ops.divide(size, largest), order), axis, keepdims=True)
        total = ops.maximum(total, ops.power(ops.divide(epsilon, largest), order))
        length = ops.multiply(largest, ops.power(total, 1 / order))
    return as_dtype(ops.divide(wide, length), dtype_of(x))


def with_axes(x: TensorLike) -> TensorLike:
    """A single number as a vector of one, as Keras has it."""
    return x if len(shape_of(x)) else ops.expand_dims(x, 0)
