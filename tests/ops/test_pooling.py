"""Pooling by hand; three axes against a brute search; open shapes against known ones."""

import itertools

import numpy as np
import pytest

from refnet import ops
from refnet.definition import Op
from refnet.engine import reference
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program

NAN = np.nan


def run(inputs, outputs, *feeds):
    return reference.prepare(Program(inputs, outputs)).run(feeds)


def image(rows):
    return np.array(rows, float)[None, :, :, None]


def gradient(function, x, dy, *arguments, **keywords):
    """What flows back to x where dy flows into the result."""
    symbol, seed = Tensor(x.shape, x.dtype.name), Tensor(np.shape(dy), "float64")
    (dx,) = gradients(ops.multiply(function(symbol, *arguments, **keywords), seed), [symbol])
    return run([symbol, seed], [dx], x, dy)[0]


def test_max_pool_sends_tied_gradients_to_the_first():
    x = image([[1, 1], [0, 1]])
    assert np.array_equal(gradient(ops.max_pool, x, image([[5]]), 2), image([[5, 0], [0, 0]]))


def test_ties_of_overlapping_windows_go_to_the_first_of_each():
    x = image([[1, 1, 1]])
    assert np.array_equal(gradient(ops.max_pool, x, image([[5, 7]]), (1, 2), 1), image([[5, 7, 0]]))


def test_the_first_nan_wins_over_everything():
    x = image([[9, NAN], [NAN, np.inf]])
    assert np.isnan(ops.max_pool(x, 2)).all()
    assert np.array_equal(gradient(ops.max_pool, x, image([[5]]), 2), image([[0, 5], [0, 0]]))


def test_a_window_of_minus_infinities_has_a_winner():
    x = np.full((1, 2, 2, 1), -np.inf)
    assert ops.max_pool(x, 2).item() == -np.inf
    assert np.array_equal(gradient(ops.max_pool, x, image([[5]]), 2), image([[5, 0], [0, 0]]))


def test_padding_takes_no_part():
    x = image([[-1, -2, -3]])
    assert ops.max_pool(x, (1, 3), 1, "same")[0, 0, :, 0].tolist() == [-1, -1, -2]
    assert ops.average_pool(x, (1, 3), 1, "same")[0, 0, :, 0].tolist() == [-1.5, -2, -2.5]
    assert ops.average_pool(x, (2, 2), 2, "same")[0, 0, :, 0].tolist() == [-1.5, -3]


def test_average_gradient_shares_by_what_the_window_holds():
    dx = gradient(ops.average_pool, image([[1, 2, 3]]), image([[6, 12, 18]]), (1, 3), 1, "same")
    assert dx[0, 0, :, 0].tolist() == [7, 16, 13]


def test_strides_beyond_the_window_leave_gaps():
    x = image([[1, 9, 2, 3, 9, 4]])
    assert ops.max_pool(x, (1, 1), (1, 3))[0, 0, :, 0].tolist() == [1, 3]
    assert gradient(ops.max_pool, x, image([[5, 6]]), 1, (1, 3))[0, 0, :, 0].tolist() == [5, 0, 0, 6, 0, 0]


def test_integers_are_pooled_as_they_are_and_averaged_as_floats():
    x = np.arange(4, dtype="int32").reshape(1, 4, 1)
    assert ops.max_pool(x, 2).dtype == np.int32
    assert ops.average_pool(x, 2).tolist() == [[[0.5], [2.5]]] and ops.average_pool(x, 2).dtype == np.float32
    assert ops.max_pool(np.array([[[False], [True]]]), 2).tolist() == [[[True]]]


def test_an_empty_batch():
    assert ops.max_pool(np.zeros((0, 4, 4, 2)), 2).shape == (0, 2, 2, 2)
    assert ops.average_pool(np.zeros((0, 4, 4, 2)), 3, padding="same").shape == (0, 2, 2, 2)
    assert ops.adaptive_max_pool(np.zeros((0, 4, 4, 2)), 3).shape == (0, 3, 3, 2)


@pytest.mark.parametrize("padding, strides", [("valid", (1, 2, 1)), ("same", (2, 1, 2)), ("same", (3, 3, 1))])
def test_three_axes_find_the_first_largest_in_row_major_order(padding, strides):
    """Pooled axis by axis, but with the winners of a search through whole windows."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (2, 4, 5, 3, 2)).astype(float)  # many ties
    x[rng.random(x.shape) < 0.05] = NAN
    pool = (2, 3, 2)
    y = ops.max_pool(x, pool, strides, padding)
    dy = rng.integers(1, 9, y.shape).astype(float)
    dx, expected = gradient(ops.max_pool, x, dy, pool, strides, padding), np.zeros_like(x)
    before = []
    for n, size, step, count in zip(x.shape[1:4], pool, strides, y.shape[1:4]):
        before.append(max((count - 1) * step + size - n, 0) // 2 if padding == "same" else 0)
    for index in np.ndindex(*y.shape):
        starts = [i * step - ahead for i, step, ahead in zip(index[1:4], strides, before)]
        ranges = [range(max(s, 0), min(s + size, n)) for s, size, n in zip(starts, pool, x.shape[1:4])]
        places = [(index[0], *place, index[4]) for place in itertools.product(*ranges)]
        values = np.array([x[place] for place in places])
        np.testing.assert_equal(y[index], values.max())
        expected[places[int(np.argmax(values))]] += dy[index]
    np.testing.assert_array_equal(dx, expected)


CALLS = [
    (ops.max_pool, {"pool_size": 2}),
    (ops.max_pool, {"pool_size": 3, "strides": 2, "padding": "same"}),
    (ops.average_pool, {"pool_size": 2, "strides": 3}),
    (ops.average_pool, {"pool_size": 2, "strides": 1, "padding": "same"}),
    (ops.adaptive_max_pool, {"output_size": 2}),
    (ops.adaptive_average_pool, {"output_size": 3}),
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("function, keywords", CALLS, ids=lambda x: getattr(x, "__name__", str(x)))
def test_open_axes_give_what_known_ones_give(function, keywords, rank, data_format):
    """The result, the gradient, and the gradient of the gradient's squares."""
    first = data_format == "channels_first"
    extents = (4, 5, 3)[:rank]
    shape = (2, 3, *extents) if first else (2, *extents, 3)
    opened = (None, 3, *[None] * rank) if first else (None, *[None] * rank, 3)
    feed = np.random.default_rng(1).integers(-9, 10, shape).astype("float64")

    def all_of(x):
        y = function(x, data_format=data_format, **keywords)
        (dx,) = gradients(ops.multiply(y, ops.square(y)), [x])
        (second,) = gradients(ops.sum(ops.square(dx)), [x])
        return y.shape, run([x], [y, dx, second], feed)

    promised, known = all_of(Tensor(shape, "float64"))
    open_promise, open_ones = all_of(Tensor(opened, "float64"))
    assert promised == known[0].shape
    assert all(p in (None, n) for p, n in zip(open_promise, promised))
    for a, b in zip(known, open_ones):
        np.testing.assert_array_equal(a, b)


def test_adaptive_windows_cover_the_axis_and_overlap_where_they_must():
    x = np.arange(5.0).reshape(1, 5, 1)
    assert ops.adaptive_max_pool(x, 3)[0, :, 0].tolist() == [1, 3, 4]
    assert ops.adaptive_average_pool(x, 3)[0, :, 0].tolist() == [0.5, 2, 3.5]
    assert ops.adaptive_average_pool(x, 5)[0, :, 0].tolist() == [0, 1, 2, 3, 4]
    assert ops.adaptive_max_pool(x[:, :2], 4)[0, :, 0].tolist() == [0, 0, 1, 1]


def test_adaptive_ties_go_to_the_first_in_row_major_order():
    dx = gradient(ops.adaptive_max_pool, image([[0, 1], [1, 1]]), image([[5]]), 1)
    assert np.array_equal(dx, image([[0, 5], [0, 0]]))


def test_pooling_stands_on_images_alone():
    names = {name for name, op in Op.named.items() if op.primitive and "pool" in name}
    assert names == {
        *("max_pool2d", "max_pool2d_picked", "max_pool2d_inputs_gradient"),
        *("average_pool2d", "average_pool2d_inputs_gradient"),
    }
