"""Resizing: images read at evenly spaced points between their pixels, one axis after the other."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.graph import Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, shape_of
from refnet.ops.interpolation import KERNELS, scaled_along
from refnet.ops.windows import checked_data_format
from refnet.scalars import floor, truncate

METHODS = ("nearest", "bilinear", "bicubic")  # of two to four pixels, whatever the sizes
LANCZOS = ("lanczos3", "lanczos5")


def channels_last(op: str, data_format: str | None) -> bool:
    """Whether the data format is "channels_last", or None where that is the default. Raises ArgumentError for an unknown one."""
    return checked_data_format(op, data_format) == "channels_last"


def image_axes(op: str, images: TensorLike, data_format: str | None) -> tuple[int, int, int]:
    """The axes of height, width and channels. Raises ShapeError unless there are three or four axes."""
    rank = len(shape_of(images))
    if rank not in (3, 4):
        raise ShapeError(
            f"{op} takes one image (three axes) or a batch of them (four); got shape {tuple(shape_of(images))}."
        )
    first = rank - 3
    return (first, first + 1, first + 2) if channels_last(op, data_format) else (first + 1, first + 2, first)


def resize(
    images: TensorLike,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> TensorLike:
    """Images of another size.

        y[j] = sum over r of  k(p_j - r) * x[r] / sum over r of  k(p_j - r),   p_j = (j + 1/2) * n / m - 1/2

    along height, then width, from n to m pixels. k(t) is max(1 - |t|, 0) (bilinear), Keys's cubic with a = -1/2 (bicubic), or a
    sinc windowed by a sinc of 3 or 5 pixels; "nearest" takes x[floor((j + 1/2) * n / m)]. Pixels outside the image do not take
    part. With `antialias`, where m < n, k(t * m / n) takes the place of k(t): every pixel has a part in the result.

    Args:
        images: one image or a batch. Where height or width is open, the resizing is written out when a program is planned.
        size: (height, width) of the result.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: whether a smaller image averages over what it leaves out; "nearest" does not.
        crop_to_aspect_ratio: whether to cut off first what would distort the image.
        pad_to_aspect_ratio: whether to add `fill_value` first around what would be distorted.
        fill_mode: "constant".
        fill_value: a number.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The images in the new size, in their dtype; integers are rounded, halves to even, and kept in range.
    NaN: spreads to where it takes part. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, height or width that are 0.  ArgumentError: anything else above.
    Source: Keras 3 `ops.image.resize`; Keys 1981; Turkowski 1990.

    >>> resize(np.arange(4.0).reshape(1, 4, 1), (1, 2))[0, :, 0]
    array([0.5, 2.5])
    """
    x = converted("resize", images, "images")
    data_format = checked_data_format("resize", data_format)  # now, not when an open size is known
    height, width, _ = image_axes("resize", x, data_format)
    smooth = flag("resize", antialias, "antialias")
    checked_options(interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode)
    target = checked_size(size)
    given = tuple(shape_of(x))
    if 0 in (given[height], given[width]):
        raise ShapeError(f"resize: height and width must be at least 1, not 0; got shape {given}.")
    if None in (given[height], given[width]):
        options = interpolation, smooth, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode, fill_value, data_format
        return when_known(
            x, lambda image: resize(image, target, *options), {height: lambda n: target[0], width: lambda n: target[1]}
        )
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        x = fitted(x, (height, width), target, crop_to_aspect_ratio, fill_value)
    dtype = dtype_of(x)
    if interpolation == "nearest":
        for axis, m in zip((height, width), target):
            n = shape_of(x)[axis]
            x = ops.take(x, (2 * np.arange(m) + 1) * n // (2 * m), axis) if n != m else x
        return ops.unary.same(x)
    y = x if dtypes.is_floating(dtype) else as_dtype(x, dtypes.floatx())
    for axis, m in zip((height, width), target):
        n = shape_of(y)[axis]
        if n != m and (interpolation in LANCZOS or (smooth and m < n)):
            y = as_dtype(windowed(y, axis, m, interpolation, smooth), dtype_of(y))
        else:
            y = resize_axis_op(y, axis=axis, length=m, cubic=interpolation == "bicubic")
    return rounded(y, dtype)


def when_known(
    x: Tensor, function: Callable[[Tensor], Tensor], lengths: Mapping[int, Callable[[int | None], int | None]]
) -> Tensor:
    """What a function gives for x, called when all extents are known: when a program is planned.

    Args:
        x: a tensor.
        function: gives a tensor of x's dtype.
        lengths: how long each axis is that the function changes, from its length in x.
    """

    def promised(spec: Spec) -> tuple[Spec, ...]:
        return (Spec(tuple(lengths[a](n) if a in lengths else n for a, n in enumerate(spec.shape)), spec.dtype),)

    (y,) = ops.deferred.later(lambda image: [function(image)], promised, [x])
    return y


def windowed(x: TensorLike, axis: int, m: int, interpolation: str, smooth: bool) -> TensorLike:
    """m places along an axis, from windows as wide as they have to be; in float32 or float64."""
    wide = x if dtype_of(x) == "float64" else as_dtype(x, "float32")
    scale = np.asarray(m / shape_of(x)[axis], dtype_of(wide))
    with in_memory("resize"):
        return scaled_along(wide, axis, m, scale, np.zeros_like(scale), KERNELS[interpolation], smooth)


def enlarge(
    images: TensorLike, factors: tuple[int, int], interpolation: str = "bilinear", data_format: str | None = None
) -> TensorLike:
    """`resize` to a whole number of times the height and width, which may be open.

    Args:
        images: one image or a batch.
        factors: how many times higher and wider, at least 1.
        interpolation, data_format: as in `resize`.

    >>> enlarge(np.arange(2.0).reshape(2, 1, 1), (2, 1))[:, 0, 0]
    array([0.  , 0.25, 0.75, 1.  ])
    """
    x = converted("enlarge", images, "images")
    data_format = checked_data_format("enlarge", data_format)
    height, width, _ = image_axes("enlarge", x, data_format)
    if interpolation in LANCZOS:
        extents = shape_of(x)[height], shape_of(x)[width]
        size = tuple(_times(n, factor) for n, factor in zip(extents, factors))
        if None in size:
            times = {axis: partial(_times, factor=factor) for axis, factor in zip((height, width), factors)}
            return when_known(x, lambda image: enlarge(image, factors, interpolation, data_format), times)
        return resize(x, size, interpolation, data_format=data_format)
    checked_options(interpolation, False, False, "constant")
    if interpolation == "nearest":
        for axis, factor in zip((height, width), factors):
            x = ops.repeat(x, factor, axis) if factor > 1 else x
        return x
    dtype = dtype_of(x)
    y = x if dtypes.is_floating(dtype) else as_dtype(x, dtypes.floatx())
    for axis, factor in zip((height, width), factors):
        y = enlarge_axis_op(y, axis=axis, factor=factor, cubic=interpolation == "bicubic")
    return rounded(y, dtype)


def rounded(y: TensorLike, dtype: str) -> TensorLike:
    """y in a dtype; for integers rounded, halves to even, and kept in range."""
    if dtypes.is_floating(dtype):
        return y
    return ops.cast(ops.cast(ops.round(y), "uint8" if dtype == "bool" else dtype), dtype)


def checked_options(interpolation: str, crop: bool, pad: bool, fill_mode: str) -> None:
    if not isinstance(interpolation, str) or interpolation not in METHODS + LANCZOS:
        known = ", ".join(METHODS + LANCZOS)
        raise ArgumentError(f"resize: interpolation must be one of {known}; got {interpolation!r}.")
    if crop and pad:
        raise ArgumentError("resize: give at most one of crop_to_aspect_ratio and pad_to_aspect_ratio.")
    if fill_mode != "constant":
        raise ArgumentError(f"resize: fill_mode must be 'constant'; got {fill_mode!r}.")


def checked_size(size: Any) -> tuple[int, int]:
    pair = size.tolist() if isinstance(size, np.ndarray) else size
    given = pair if isinstance(pair, (tuple, list)) else ()
    if [isinstance(n, (int, np.integer)) and n > 0 for n in given] != [True, True]:
        raise ArgumentError(f"resize: size must be (height, width), integers above 0; got {size!r}.")
    return int(pair[0]), int(pair[1])


def fitted(x: TensorLike, axes: tuple[int, int], target: tuple[int, int], crop: bool, fill_value: float) -> TensorLike:
    """x cut, or filled up, to the target's ratio of height and width."""
    extents = shape_of(x)[axes[0]], shape_of(x)[axes[1]]
    wanted = int(extents[1] * target[0] / target[1]), int(extents[0] * target[1] / target[0])
    for axis, n, m in zip(axes, extents, wanted):
        if crop:
            m = int(np.clip(m, 1, n))
            start = (n - m) // 2
            x = ops.get_item(x, (*[slice(None)] * axis, slice(start, start + m)))
        else:
            around = max(m - n, 0) // 2
            widths = [(around, around) if a == axis else (0, 0) for a in range(len(shape_of(x)))]
            x = ops.pad(x, widths, constant_values=fill_value)
    return x


# ---- along one axis: a primitive and its adjoint


def position(j: int, n: int, m: int) -> float:
    """Where pixel j of m lies among n pixels."""
    return (j + 0.5) * n / m - 0.5


def kernel(t: float, cubic: bool) -> float:
    """The weight of a pixel at distance t: what "linear" and "cubic" mean, in `interpolation.fall` too."""
    t = -t if t < 0 else t
    if not cubic:
        return 1 - t if t < 1 else 0.0
    if t < 1:
        return (1.5 * t - 2.5) * t * t + 1
    return ((-0.5 * t + 2.5) * t - 4) * t + 2 if t < 2 else 0.0


def total_weight(p: float, n: int, cubic: bool) -> float:
    """The weights of all pixels that take part at p."""
    first = truncate(floor(p)) - 1
    total = 0.0
    for r in range(first, first + 4):
        if 0 <= r < n:
            total += kernel(p - r, cubic)
    return total


def resize_axis_loop(tasks: Tasks, x: Array, cubic: bool, y: Array) -> None:
    n = x.shape[1]
    for o, j, i in tasks:
        p = position(j, n, y.shape[1])
        first = truncate(floor(p)) - 1
        whole = total_weight(p, n, cubic)
        total = 0
        for r in range(first, first + 4):
            if 0 <= r < n and kernel(p - r, cubic) != 0:
                total += kernel(p - r, cubic) / whole * x[o, r, i]
        y[o, j, i] = total


def resize_axis_gradient_loop(tasks: Tasks, dy: Array, cubic: bool, dx: Array) -> None:
    # Gathers: each pixel asks the points within two pixels of it for its weight there.
    n, m = dx.shape[1], dy.shape[1]
    for o, r, i in tasks:
        low = truncate(floor((r - 1.5) * m / n - 0.5)) - 1
        high = truncate(floor((r + 2.5) * m / n - 0.5)) + 2
        total = 0
        for j in range(low if low > 0 else 0, high if high < m else m):
            p = position(j, n, m)
            weight = kernel(p - r, cubic)
            if weight != 0:
                total += weight / total_weight(p, n, cubic) * dy[o, j, i]
        dx[o, r, i] = total


def resized(x: Spec, axis: int, length: int | None) -> Spec:
    return Spec((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype)


def resize_axis_form(x: Spec, *, axis: int, length: int, cubic: bool) -> Form:
    outer, inner = size_of(x.shape[:axis]), size_of(x.shape[axis + 1 :])
    result = (outer, length, inner)
    return Form((View((outer, x.shape[axis], inner)),), (cubic,), (View(result),), result, cost=30)


resize_axis_op: Op = Op(
    "resize_axis",
    lambda x, *, axis, length, cubic: resized(x, axis, length),
    loop=resize_axis_loop,
    form=resize_axis_form,
    gradient=lambda node, dy: [
        resize_axis_gradient_op(
            dy,
            axis=node.attributes["axis"],
            length=node.inputs[0].shape[node.attributes["axis"]],
            cubic=node.attributes["cubic"],
        )
    ],
)
resize_axis_gradient_op: Op = Op(
    "resize_axis_gradient",
    lambda dy, *, axis, length, cubic: resized(dy, axis, length),
    loop=resize_axis_gradient_loop,
    form=resize_axis_form,
    gradient=lambda node, d: [
        resize_axis_op(
            d,
            axis=node.attributes["axis"],
            length=node.inputs[0].shape[node.attributes["axis"]],
            cubic=node.attributes["cubic"],
        )
    ],
)


# ---- a whole number of times longer: ops that choose the length when the program is planned


def _times(n: int | None, factor: int) -> int | None:
    return None if n is None else n * factor


def _part(m: int | None, factor: int) -> int | None:
    return None if m is None else m // factor


enlarge_axis_op: Op = Op(
    "enlarge_axis",
    lambda x, *, axis, factor, cubic: resized(x, axis, _times(x.shape[axis], factor)),
    expand=lambda x, *, axis, factor, cubic: resize_axis_op(
        x, axis=axis, length=_times(shape_of(x)[axis], factor), cubic=cubic
    ),
    gradient=lambda node, dy: [enlarge_axis_gradient_op(dy, **node.attributes)],
)
enlarge_axis_gradient_op: Op = Op(
    "enlarge_axis_gradient",
    lambda dy, *, axis, factor, cubic: resized(dy, axis, _part(dy.shape[axis], factor)),
    expand=lambda dy, *, axis, factor, cubic: resize_axis_gradient_op(
        dy, axis=axis, length=_part(shape_of(dy)[axis], factor), cubic=cubic
    ),
    gradient=lambda node, d: [enlarge_axis_op(d, **node.attributes)],
)
