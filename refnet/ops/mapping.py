"""Arrays read at points: any rank, four points moved to four others, elastic cloth, scaled and shifted axes."""

import functools
import itertools
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.ops.arguments import (
    as_dtype,
    checked_axis,
    converted,
    dimensions,
    dtype_of,
    entries,
    flag,
    floating,
    integer,
    is_symbolic,
    number,
    shape_of,
)
from refnet.ops.filtering import as_batch, as_given, gaussian_blur, stored_as
from refnet.ops.interpolation import KERNELS, scaled_along
from refnet.ops.warping import FAR, FILL_MODES, affine_transform, checked_fill, sample_bilinear_op, sample_nearest_op

# ---- any rank


def map_coordinates(
    inputs: TensorLike, coordinates: TensorLike, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> TensorLike:
    """An array of any rank read at points.

        order 0: y[i] = x[r0(i), r1(i), ...],   r_k the whole number next to coordinates[k, i], halves away from zero
        order 1: the 2**rank elements around the point, each weighted by 1 - |its distance| along every axis

    Places outside the array are filled as in `affine_transform`.

    Args:
        inputs: an array or tensor of known shape, no axis empty.
        coordinates: (rank of inputs, ...), the points along each axis of `inputs`.
        order: 0 (nearest) or 1 (linear).
        fill_mode: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: a number that the inputs' dtype can hold.
    Returns:
        The shape of the coordinates without their first axis, the inputs' dtype; integers are rounded, halves to even. 16 bits are
        computed in float32.
    Ties: at whole places the gradient with respect to the coordinates is that of what follows.
    NaN: spreads to where it takes part with a weight above 0; a point that is NaN, or farther out than 2**30, reads `fill_value`.
    Empty: no points give an empty result.
    Raises:
        ShapeError: an empty or open axis, coordinates of another first axis.  ArgumentError: anything else above.
    Source: Keras 3 `ops.image.map_coordinates`.

    >>> map_coordinates(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[0.5, 1.0], [0.5, 5.0]]), 1, "nearest")
    array([1.5, 3. ])
    """
    name = "map_coordinates"
    x, points = converted(name, inputs, "inputs"), floating(name, coordinates, "coordinates")
    shape, given = tuple(shape_of(x)), tuple(shape_of(points))
    if None in shape or 0 in shape or not shape:
        raise ShapeError(f"{name}: the inputs need axes of known lengths above 0; got shape {shape}.")
    if len(given) < 2 or given[0] != len(shape):
        raise ShapeError(
            f"{name} needs coordinates for each of the {len(shape)} axes of the inputs, on the first of two axes or more; "
            f"got shape {given}."
        )
    order = integer(name, order, "order")
    if order not in (0, 1):
        raise ArgumentError(f"{name}: order must be 0 or 1; got {order!r}.")
    if len(shape) > 8:
        raise ShapeError(f"{name} takes inputs with 8 axes at most; got shape {shape}.")
    mode = checked_mode(name, fill_mode)
    fill, dtype = checked_fill(fill_value, dtype_of(x)), dtype_of(x)
    wide = x if dtype == "float64" else as_dtype(x, "float32") if order or dtypes.is_floating(dtype) else x
    lines = [
        as_dtype(ops.get_item(points, k), "float64" if dtype == "float64" else "float32") for k in range(len(shape))
    ]
    inside = functools.reduce(ops.logical_and, [ops.less(ops.abs(p), FAR) for p in lines])
    lines = [ops.where(inside, p, 0.0) for p in lines]
    filler = np.asarray(fill, dtypes.as_numpy(dtype_of(wide)))
    if order == 0:
        away = [ops.multiply(ops.sign(p), ops.floor(ops.add(ops.abs(p), 0.5))) for p in lines]
        y = element_at(wide, [ops.cast(p, "int32") for p in away], mode, filler)
    else:
        y = mixed_at(wide, lines, mode, filler)
    return stored_as(ops.where(inside, y, filler), dtype)


def checked_mode(op: str, fill_mode: Any) -> int:
    """The code of a fill mode. Raises ArgumentError for one that is not known."""
    if not isinstance(fill_mode, str) or fill_mode not in FILL_MODES:
        raise ArgumentError(f"{op}: fill_mode must be one of {', '.join(FILL_MODES)}; got {fill_mode!r}.")
    return FILL_MODES[fill_mode]


def mixed_at(x: TensorLike, lines: list[TensorLike], mode: int, fill: TensorLike) -> TensorLike:
    """The elements around each point, weighted; one of weight 0 takes no part, whatever it holds."""
    whole = [ops.floor(p) for p in lines]
    parts = [ops.subtract(p, w) for p, w in zip(lines, whole)]
    total: TensorLike = 0.0
    for corner in itertools.product((0, 1), repeat=len(lines)):
        weight = functools.reduce(ops.multiply, [f if c else ops.subtract(1, f) for f, c in zip(parts, corner)])
        places = [ops.cast(ops.add(w, c), "int32") for w, c in zip(whole, corner)]
        value = ops.where(ops.equal(weight, 0), 0.0, element_at(x, places, mode, fill))
        total = ops.add(total, ops.multiply(as_dtype(weight, dtype_of(x)), value))
    return total


def element_at(x: TensorLike, places: list[TensorLike], mode: int, fill: TensorLike) -> TensorLike:
    """x at whole places, those outside brought inside as the fill mode says."""
    flat: TensorLike = 0
    outside: TensorLike = False
    for k, n in zip(places, shape_of(x)):
        if mode == 0:
            outside = ops.logical_or(outside, ops.logical_or(ops.less(k, 0), ops.greater_equal(k, n)))
        flat = ops.add(ops.multiply(flat, n), folded_places(k, n, mode))
    y = ops.take(ops.ravel(x), ops.cast(flat, "int32"))
    return ops.where(outside, fill, y) if mode == 0 else y


def folded_places(k: TensorLike, n: int, mode: int) -> TensorLike:
    """Which of n places stands for place k."""
    if mode in (0, 1):
        return ops.clip(k, 0, n - 1)
    if mode == 2:
        return ops.mod(k, n)
    period = 2 * n if mode == 4 else max(2 * n - 2, 1)
    r = ops.mod(k, period)
    return ops.minimum(r, ops.subtract(period - 1 if mode == 4 else period, r))


# ---- four points to four points


def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: TensorLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> TensorLike:
    """Images seen from elsewhere: the projective map that takes four points to four others.

        y[row, col] = x at H (col, row, 1),   H the projective map with H end_k = start_k

    A point is (column, row). The map is worked out in float64, by the adjugates of the two frames of four points.

    Args:
        images: one image or a batch; height and width must be known.
        start_points, end_points: (4, 2), or (batch, 4, 2); no three of the four may lie on a line.
        interpolation, fill_value, data_format: as in `affine_transform`.
    Returns:
        Shape and dtype of the images.
    NaN: points on a line give a map that is NaN, and images of `fill_value`. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: points of another shape, and what `affine_transform` refuses.  ArgumentError: see there.
    Source: Keras 3 `ops.image.perspective_transform`; Heckbert 1989, 2.2.

    >>> x = np.arange(4.0).reshape(2, 2, 1)
    >>> corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> perspective_transform(x, corners, corners[:, ::-1])[..., 0]
    array([[0., 2.],
           [1., 3.]])
    """
    name = "perspective_transform"
    start, end = (floating(name, p, n) for p, n in ((start_points, "start_points"), (end_points, "end_points")))
    shapes = [tuple(shape_of(p)) for p in (start, end)]
    if shapes[0] != shapes[1] or len(shapes[0]) not in (2, 3) or shapes[0][-2:] != (4, 2):
        raise ShapeError(
            f"{name} needs start_points and end_points of shape (4, 2), or (batch, 4, 2); got {shapes[0]} and {shapes[1]}."
        )
    start, end = (as_dtype(p, "float64") for p in (start, end))
    return affine_transform(images, projective_map(start, end), interpolation, "constant", fill_value, data_format)


def projective_map(start: TensorLike, end: TensorLike) -> TensorLike:
    """The map that takes the four end points to the start points, as the 8 numbers of `affine_transform`."""
    p, q = homogeneous(start), homogeneous(end)
    mp, mq = shares(p), shares(q)
    rows: list[TensorLike] = [0.0] * 9
    for k in range(3):
        # Column k of the start's frame, times row k of the adjugate of the end's.
        others = ops.multiply(mq[(k + 1) % 3], mq[(k + 2) % 3])
        line = crossed(q[(k + 1) % 3], q[(k + 2) % 3])
        for i, j in itertools.product(range(3), range(3)):
            term = ops.multiply(ops.multiply(mp[k], p[k][i]), ops.multiply(others, line[j]))
            rows[3 * i + j] = ops.add(rows[3 * i + j], term)
    return ops.stack([ops.divide(r, rows[8]) for r in rows[:8]], -1)


def homogeneous(points: TensorLike) -> list[list[TensorLike]]:
    """Four points (..., 4, 2) as three coordinates each."""
    parts = [[ops.get_item(points, (..., k, c)) for c in (0, 1)] for k in range(4)]
    return [[x, y, ops.ones_like(x)] for x, y in parts]


def crossed(a: list[TensorLike], b: list[TensorLike]) -> list[TensorLike]:
    """The cross product of two vectors of three coordinates."""
    order = ((1, 2), (2, 0), (0, 1))
    return [ops.subtract(ops.multiply(a[i], b[j]), ops.multiply(a[j], b[i])) for i, j in order]


def shares(p: list[list[TensorLike]]) -> list[TensorLike]:
    """How much of each of the first three points the fourth is made of, up to a common factor."""
    found = []
    for k in range(3):
        line = crossed(p[(k + 1) % 3], p[(k + 2) % 3])
        found.append(functools.reduce(ops.add, [ops.multiply(a, b) for a, b in zip(p[3], line)]))
    return found


# ---- cloth


def elastic_transform(
    images: TensorLike,
    alpha: Any = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> TensorLike:
    """Images printed on cloth that is drawn out of shape at random.

        y[n, i, j] = x[n] at (i + alpha * v, j + alpha * u),   u, v = gaussian_blur(sigma * normal numbers, K, sigma)

    with a window of K = int(6 * sigma), made odd.

    Args:
        images: one image or a batch; height and width must be known.
        alpha: how far pixels are moved: a number, or a tensor of one.
        sigma: how wide the folds are, above 0.
        interpolation: "nearest" or "bilinear".
        fill_mode: "constant", "nearest", "wrap", "mirror" or "reflect", as in `affine_transform`.
        fill_value: a number that the images' dtype can hold.
        seed: an integer, a SeedGenerator, or None for a new seed of the global stream.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        Shape and dtype of the images; bilinear integers are rounded, halves to even.
    NaN: as in `affine_transform`. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, height or width unknown or 0.  ArgumentError: anything else above.
    Source: Keras 3 `ops.image.elastic_transform`; Simard, Steinkraus and Platt 2003.

    >>> x = np.arange(9.0).reshape(3, 3, 1)
    >>> elastic_transform(x, alpha=0.0, seed=1)[..., 0]
    array([[0., 1., 2.],
           [3., 4., 5.],
           [6., 7., 8.]])
    """
    from refnet.random import draw, random_normal_op

    name = "elastic_transform"
    x = converted(name, images, "images")
    batch = as_batch(name, x, data_format)
    if shape_of(batch)[1] in (None, 0) or shape_of(batch)[2] in (None, 0):
        raise ShapeError(f"{name}: height and width must be known, and not 0; got shape {tuple(shape_of(x))}.")
    if not isinstance(interpolation, str) or interpolation not in ("nearest", "bilinear"):
        raise ArgumentError(f"{name}: interpolation must be 'nearest' or 'bilinear'; got {interpolation!r}.")
    mode, fill = checked_mode(name, fill_mode), checked_fill(fill_value, dtype_of(x))
    deviation = number(name, sigma, "sigma")
    if not 0 < deviation <= 1e4:
        raise ArgumentError(f"{name}: sigma must lie above 0, and not above 10000; got {sigma!r}.")
    dtype = "float64" if dtype_of(x) == "float64" else "float32"
    strength = as_dtype(alpha, dtype) if is_symbolic(alpha) else np.asarray(number(name, alpha, "alpha"), dtype)
    if tuple(shape_of(strength)) != ():
        raise ShapeError(f"{name}: alpha must be one number; got shape {tuple(shape_of(strength))}.")
    window, (count, height, width) = int(6 * deviation) | 1, ops.shape(batch)[:3]
    noise = draw(
        random_normal_op, (count, height, width, 2), seed, is_symbolic(x), dtype=dtype, mean=0.0, stddev=deviation
    )
    moves = ops.multiply(strength, gaussian_blur(noise, (window, window), (deviation, deviation), "channels_last"))
    cols = ops.add(ops.get_item(moves, (..., 0)), np.arange(width, dtype=dtype))
    rows = ops.add(ops.get_item(moves, (..., 1)), np.arange(height, dtype=dtype)[:, None])
    return as_given(read_at(batch, rows, cols, interpolation, mode, fill), name, x, data_format)


def read_at(
    batch: TensorLike, rows: TensorLike, cols: TensorLike, interpolation: str, mode: int, fill: Any
) -> TensorLike:
    """A batch (channels last) read at rows and columns (batch, height, width)."""
    dtype = dtype_of(batch)
    if interpolation == "nearest":
        return sample_nearest_op(batch, rows, cols, mode=mode, fill=fill)
    wide = batch if dtypes.is_floating(dtype) else as_dtype(batch, dtypes.floatx())
    y = sample_bilinear_op(wide, rows, cols, mode=mode, fill=float(fill))
    return stored_as(y, dtype)


# ---- axes scaled and shifted


def scale_and_translate(
    images: TensorLike,
    output_shape: Any,
    scale: TensorLike,
    translation: TensorLike,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> TensorLike:
    """An array whose axes are scaled and shifted, read between its places.

        y[j] = sum over r of  k(|p_j - r| / m) x[r] / sum over r of  k(|p_j - r| / m),   p_j = (j + 1/2 - translation) / scale - 1/2

    along each of the axes; 0 where p_j lies outside the array. m is max(1 / scale, 1) with `antialias`, else 1. k is max(1 - t, 0)
    (linear), Keys's cubic with a = -1/2, or a sinc windowed by a sinc of 3 or 5 places (lanczos3, lanczos5).

    Args:
        images: an array or tensor of known shape.
        output_shape: the result's shape; other axes than the spatial ones keep their lengths.
        scale, translation: one number for each of the spatial axes.
        spatial_dims: which axes.
        method: "linear" (also "bilinear", "trilinear", "triangle"), "cubic" (also "bicubic", "tricubic"), "lanczos3" or "lanczos5".
        antialias: whether a smaller result averages over what it leaves out.
    Returns:
        That shape, the images' dtype; integers are rounded, halves to even, and kept in range.
    NaN: spreads along its lane. Empty: empty axes that stay empty.
    Raises:
        ShapeError: shapes that do not go together.  ArgumentError: another method, an axis named twice.
    Source: Keras 3 `ops.image.scale_and_translate`; Keys 1981; Turkowski 1990.

    >>> scale_and_translate(np.array([0.0, 1.0, 2.0]), (5,), np.array([2.0]), np.array([-0.5]), (0,), "linear")
    array([0. , 0.5, 1. , 1.5, 2. ])
    """
    name = "scale_and_translate"
    x = converted(name, images, "images")
    shape, target = tuple(shape_of(x)), dimensions(name, output_shape)
    axes = [checked_axis(name, a, len(shape)) for a in entries(name, spatial_dims, "spatial_dims")]
    if not isinstance(method, str) or method not in KERNELS:
        raise ArgumentError(f"{name}: method must be one of {', '.join(KERNELS)}; got {method!r}.")
    if len(set(axes)) != len(axes):
        raise ArgumentError(f"{name}: spatial_dims {spatial_dims!r} names an axis twice.")
    kept = len(target) == len(shape) and all(a in axes or target[a] == n for a, n in enumerate(shape))
    if None in shape or is_symbolic(*target) or not kept:
        raise ShapeError(f"{name}: shape {shape} cannot become {target} along the axes {tuple(axes)}.")
    dtype = dtype_of(x)
    wide = x if dtype == "float64" else as_dtype(x, "float32")
    factors, shifts = (
        as_dtype(floating(name, v, n), dtype_of(wide)) for v, n in ((scale, "scale"), (translation, "translation"))
    )
    if tuple(shape_of(factors)) != (len(axes),) or tuple(shape_of(shifts)) != (len(axes),):
        raise ShapeError(
            f"{name} needs one scale and one translation for each of {len(axes)} axes; "
            f"got shapes {tuple(shape_of(factors))} and {tuple(shape_of(shifts))}."
        )
    smooth = flag(name, antialias, "antialias")
    for k, axis in enumerate(axes):
        one, shift = ops.get_item(factors, k), ops.get_item(shifts, k)
        with in_memory(name):
            wide = scaled_along(wide, axis, target[axis], one, shift, KERNELS[method], smooth)
    return stored_as(wide, dtype)
