"""Transposed convolution: the convolution's gradient with respect to its inputs, used as an op of its own."""

from typing import Any

from refnet.annotations import Array, TensorLike
from refnet.errors import ShapeError
from refnet.ops.arguments import shape_of
from refnet.ops.convolution import inputs_gradient_op, operands
from refnet.ops.windows import (
    channels_as_given,
    channels_last,
    checked_data_format,
    checked_padding,
    for_each_axis,
    reach,
    spatial_rank,
)


def conv_transpose(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """Each input element lays the kernel, times its value, on the output, `strides` places after its neighbour's.

        y[n, i*s0 + p*d0 - top, j*s1 + q*d1 - left, f] = sum of  x[n, i, j, c] * kernel[p, q, f, c]

    over all i, j, p, q, c that give the same place. With D = (kernel size - 1) * d + 1 places under the kernel, the output is

        valid: (size - 1) * s + max(D, s),      or (size - 1) * s + D + output_padding
        same:  size * s,                        or (size - 1) * s + D % 2 + output_padding

    places long, and `top` is 0 for "valid"; for "same" D - 1 less the larger half of s + D - 2, or, with output_padding, of
    D + D % 2 - 2 + output_padding, but not below 0.

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; any dtype but bool.
        kernel: (..., filters, channels): the last two axes the other way round than in `conv`.
        strides: one integer, or one for each spatial axis.
        padding: "valid" or "same".
        output_padding: see above; None, or one integer, not below 0, or one for each spatial axis.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        dilation_rate: places from one kernel element to the next.
    Returns:
        (batch, ..., filters), or with the filters second; the promoted dtype. 0 where no kernel element falls.
    NaN: spreads wherever the kernel lies. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: ranks or channels that do not fit, no kernel element.
        ArgumentError: strides or dilation below 1, output_padding below 0, unknown padding or data format.
        DtypeError: bool.
    Source: Dumoulin and Visin 2016, section 4; Keras 3 `ops.conv_transpose`.

    >>> conv_transpose(np.array([1.0, 2.0]).reshape(1, 2, 1), np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1), 2)[0, :, 0]
    array([  1.,  10., 102.,  20., 200.])
    """
    op = "conv_transpose"
    x, kernel = operands(op, inputs, kernel)
    rank = spatial_rank(op, x)
    steps = for_each_axis(op, "strides", strides, rank)
    dilation = for_each_axis(op, "dilation_rate", dilation_rate, rank)
    padding, data_format = checked_padding(op, padding), checked_data_format(op, data_format)
    given = (
        [None] * rank if output_padding is None else for_each_axis(op, "output_padding", output_padding, rank, least=0)
    )
    x = channels_last(x, data_format)
    channels, shape = shape_of(x)[-1], shape_of(kernel)
    if len(shape) != rank + 2 or None in shape or 0 in shape or shape[-1] != channels:
        raise ShapeError(
            f"{op} needs a kernel of {rank + 2} known axes (spatial, filters, channels), none empty, "
            f"with the inputs' {channels} channels on the last; got shape {shape}."
        )
    spans = [reach(size, step) for size, step in zip(shape[:-2], dilation)]
    y = inputs_gradient_op(
        x,
        kernel,
        groups=1,
        strides=steps,
        dilation=dilation,
        padding=tuple(cut_before(span, step, padding, more) for span, step, more in zip(spans, steps, given)),
        tails=tuple(tail(span, step, padding, more) for span, step, more in zip(spans, steps, given)),
        caller=op,
    )
    return channels_as_given(y, data_format)


def tail(span: int, stride: int, padding: str, more: int | None) -> int:
    """The places of the output from that of the last input element on."""
    if padding == "valid":
        return max(span, stride) if more is None else span + more
    return stride if more is None else span % 2 + more


def cut_before(span: int, stride: int, padding: str, more: int | None) -> int:
    """The places that 'same' cuts off at the start: of all that is kept around, the larger half goes there."""
    if padding == "valid":
        return 0
    kept = stride + span - 2 if more is None else span + span % 2 - 2 + more
    return max(span - 1 - (kept + 1) // 2, 0)
