"""Warping: images read at any points, and the points that a projective map gives."""

import functools
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, whole
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, floating, number, shape_of
from refnet.ops.interpolation import mixed
from refnet.ops.resizing import image_axes
from refnet.scalars import floor, nearest, truncate

FILL_MODES = {"constant": 0, "nearest": 1, "wrap": 2, "mirror": 3, "reflect": 4}
FAR = 2.0**30  # points beyond this, and NaN, read the fill value


def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> TensorLike:
    """Images whose pixels are taken from where a projective map says.

        y[n, i, j, c] = x[n, row, col, c],   row = (b0 j + b1 i + b2) / k,  col = (a0 j + a1 i + a2) / k,  k = c0 j + c1 i + 1

    "nearest" reads the pixel next to the point, of two the even one. "bilinear" reads the four around, r = floor(row), s = floor(col):

        (1 - f) ((1 - g) x[r, s] + g x[r, s + 1]) + f ((1 - g) x[r + 1, s] + g x[r + 1, s + 1]),   f = row - r,  g = col - s

    Pixels outside the image are, with a, b, c, d a row of it: `fill_value` ("constant"), a a | a b c d | d d ("nearest"),
    c d | a b c d | a b ("wrap"), c b | a b c d | c b ("mirror"), b a | a b c d | d c ("reflect").

    Args:
        images: one image or a batch, of any dtype; height and width must be known.
        transform: (a0, a1, a2, b0, b1, b2, c0, c1), or one such row for each image.
        interpolation: "nearest" or "bilinear".
        fill_mode: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: a number that the images' dtype can hold.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        Shape and dtype of the images; bilinear integers are rounded, halves to even. Points are computed in float32, for float64
        images in float64.
    Ties: at whole rows and columns the gradient with respect to the transform is that of what follows.
    NaN: spreads to where it takes part with a weight above 0; points that are NaN, or farther out than 2**30, read `fill_value`.
    Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, a height or width that is unknown or 0, a transform that does not fit.
        ArgumentError: anything else above.
    Source: Keras 3 `ops.image.affine_transform`; Szeliski 2022, 3.6.1.

    >>> x = np.arange(4.0).reshape(1, 4, 1)
    >>> affine_transform(x, [1, 0, 0.5, 0, 1, 0, 0, 0], fill_value=9)[0, :, 0]
    array([0.5, 1.5, 2.5, 6. ])
    >>> affine_transform(x, [1, 0, -2, 0, 1, 0, 0, 0], "nearest", "reflect")[0, :, 0]
    array([1., 0., 0., 1.])
    """
    x, name = converted("affine_transform", images, "images"), "affine_transform"
    axes, given = image_axes(name, x, data_format), tuple(shape_of(x))
    if not isinstance(interpolation, str) or interpolation not in ("nearest", "bilinear"):
        raise ArgumentError(f"{name}: interpolation must be 'nearest' or 'bilinear'; got {interpolation!r}.")
    if not isinstance(fill_mode, str) or fill_mode not in FILL_MODES:
        raise ArgumentError(f"{name}: fill_mode must be one of {', '.join(FILL_MODES)}; got {fill_mode!r}.")
    if given[axes[0]] in (None, 0) or given[axes[1]] in (None, 0):
        raise ShapeError(f"{name}: height and width must be known, and not 0; got shape {given}.")
    fill, dtype = checked_fill(fill_value, dtype_of(x)), dtype_of(x)
    batch = x if len(given) == 4 else ops.expand_dims(x, 0)
    channel_first = axes[2] < axes[0]
    batch = ops.moveaxis(batch, 1, -1) if channel_first else batch
    points = points_of(batch, transform)
    mode = FILL_MODES[fill_mode]
    if interpolation == "nearest":
        y = sample_nearest_op(batch, *points, mode=mode, fill=fill)
    else:
        wide = batch if dtypes.is_floating(dtype) else as_dtype(batch, dtypes.floatx())
        y = sample_bilinear_op(wide, *points, mode=mode, fill=number("affine_transform", fill, "fill"))
        if not dtypes.is_floating(dtype):
            y = ops.cast(ops.cast(ops.round(y), "uint8" if dtype == "bool" else dtype), dtype)
    y = ops.moveaxis(y, -1, 1) if channel_first else y
    return y if len(given) == 4 else ops.squeeze(y, 0)


def checked_fill(value: Any, dtype: str) -> Number:
    """`fill_value` as a number of the dtype."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"affine_transform: fill_value must be a number; got {value!r}.") from None
    if dtypes.is_floating(dtype):
        return number
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if not low <= number <= high or number != int(number):
        raise ArgumentError(f"affine_transform: images of {dtype} cannot be filled with {value!r}.")
    return int(value)


def points_of(images: TensorLike, transform: TensorLike) -> tuple[TensorLike, TensorLike]:
    """The row and the column (batch, height, width) that each pixel of the result is taken from."""
    map_ = floating("affine_transform", transform, "transform")
    given = tuple(shape_of(map_))
    count, height, width, _ = shape_of(images)
    fits = len(given) == 1 or (len(given) == 2 and (given[0] in (None, 1) or count is None or given[0] == count))
    if not fits or given[-1] != 8:
        raise ShapeError(
            f"affine_transform: transform must hold 8 numbers, or 8 for each of {count} images; got shape {given}."
        )
    dtype = "float64" if dtype_of(images) == "float64" else "float32"
    map_ = as_dtype(map_ if len(given) == 2 else ops.expand_dims(map_, 0), dtype)
    a0, a1, a2, b0, b1, b2, c0, c1 = (ops.expand_dims(ops.get_item(map_, (..., slice(k, k + 1))), 2) for k in range(8))
    i = np.arange(height).reshape(1, height, 1).astype(dtype)
    j = np.arange(width).reshape(1, 1, width).astype(dtype)
    k = ops.add(ops.add(ops.multiply(c0, j), ops.multiply(c1, i)), 1)
    shape = (ops.shape(images)[0], height, width)
    row, col = (
        ops.broadcast_to(ops.divide(ops.add(ops.add(ops.multiply(p, j), ops.multiply(q, i)), r), k), shape)
        for p, q, r in ((b0, b1, b2), (a0, a1, a2))
    )
    return row, col


# ---- reading at points: primitives and their adjoints


def near(p: Number) -> bool:
    """Whether a point lies where pixels may be; NaN does not."""
    return bool(p > -FAR and p < FAR)


def whole_place(p: Number) -> int:
    """The pixel at or before p."""
    whole: int = truncate(floor(p))
    return whole


def nearest_place(p: Number) -> int:
    """The pixel next to p, of two the even one."""
    return whole_place(nearest(p))


def folded(k: int, n: int, mode: int) -> int:
    """Which of n pixels stands at place k; -1 for none."""
    if 0 <= k < n:
        return k
    if mode == 0:
        return -1
    if mode == 1:
        return 0 if k < 0 else n - 1
    if mode == 2:
        return k % n
    if mode == 3:
        period = 2 * n - 2 if n > 1 else 1
        r = k % period
        return r if r < n else period - r
    r = k % (2 * n)
    return r if r < n else 2 * n - 1 - r


def sample_nearest_loop(tasks: Tasks, x: Array, rows: Array, cols: Array, mode: int, fill: Number, y: Array) -> None:
    for n, i, j in tasks:
        r, s = -1, -1
        if near(rows[n, i, j]) and near(cols[n, i, j]):
            r = folded(nearest_place(rows[n, i, j]), x.shape[1], mode)
            s = folded(nearest_place(cols[n, i, j]), x.shape[2], mode)
        for c in range(x.shape[3]):
            if r >= 0 and s >= 0:
                y[n, i, j, c] = x[n, r, s, c]
            else:
                y[n, i, j, c] = fill


def sample_bilinear_loop(tasks: Tasks, x: Array, rows: Array, cols: Array, mode: int, fill: Number, y: Array) -> None:
    for n, i, j in tasks:
        row, col = rows[n, i, j], cols[n, i, j]
        for c in range(x.shape[3]):
            if near(row) and near(col):
                y[n, i, j, c] = mixture(x, n, row, col, c, mode, fill)
            else:
                y[n, i, j, c] = fill


def takes_part(f: Number, g: Number, p: int, q: int) -> bool:
    """Whether a pixel around a point has a weight above 0: at or before it always, after it unless the point is whole.

    (Asked of the weight itself, a product that underflows would leave it open.)
    """
    return bool((p == 0 or f != 0) and (q == 0 or g != 0))


def mixture(x: Array, n: int, row: Number, col: Number, c: int, mode: int, fill: Number) -> Number:
    """The four pixels around a point, weighted; one of weight 0 takes no part, whatever it holds."""
    f, g = row - floor(row), col - floor(col)
    total = 0
    for p in range(2):
        for q in range(2):
            if takes_part(f, g, p, q):
                weight = (f if p == 1 else 1 - f) * (g if q == 1 else 1 - g)
                r = folded(whole_place(row) + p, x.shape[1], mode)
                s = folded(whole_place(col) + q, x.shape[2], mode)
                total += weight * (x[n, r, s, c] if r >= 0 and s >= 0 else fill)
    return total


def sample_nearest_x_gradient_loop(
    tasks: Tasks, dy: Array, rows: Array, cols: Array, mode: int, dx: Array, total: Array
) -> None:
    # A task has a channel of an image to itself: the points may lead anywhere in it.
    for n, c in tasks:
        clear(total)
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                if near(rows[n, i, j]) and near(cols[n, i, j]):
                    r = folded(nearest_place(rows[n, i, j]), dx.shape[1], mode)
                    s = folded(nearest_place(cols[n, i, j]), dx.shape[2], mode)
                    if r >= 0 and s >= 0:
                        total[r, s] += dy[n, i, j, c]
        for r in range(dx.shape[1]):
            for s in range(dx.shape[2]):
                dx[n, r, s, c] = total[r, s]


def sample_bilinear_x_gradient_loop(
    tasks: Tasks, dy: Array, rows: Array, cols: Array, mode: int, dx: Array, total: Array
) -> None:
    for n, c in tasks:
        clear(total)
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                if near(rows[n, i, j]) and near(cols[n, i, j]):
                    share(total, rows[n, i, j], cols[n, i, j], mode, dy[n, i, j, c])
        for r in range(dx.shape[1]):
            for s in range(dx.shape[2]):
                dx[n, r, s, c] = total[r, s]


def share(total: Array, row: Number, col: Number, mode: int, dy: Number) -> None:
    """Gives each of the four pixels around a point its part of dy."""
    f, g = row - floor(row), col - floor(col)
    for p in range(2):
        for q in range(2):
            weight = (f if p == 1 else 1 - f) * (g if q == 1 else 1 - g)
            r = folded(whole_place(row) + p, total.shape[0], mode)
            s = folded(whole_place(col) + q, total.shape[1], mode)
            if r >= 0 and s >= 0 and takes_part(f, g, p, q):
                total[r, s] += weight * dy


def clear(total: Array) -> None:
    for r in range(total.shape[0]):
        for s in range(total.shape[1]):
            total[r, s] = 0


def check_pixels(height: int | None, width: int | None, points: Spec) -> None:
    """Raises ShapeError where points would look for pixels in an image that has none."""
    if any(extent is not None and extent < 1 for extent in (height, width)) and 0 not in points.shape:
        raise ShapeError(
            f"affine_transform: an image of {height} x {width} pixels has nothing at {points.shape} points."
        )


def sample_rule(x: Spec, rows: Spec, cols: Spec, *, mode: int, fill: Number) -> Spec:
    check_pixels(x.shape[1], x.shape[2], rows)
    return Spec((*rows.shape, x.shape[3]), x.dtype)


def sample_form(x: Spec, rows: Spec, cols: Spec, *, mode: int, fill: Number) -> Form:
    result = View((*rows.shape, x.shape[3]))
    return Form((whole(x), whole(rows), whole(cols)), (mode, fill), (result,), tuple(rows.shape), cost=20 * x.shape[3])


def adjoint_rule(dy: Spec, rows: Spec, cols: Spec, *, mode: int, height: int, width: int) -> Spec:
    check_pixels(height, width, rows)
    return Spec((dy.shape[0], height, width, dy.shape[3]), dy.dtype)


def adjoint_form(dy: Spec, rows: Spec, cols: Spec, *, mode: int, height: int, width: int) -> Form:
    n, i, j, c = dy.shape
    views = whole(dy), whole(rows), whole(cols)
    return Form(views, (mode,), (View((n, height, width, c)),), (n, c), cost=20 * i * j, scratch=((height, width),))


def sample_gradient(adjoint: Op, node: Node, dy: Tensor) -> list[TensorLike]:
    x, rows, cols = node.inputs
    mode = node.attributes["mode"]
    return [adjoint(dy, rows, cols, mode=mode, height=x.shape[1], width=x.shape[2])]


def points_gradient(
    dy: TensorLike, x: TensorLike, rows: TensorLike, cols: TensorLike, mode: int, fill: Number
) -> list[TensorLike]:
    """The gradient of the bilinear form with respect to rows and columns: differences of the pixels around, weighted."""
    r, s = ops.floor(rows), ops.floor(cols)
    f, g = (ops.expand_dims(ops.subtract(p, whole_part), -1) for p, whole_part in ((rows, r), (cols, s)))
    x00, x01, x10, x11 = (
        sample_nearest_op(x, ops.add(r, p), ops.add(s, q), mode=mode, fill=fill) for p in (0, 1) for q in (0, 1)
    )
    down = mixed(ops.subtract(x10, x00), ops.subtract(x11, x01), g)
    right = mixed(ops.subtract(x01, x00), ops.subtract(x11, x10), f)
    inside = functools.reduce(ops.logical_and, [ops.less(ops.abs(p), FAR) for p in (rows, cols)])
    gradients = (as_dtype(ops.sum(ops.multiply(dy, change), -1), dtype_of(rows)) for change in (down, right))
    return [ops.where(inside, gradient, 0.0) for gradient in gradients]


def sample_bilinear_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    dx = sample_gradient(sample_bilinear_x_gradient_op, node, dy)
    x, rows, cols = node.inputs
    return [*dx, *points_gradient(dy, x, rows, cols, **node.attributes)]


def adjoint_gradient(node: Node, d: Tensor) -> list[TensorLike]:
    dy, rows, cols = node.inputs
    mode = node.attributes["mode"]
    back = sample_bilinear_op(d, rows, cols, mode=mode, fill=0.0)
    return [back, *points_gradient(dy, d, rows, cols, mode, 0.0)]


SAMPLED = "images height width channels, images rows columns, images rows columns"
SPREAD = "images rows columns channels, images rows columns, images rows columns"
sample_nearest_op: Op = Op(
    "sample_nearest",
    sample_rule,
    loop=sample_nearest_loop,
    form=sample_form,
    axes=SAMPLED,
    gradient=lambda node, dy: [*sample_gradient(sample_nearest_x_gradient_op, node, dy), None, None],
)
sample_nearest_x_gradient_op: Op = Op(
    "sample_nearest_x_gradient",
    adjoint_rule,
    loop=sample_nearest_x_gradient_loop,
    form=adjoint_form,
    axes=SPREAD,
    gradient=lambda node, d: [
        sample_nearest_op(d, *node.inputs[1:], mode=node.attributes["mode"], fill=0.0),
        None,
        None,
    ],
)
sample_bilinear_op: Op = Op(
    "sample_bilinear",
    sample_rule,
    loop=sample_bilinear_loop,
    form=sample_form,
    axes=SAMPLED,
    gradient=sample_bilinear_gradient,
)
sample_bilinear_x_gradient_op: Op = Op(
    "sample_bilinear_x_gradient",
    adjoint_rule,
    loop=sample_bilinear_x_gradient_loop,
    form=adjoint_form,
    axes=SPREAD,
    gradient=adjoint_gradient,
)
