"""Laws that tie ops to each other, exact or to a bound that follows from the arithmetic; on every engine."""

import numpy as np
import pytest
from drawing import Drawn
from hypothesis import given
from hypothesis import strategies as st

from refnet import ops
from refnet.engine import use_engine
from refnet.testing.closeness import ELEMENTARY

U = 2.0**-24


def floats(draw, shape):
    """Ordinary float32 values: the laws hold up to rounding where nothing overflows."""
    rng = np.random.default_rng(draw.integer(0, 2**16))
    return rng.standard_normal(shape).astype("float32") * np.float32(2.0 ** draw.integer(-3, 3))


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@given(data=st.data())
def test_softmax_sums_to_one(engine, data):
    draw = Drawn(data)
    x = floats(draw, draw.shape(2, 2, 1, 9))
    with use_engine(engine):
        y = ops.softmax(x)
    # The exact sum is 1. Each element is an exp (ELEMENTARY roundings, and that of its argument, which counts the less the smaller
    # the element is: p * |log p| < 1) divided by a total of n terms; each is rounded once more.
    assert np.all(np.abs(y.astype("float64").sum(-1) - 1) <= (2 * x.shape[-1] + ELEMENTARY + 2) * U)
    assert np.all(y >= 0)


@given(data=st.data())
def test_softmax_does_not_see_a_shift(engine, data):
    """A shift by a power of two that changes no bit of the differences changes no bit of the result."""
    draw = Drawn(data)
    shape = draw.shape(2, 2, 1, 6)
    x = draw.array(shape, "int32", low=-100, high=100).astype("float32")
    with use_engine(engine):
        assert same_bits(ops.softmax(x), ops.softmax(x + np.float32(1024)))


@given(data=st.data())
def test_concatenate_undoes_split(engine, data):
    draw = Drawn(data)
    x = draw.array(draw.shape(1, 3, 1, 6), draw.real())
    axis = draw.integer(0, x.ndim - 1)
    cut = draw.integer(0, x.shape[axis])
    with use_engine(engine):
        parts = ops.split(x, [cut], axis=axis)
        assert same_bits(ops.concatenate(parts, axis=axis), np.ascontiguousarray(x))


@given(data=st.data())
def test_transpose_undoes_itself(engine, data):
    draw = Drawn(data)
    x = draw.array(draw.shape(1, 3), draw.real())
    axes = list(np.random.default_rng(draw.integer(0, 99)).permutation(x.ndim))
    with use_engine(engine):
        back = ops.transpose(ops.transpose(x, axes), [axes.index(a) for a in range(x.ndim)])
    assert same_bits(back, np.ascontiguousarray(x))


@given(data=st.data())
def test_matmul_with_one_hot_rows_takes_rows(engine, data):
    """One 1 among zeros: the product picks, without rounding; and so does take."""
    draw = Drawn(data)
    table = floats(draw, (draw.integer(1, 6), draw.integer(1, 6)))
    rows = draw.array((draw.integer(1, 5),), "int32", low=0, high=len(table) - 1)
    with use_engine(engine):
        picked = ops.take(table, rows, axis=0)
        assert np.array_equal(ops.matmul(ops.one_hot(rows, len(table)), table), picked)
    assert same_bits(picked, table[rows])


@given(data=st.data())
def test_matmul_transposes(engine, data):
    """(a b)^T == b^T a^T, on whole numbers, which do not round."""
    draw = Drawn(data)
    rows, inner, columns = (draw.integer(1, 7) for _ in range(3))
    a = draw.array((rows, inner), "int32", low=-50, high=50).astype("float32")
    b = draw.array((inner, columns), "int32", low=-50, high=50).astype("float32")
    with use_engine(engine):
        assert np.array_equal(ops.transpose(ops.matmul(a, b)), ops.matmul(b.T, a.T))
        assert np.array_equal(ops.matmul(a, b), a.astype("int64") @ b.astype("int64"))


@given(data=st.data())
def test_long_sums_of_whole_numbers_are_exact(engine, data):
    """Longer than any block of a kernel: below 2**24 nothing rounds in whatever order, so that no term can be missing or doubled."""
    draw = Drawn(data)
    length = 4097 if engine == "cuda-sim" else draw.choice((4097, 4100, 6001, 8192, 9999))
    rng = np.random.default_rng(draw.integer(0, 2**16))
    whole = lambda *shape: rng.integers(-9, 10, shape).astype("float32")
    a, b, x, image, kernel = whole(2, length), whole(length, 3), whole(8192), whole(1, 2, length), whole(2, length, 2)
    terms = lambda *arrays: [array.astype("int64") for array in arrays]
    with use_engine(engine):
        assert np.array_equal(ops.sum(a, 1), np.sum(*terms(a), 1)) and np.array_equal(
            ops.sum(b, 0), np.sum(*terms(b), 0)
        )
        assert ops.mean(x) == np.sum(*terms(x)) / 8192
        assert np.array_equal(ops.matmul(a, b), np.matmul(*terms(a, b)))
        assert np.array_equal(ops.conv(image, kernel)[0], np.tensordot(*terms(image[0], kernel))[None])
        assert np.array_equal(ops.cumsum(b, 0), np.cumsum(*terms(b), 0))


@given(data=st.data())
def test_convolutions_of_thousands_of_whole_channels_are_exact(native_engine, data):
    """16 filters are computed as they are defined, 32 in tiles, whose terms stay below 2**24 too."""
    draw = Drawn(data)
    channels, filters = draw.choice((4097, 4608)), draw.choice((16, 32))
    rng = np.random.default_rng(draw.integer(0, 2**16))
    image, kernel = (rng.integers(-3, 4, s).astype("float32") for s in ((1, 2, 2, channels), (3, 3, channels, filters)))
    padded = np.pad(image.astype("int64"), ((0, 0), (1, 1), (1, 1), (0, 0)))
    with use_engine(native_engine):
        y = ops.conv(image, kernel, padding="same")
    for i, j in np.ndindex(2, 2):
        assert np.array_equal(y[0, i, j], np.tensordot(padded[0, i : i + 3, j : j + 3], kernel.astype("int64"), 3))


@given(data=st.data())
def test_max_is_what_argmax_points_at(engine, data):
    draw = Drawn(data)
    x = draw.array(draw.shape(2, 2, 1, 6), draw.choice(("float32", "int32")))
    with use_engine(engine):
        best, place = ops.max(x, axis=1), ops.argmax(x, axis=1)
    assert np.array_equal(best, x[np.arange(len(x)), place], equal_nan=x.dtype.kind == "f")


@given(data=st.data())
def test_relu_and_its_mirror_make_the_absolute_value(engine, data):
    draw = Drawn(data)
    x = draw.array(draw.shape(1, 2), "float32")
    with use_engine(engine):
        assert np.array_equal(ops.relu(x) + ops.relu(-x), ops.abs(x), equal_nan=True)


@given(data=st.data())
def test_rolling_back_undoes_rolling(engine, data):
    draw = Drawn(data)
    x = draw.array(draw.shape(1, 3), draw.real())
    axis, shift = draw.integer(0, x.ndim - 1), draw.integer(-9, 9)
    with use_engine(engine):
        assert same_bits(ops.roll(ops.roll(x, shift, axis), -shift, axis), np.ascontiguousarray(x))


@given(data=st.data())
def test_two_triangles_make_the_matrix(engine, data):
    draw = Drawn(data)
    x = draw.array(draw.shape(2, 3), "int32")
    k = draw.integer(-3, 3)
    with use_engine(engine):
        assert same_bits(ops.add(ops.tril(x, k), ops.triu(x, k + 1)), np.ascontiguousarray(x))


@given(data=st.data())
def test_sort_is_a_permutation_and_ordered(engine, data):
    draw = Drawn(data)
    x = draw.array((draw.integer(1, 4), draw.integer(1, 40)), draw.choice(("float32", "int32")))
    with use_engine(engine):
        y, order = ops.sort(x), ops.argsort(x)
    assert np.array_equal(np.sort(order), np.broadcast_to(np.arange(x.shape[1]), x.shape))
    assert same_bits(y, np.take_along_axis(x, order, 1))
    pairs = y[:, :-1], y[:, 1:]
    assert np.all((pairs[0] <= pairs[1]) | (pairs[1] != pairs[1]))
    equal = (pairs[0] == pairs[1]) | (pairs[0] != pairs[0])
    assert np.all((order[:, :-1] < order[:, 1:]) | ~equal)


@given(data=st.data())
def test_scatter_undoes_gather(engine, data):
    """What was taken from different rows goes back where it was."""
    draw = Drawn(data)
    x = draw.array((draw.integer(1, 6), draw.integer(1, 4)), "int32")
    order = np.random.default_rng(draw.integer(0, 99)).permutation(len(x))[: draw.integer(0, len(x))]
    with use_engine(engine):
        rows = ops.take(x, order, axis=0)
        assert same_bits(ops.scatter_update(x, order[:, None], rows), np.ascontiguousarray(x))
        back = ops.scatter(order[:, None], rows, x.shape)
    kept = np.isin(np.arange(len(x)), order)[:, None]
    assert np.array_equal(back, np.where(kept, x, 0))


@given(data=st.data())
def test_searchsorted_says_where_a_value_belongs(engine, data):
    draw = Drawn(data)
    row = np.sort(draw.array((draw.integer(0, 9),), "int32"))
    x = draw.array((5,), "int32")
    with use_engine(engine):
        left, right = ops.searchsorted(row, x), ops.searchsorted(row, x, side="right")
    assert np.array_equal(left, (row[None] < x[:, None]).sum(1))
    assert np.array_equal(right, (row[None] <= x[:, None]).sum(1))


@given(data=st.data())
def test_counts_add_up(engine, data):
    draw = Drawn(data)
    x = draw.array((draw.integer(0, 30),), "int32", low=0, high=6)
    with use_engine(engine):
        counts = ops.bincount(x, minlength=7)
        assert counts.sum() == len(x)
        assert same_bits(counts, ops.segment_sum(np.ones(len(x), "int32"), x, 7))


@pytest.mark.parametrize("size", [1, 1000, 2**17 + 3])
def test_sum_of_ones_counts(engine, size):
    with use_engine(engine):
        assert float(ops.sum(np.ones(size, "float32"))) == size


# ---- convolution and pooling, on whole numbers, which do not round


def whole(draw, shape, reach=3):
    return draw.array(shape, "int32", low=-reach, high=reach).astype("float32")


def slid(draw):
    """An image, a kernel, and how one slides over the other."""
    rank = draw.choice((1, 2, 2, 3))
    channels, sizes = draw.integer(1, 3), draw.several(rank, 3)
    padding = draw.choice(("valid", "same"))
    extents = [draw.integer(size, 6) for size in sizes]
    x = whole(draw, (draw.integer(1, 2), *extents, channels))
    return (
        x,
        whole(draw, (*sizes, channels, draw.integer(1, 3))),
        {"strides": draw.several(rank, 3), "padding": padding},
    )


@given(data=st.data())
def test_convolution_is_linear_in_inputs_and_in_kernel(engine, data):
    draw = Drawn(data)
    x, k, a = slid(draw)
    with use_engine(engine):
        y = ops.conv(x, k, **a)
        more = whole(draw, x.shape)
        assert np.array_equal(ops.conv(x + 2 * more, k, **a), y + 2 * ops.conv(more, k, **a))
        more = whole(draw, k.shape)
        assert np.array_equal(ops.conv(x, k - 3 * more, **a), y - 3 * ops.conv(x, more, **a))


@given(data=st.data())
def test_convolution_of_a_shifted_image_is_the_shifted_convolution(engine, data):
    draw = Drawn(data)
    x, k, a = slid(draw)
    moved = [step * draw.integer(0, 2) for step in a["strides"]]  # whole windows
    shifted = np.pad(x, [(0, 0), *[(n, 0) for n in moved], (0, 0)])
    rows = tuple(slice(n // step, None) for n, step in zip(moved, a["strides"]))
    with use_engine(engine):
        y = ops.conv(x, k, a["strides"])
        assert np.array_equal(ops.conv(shifted, k, a["strides"])[(slice(None), *rows)], y)


@given(data=st.data())
def test_transposed_convolution_is_the_adjoint(engine, data):
    """<conv(x), dy> == <x, conv_transpose(dy)>, where the windows reach the end of the image."""
    draw = Drawn(data)
    x, k, a = slid(draw)
    reached = [n - (n - size) % step for n, size, step in zip(x.shape[1:], k.shape, a["strides"])]
    x = x[(slice(None), *map(slice, reached))]
    with use_engine(engine):
        y = ops.conv(x, k, a["strides"])
        dy = whole(draw, y.shape)
        back = ops.conv_transpose(dy, k, a["strides"], output_padding=0)
    assert back.shape == x.shape
    assert float((y * dy).sum(dtype="float64")) == float((x * back).sum(dtype="float64"))


@given(data=st.data())
def test_separable_is_depthwise_then_a_product_of_channels(engine, data):
    draw = Drawn(data)
    x, k, a = slid(draw)
    each, rank = k.shape[-1], x.ndim - 2
    mixture = whole(draw, (*[1] * rank, x.shape[-1] * each, 2))
    with use_engine(engine):
        alone = ops.depthwise_conv(x, k, **a)
        for c in range(x.shape[-1]):  # each channel is a convolution of its own
            lane = ops.conv(x[..., c : c + 1], k[..., c : c + 1, :], **a)
            assert np.array_equal(alone[..., c * each : (c + 1) * each], lane)
        expected = ops.matmul(alone, mixture.reshape(-1, 2))
        assert np.array_equal(ops.separable_conv(x, k, mixture, **a), expected)


@given(data=st.data())
def test_pooling_over_the_whole_window_is_a_reduction(engine, data):
    draw = Drawn(data)
    rank = draw.integer(1, 3)
    extents, axes = draw.several(rank, 4), tuple(range(1, rank + 1))
    x = whole(draw, (2, *extents, 3))
    count = np.float32(np.prod(extents))
    with use_engine(engine):
        for largest in (ops.max_pool(x, extents), ops.adaptive_max_pool(x, 1)):
            assert np.array_equal(largest, ops.max(x, axes, keepdims=True))
        # Of multiples of the number of places, the means over each axis are whole numbers, and a quotient that is one does not round.
        total = ops.sum(x * count, axes, keepdims=True)
        for mean in (ops.average_pool(x * count, extents), ops.adaptive_average_pool(x * count, 1)):
            assert np.array_equal(mean * count, total)


@given(data=st.data())
def test_max_pool_is_average_pool_where_all_are_equal(engine, data):
    draw = Drawn(data)
    extents, value = draw.several(2, 6), whole(draw, (2, 1, 1, 2))
    x = np.broadcast_to(value, (2, *extents, 2)).copy()
    a = {"pool_size": draw.several(2, 3), "strides": draw.several(2, 3), "padding": "same"}
    with use_engine(engine):
        assert np.array_equal(ops.max_pool(x, **a), ops.average_pool(x, **a))
