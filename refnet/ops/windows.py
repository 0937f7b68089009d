"""Windows that slide over spatial axes: the arguments that convolution and pooling share, and what follows from them."""

from typing import Any

import numpy as np

from refnet.annotations import Shape, TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import shape_of
from refnet.ops.shapes import transpose
from refnet.settings import image_data_format

LARGEST = 2**31 - 1  # of a stride, a dilation, a window: far above any array, far below where addresses overflow


def spatial_rank(op: str, x: TensorLike) -> int:
    """The number of axes between batch and channels. Raises ShapeError unless there are 1, 2 or 3."""
    rank = len(shape_of(x)) - 2
    if rank not in (1, 2, 3):
        raise ShapeError(
            f"{op} needs inputs with a batch axis, 1 to 3 spatial axes and a channel axis; got shape {shape_of(x)}."
        )
    return rank


def for_each_axis(op: str, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """An argument that is an integer or one for each spatial axis. Raises ArgumentError if it is neither, or too small."""
    given = tuple(value) if isinstance(value, (tuple, list)) or is_row(value) else (value,) * rank
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in given)
    if len(given) != rank or not whole:
        wanted = "an integer" if rank == 1 else f"an integer or a tuple of {rank}, one for each spatial axis"
        raise ArgumentError(f"{op}: {name} must be {wanted}; got {value!r}.")
    if any(v < least for v in given):
        raise ArgumentError(f"{op}: {name} must be at least {least}; got {value!r}.")
    if any(v > LARGEST for v in given):
        raise ArgumentError(f"{op}: {name} must be below 2**31; got {value!r}.")
    return tuple(int(v) for v in given)


def is_row(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0


def checked_padding(op: str, padding: Any, known: tuple[str, ...] = ("valid", "same")) -> str:
    """The padding in lower case. Raises ArgumentError for one that is not known."""
    name = padding.lower() if isinstance(padding, str) else padding
    if not isinstance(name, str) or name not in known:
        raise ArgumentError(f"{op}: padding must be {' or '.join(map(repr, known))}; got {padding!r}.")
    return str(name)


def checked_data_format(op: str, data_format: Any) -> str:
    """'channels_last' or 'channels_first'; the default one for None."""
    if data_format is not None and (
        not isinstance(data_format, str) or data_format not in ("channels_last", "channels_first")
    ):
        raise ArgumentError(f"{op}: data_format must be 'channels_last' or 'channels_first'; got {data_format!r}.")
    return data_format or image_data_format()


def channels_last(x: TensorLike, data_format: str) -> TensorLike:
    """x with its channels on the last axis."""
    if data_format == "channels_last":
        return x
    return transpose(x, (0, *range(2, len(shape_of(x))), 1))


def channels_as_given(y: TensorLike, data_format: str) -> TensorLike:
    """A result with channels last, as the caller's data format has it."""
    if data_format == "channels_last":
        return y
    rank = len(shape_of(y))
    return transpose(y, (0, rank - 1, *range(1, rank - 1)))


def reach(size: int, dilation: int) -> int:
    """The places from the first to the last element of a window whose neighbours are `dilation` apart."""
    return (size - 1) * dilation + 1


def windows(extent: int, span: int, stride: int, padding: str) -> int:
    """How many windows of that span fit on an axis; may be below 1 for 'valid'."""
    return (extent - span) // stride + 1 if padding == "valid" else -(-extent // stride)


def places_before(extent: int, span: int, stride: int, padding: str) -> int:
    """How many places outside the array the first window covers: 'same' shares them, and an odd one goes to the end."""
    if padding == "valid":
        return 0
    if padding == "causal":
        return span - 1
    return max((windows(extent, span, stride, padding) - 1) * stride + span - extent, 0) // 2


def extents_of_windows(
    op: str, extents: Shape, sizes: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...], padding: str
) -> Shape:
    """The number of windows along each spatial axis, None where the axis is open. Raises ShapeError where none fits."""
    spans = [reach(size, step) for size, step in zip(sizes, dilation)]
    result = [None if n is None else windows(n, span, step, padding) for n, span, step in zip(extents, spans, strides)]
    if padding == "valid" and any(n is not None and n < 1 for n in result):
        dilated = f" ({tuple(spans)} with dilation {dilation})" if tuple(spans) != sizes else ""
        raise ShapeError(
            f"{op}: a window of {sizes}{dilated} does not fit into spatial axes of {tuple(extents)}. "
            "Use padding='same', a smaller window or larger inputs."
        )
    return tuple(result)
