"""Images read at any points between their pixels: the affine transformations that turn, shift, zoom and shear them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.gradients import Undifferentiable
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, shape_of
from refnet.ops.resizing import image_axes
from refnet.scalars import floor, nearest, truncate

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")  # a loop knows them by their places
FAR = 2.0**31  # points farther out than this, and NaN, read the fill value


def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> TensorLike:
    """Images turned, shifted, zoomed, sheared: every pixel of the result is read at a point of the original.

        y[i, j] = x(b0 * j + b1 * i + b2,  a0 * j + a1 * i + a2)

    x(r, q) lies between pixels: "bilinear" weighs the four around it by their distance, "nearest" takes the nearest (the even
    one of two). Outside, x goes on as fill_mode says: constant (k k | a b c | k k), nearest (a a | a b c | c c),
    wrap (b c | a b c | a b), mirror (c b | a b c | b a), reflect (b a | a b c | c b).

    Args:
        images: one image or a batch, of known height and width.
        transform: (8,) for all images, or (batch, 8): a0, a1, a2, b0, b1, b2, and two zeros, which are not read.
        interpolation: "nearest" or "bilinear".
        fill_mode: one of the five.
        fill_value: k.
        data_format: "channels_last" (also None) or "channels_first".
    Returns:
        Shape and dtype of the images; integers are rounded, halves to even.
    NaN: spreads to where it takes part; points that are NaN or farther out than 2**31 read k. Empty: an empty result.
    Raises:
        ShapeError: other numbers of axes, height or width unknown or 0.  ArgumentError: another interpolation or fill_mode.
    Source: Keras 3 `ops.image.affine_transform`.

    >>> affine_transform(np.arange(4.0).reshape(1, 4, 1), [1, 0, 0.5, 0, 1, 0, 0, 0], fill_value=9)[0, :, 0]
    array([0.5, 1.5, 2.5, 6. ])
    """
    x = converted("affine_transform", images, "images")
    height, width, channels = image_axes("affine_transform", x, data_format)
    if interpolation not in ("nearest", "bilinear"):
        raise ArgumentError(f"affine_transform: interpolation must be nearest or bilinear; got {interpolation!r}.")
    if fill_mode not in FILL_MODES:
        raise ArgumentError(f"affine_transform: fill_mode must be one of {', '.join(FILL_MODES)}; got {fill_mode!r}.")
    given = tuple(shape_of(x))
    extents = given[height], given[width]
    if None in extents or 0 in extents:
        raise ShapeError(f"affine_transform: height and width must be known, and not 0; got shape {given}.")
    dtype = dtype_of(x)
    whole = not dtypes.is_floating(dtype)
    moved = channels < height
    batch = ops.moveaxis(x, channels, -1) if moved else x
    batch = batch if len(given) == 4 else ops.expand_dims(batch, 0)
    points = read_points(transform, extents, ops.shape(batch)[0], len(given) == 4)
    batch = as_dtype(batch, dtypes.floatx()) if whole else batch
    y = sample_images_op(
        batch,
        points,
        nearest=interpolation == "nearest",
        mode=FILL_MODES.index(fill_mode),
        fill=float(int(fill_value) if whole else fill_value),
    )
    y = ops.reshape(y, (-1 if given[0] is None else shape_of(batch)[0], *extents, given[channels]))
    y = y if len(given) == 4 else ops.squeeze(y, 0)
    y = ops.moveaxis(y, -1, channels) if moved else y
    return ops.cast(ops.round(y), dtype) if whole else y


def read_points(transform: TensorLike, extents: tuple[int, int], count: Any, batched: bool) -> TensorLike:
    """The points (batch, height * width, 2), row and column, that transforms read."""
    t = converted("affine_transform", transform, "transform")
    if not dtypes.is_floating(dtype_of(t)):
        t = as_dtype(t, dtypes.floatx())
    shape = tuple(shape_of(t))
    fits = len(shape) in ((1, 2) if batched else (1,)) or shape == (1, 8)
    if not fits or shape[-1] != 8:
        raise ShapeError(
            f"affine_transform: transform has eight numbers, (8,) for all images or (batch, 8); got shape {shape}."
        )
    t = ops.reshape(t, (-1, 8)) if len(shape) == 1 else t
    rows, columns = (grid.reshape(1, -1) for grid in np.indices(extents).astype(dtypes.as_numpy(dtype_of(t))))
    a0, a1, a2, b0, b1, b2 = (t[:, k : k + 1] for k in range(6))
    across = ops.add(ops.add(ops.multiply(a0, columns), ops.multiply(a1, rows)), a2)
    down = ops.add(ops.add(ops.multiply(b0, columns), ops.multiply(b1, rows)), b2)
    points = ops.stack([down, across], -1)
    if len(shape) == 1 or shape[0] == 1:
        return ops.broadcast_to(points, (count, extents[0] * extents[1], 2))
    return points


# ---- pixels at points: a primitive, its adjoint, and how it changes when the points move


def place_of(i: int, n: int, mode: int) -> int:
    """Which of n pixels stands at place i; -1 for none."""
    if 0 <= i < n:
        return i
    if mode == 0:
        return -1
    if mode == 1:
        return 0 if i < 0 else n - 1
    if mode == 2:
        return i % n
    if mode == 3:
        if n == 1:
            return 0
        j = (i + n - 1) % (2 * n - 2) - (n - 1)
        return -j if j < 0 else j
    j = i % (2 * n)
    return j if j < n else 2 * n - 1 - j


def near(p: Number) -> bool:
    """Whether a coordinate lies where pixels may be."""
    return bool(p > -FAR and p < FAR)


def pixel(x: Array, n: int, i: int, j: int, c: int, mode: int, fill: float) -> Number:
    row, column = place_of(i, x.shape[1], mode), place_of(j, x.shape[2], mode)
    if row < 0 or column < 0:
        return fill
    return x[n, row, column, c]


def sample_images_loop(
    tasks: Tasks, x: Array, points: Array, nearest_only: bool, mode: int, fill: float, y: Array
) -> None:
    for n, p in tasks:
        r, q = points[n, p, 0], points[n, p, 1]
        for c in range(x.shape[3]):
            if not (near(r) and near(q)):
                y[n, p, c] = fill
            elif nearest_only:
                y[n, p, c] = pixel(x, n, truncate(nearest(r)), truncate(nearest(q)), c, mode, fill)
            else:
                top, left = floor(r), floor(q)
                total = 0
                for a in range(1 if r == top else 2):  # a pixel of weight 0 takes no part, whatever it holds
                    for b in range(1 if q == left else 2):
                        weight = (r - top if a == 1 else 1 - (r - top)) * (q - left if b == 1 else 1 - (q - left))
                        total += weight * pixel(x, n, truncate(top) + a, truncate(left) + b, c, mode, fill)
                y[n, p, c] = total


def sample_images_inputs_gradient_loop(
    tasks: Tasks, dy: Array, points: Array, nearest_only: bool, mode: int, dx: Array
) -> None:
    # Scatters, a plane at a time: which points read a pixel cannot be asked the other way round.
    height, width = dx.shape[1], dx.shape[2]
    for n, c in tasks:
        for i in range(height):
            for j in range(width):
                dx[n, i, j, c] = 0
        for p in range(points.shape[1]):
            r, q = points[n, p, 0], points[n, p, 1]
            if near(r) and near(q):
                top, left = (nearest(r), nearest(q)) if nearest_only else (floor(r), floor(q))
                for a in range(1 if nearest_only or r == top else 2):
                    for b in range(1 if nearest_only or q == left else 2):
                        i = place_of(truncate(top) + a, height, mode)
                        j = place_of(truncate(left) + b, width, mode)
                        if i >= 0 and j >= 0:
                            if nearest_only:
                                dx[n, i, j, c] += dy[n, p, c]
                            else:
                                down = r - top if a == 1 else 1 - (r - top)
                                across = q - left if b == 1 else 1 - (q - left)
                                dx[n, i, j, c] += down * across * dy[n, p, c]


def sample_images_points_gradient_loop(
    tasks: Tasks, dy: Array, x: Array, points: Array, mode: int, fill: float, dpoints: Array
) -> None:
    # Between pixels the result is linear along each axis; on a pixel the slope is the one behind it.
    for n, p in tasks:
        r, q = points[n, p, 0], points[n, p, 1]
        down, across = 0, 0
        if near(r) and near(q):
            top, left = floor(r), floor(q)
            i, j = truncate(top), truncate(left)
            for c in range(x.shape[3]):
                x00, x01 = pixel(x, n, i, j, c, mode, fill), pixel(x, n, i, j + 1, c, mode, fill)
                x10, x11 = pixel(x, n, i + 1, j, c, mode, fill), pixel(x, n, i + 1, j + 1, c, mode, fill)
                down += dy[n, p, c] * ((1 - (q - left)) * (x10 - x00) + (q - left) * (x11 - x01))
                across += dy[n, p, c] * ((1 - (r - top)) * (x01 - x00) + (r - top) * (x11 - x10))
        dpoints[n, p, 0] = down
        dpoints[n, p, 1] = across


def sample_images_rule(x: Spec, points: Spec, *, nearest: bool, mode: int, fill: float) -> Spec:
    """Images (n, height, width, channels) at points (n, p, 2), row and column: (n, p, channels)."""
    check_points("sample_images", x.shape, points)
    return Spec((x.shape[0], points.shape[1], x.shape[3]), x.dtype)


def check_points(op: str, images: Any, points: Spec) -> None:
    if len(images) != 4 or len(points.shape) != 3 or points.shape[2] != 2:
        raise ShapeError(
            f"{op} takes images (batch, height, width, channels) and points (batch, points, 2); got shapes {tuple(images)} "
            f"and {tuple(points.shape)}."
        )
    if None not in (images[0], points.shape[0]) and images[0] != points.shape[0]:
        raise ShapeError(f"{op}: there are {images[0]} images and points for {points.shape[0]}.")
    if not dtypes.is_floating(points.dtype):
        raise DtypeError(f"{op}: points are floating numbers; got {points.dtype}.")


def sample_images_form(x: Spec, points: Spec, *, nearest: bool, mode: int, fill: float) -> Form:
    result = (x.shape[0], points.shape[1], x.shape[3])
    views = View(tuple(x.shape)), View(tuple(points.shape))
    return Form(views, (nearest, mode, fill), (View(result),), result[:2], cost=20 * max(result[2], 1))


def sample_images_gradient(node: Node, dy: Tensor) -> Sequence[Any]:
    x, points = node.inputs
    how = node.attributes
    extents = (x.shape[1], x.shape[2])
    dx = sample_images_inputs_gradient_op(dy, points, extents=extents, nearest=how["nearest"], mode=how["mode"])
    if how["nearest"]:
        return [dx, None]
    return [dx, sample_images_points_gradient_op(dy, x, points, mode=how["mode"], fill=how["fill"])]


sample_images_op: Op = Op(
    "sample_images",
    sample_images_rule,
    loop=sample_images_loop,
    form=sample_images_form,
    gradient=sample_images_gradient,
)


def inputs_gradient_rule(dy: Spec, points: Spec, *, extents: tuple[int, int], nearest: bool, mode: int) -> Spec:
    return Spec((dy.shape[0], *extents, dy.shape[2]), dy.dtype)


def inputs_gradient_form(dy: Spec, points: Spec, *, extents: tuple[int, int], nearest: bool, mode: int) -> Form:
    result = (dy.shape[0], *extents, dy.shape[2])
    views = View(tuple(dy.shape)), View(tuple(points.shape))
    cost = 20 * max(dy.shape[1], 1)
    return Form(views, (nearest, mode), (View(result),), (dy.shape[0], dy.shape[2]), cost=cost)


def inputs_gradient_gradient(node: Node, d: Tensor) -> Sequence[Any]:
    dy, points = node.inputs
    how = node.attributes
    back = sample_images_op(d, points, nearest=how["nearest"], mode=how["mode"], fill=0.0)
    if how["nearest"]:
        return [back, None]
    return [back, sample_images_points_gradient_op(dy, d, points, mode=how["mode"], fill=0.0)]


sample_images_inputs_gradient_op: Op = Op(
    "sample_images_inputs_gradient",
    inputs_gradient_rule,
    loop=sample_images_inputs_gradient_loop,
    form=inputs_gradient_form,
    gradient=inputs_gradient_gradient,
)


def points_gradient_form(dy: Spec, x: Spec, points: Spec, *, mode: int, fill: float) -> Form:
    views = View(tuple(dy.shape)), View(tuple(x.shape)), View(tuple(points.shape))
    result = tuple(points.shape)
    return Form(views, (mode, fill), (View(result),), result[:2], cost=20 * max(dy.shape[2], 1))


sample_images_points_gradient_op: Op = Op(
    "sample_images_points_gradient",
    lambda dy, x, points, *, mode, fill: Spec(tuple(points.shape), points.dtype),
    loop=sample_images_points_gradient_loop,
    form=points_gradient_form,
    gradient=Undifferentiable("how a transformed image changes with its points has no derivative of its own here."),
)
