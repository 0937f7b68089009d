"""Bounds, extents and widths that come from the shape of a tensor whose axes are open, against NumPy's slices."""

import numpy as np
import pytest

from refnet import layers, models, ops
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError

X = np.arange(2 * 5 * 3, dtype="float32").reshape(2, 5, 3)


def computed(function, x=X):
    """The function of a tensor whose first two axes are open, for x."""
    slot = layers.Input((None, x.shape[2]))
    model = models.Model(slot, function(slot))
    assert model.output_shape[1] is None
    return model.predict(x, verbose=0)


PARTS = [
    (lambda x, n: x[:, :n], 5),
    (lambda x, n: x[:, : n - 1], 5),
    (lambda x, n: x[:, 2:n], 5),
    (lambda x, n: x[:, n // 2 :], 5),
    (lambda x, n: x[:, n - 7 :], 5),
    (lambda x, n: x[:, -n + 1 : -1], 5),
    (lambda x, n: x[:, n:1], 5),
    (lambda x, n: x[:, : n + 3, None, 1:], 5),
    (lambda x, n: x[..., :n, 1], 5),
]


@pytest.mark.parametrize("part, n", PARTS)
def test_slices(part, n):
    np.testing.assert_array_equal(computed(lambda x: part(x, ops.shape(x)[1])), part(X, n))


def test_a_table_is_cut_to_the_length_of_what_comes_and_learns():
    class Positions(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight((8, shape[-1]), "zeros", name="table")

        def call(self, x):
            return x + self.table[: ops.shape(x)[1]]

    model = models.Sequential([layers.Input((None, 3)), Positions(), layers.GlobalAveragePooling1D()])
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((2, 3)), epochs=1, verbose=0)
    (table,) = model.get_weights()
    assert (table[:5] != 0).all() and (table[5:] == 0).all()


def test_blocks_and_what_surrounds_them():
    block = computed(lambda x: ops.slice(x, (0, 1, 0), (ops.shape(x)[0], ops.shape(x)[1] - 2, 2)))
    np.testing.assert_array_equal(block, X[:, 1:4, :2])
    padded = computed(lambda x: ops.pad(x, ((0, 0), (1, 8 - ops.shape(x)[1]), (0, 0)), constant_values=7))
    np.testing.assert_array_equal(padded, np.pad(X, ((0, 0), (1, 3), (0, 0)), constant_values=7))


def test_a_block_is_put_into_every_sample_of_an_open_batch():
    x, block = layers.Input((5, 3)), layers.Input((2, 3))
    y = ops.slice_update(x, (0, 2, 0), block)
    model = models.Model([x, block], [y, *ops.gradients(ops.sum(ops.square(y)), [x, block])])
    assert y.shape == (None, 5, 3)
    made, dx, dblock = model.predict([X, -X[:, :2]], verbose=0)
    expected = X.copy()
    expected[:, 2:4] = -X[:, :2]
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(dx, np.where(np.isin(np.arange(5), (2, 3))[:, None], 0, 2 * X))
    np.testing.assert_array_equal(dblock, -2 * X[:, :2])
    for start in ((1, 2, 0), (0, 4, 0)):
        with pytest.raises(ShapeError, match="slice_update: a block of shape"):
            ops.slice_update(x, start, block)


@pytest.mark.parametrize("samples, rows", [(5, 1), (5, 2), (1, 2)])
def test_a_block_is_as_long_as_an_open_axis(samples, rows):
    x, block = layers.Input((3,)), layers.Input((2,))
    model = models.Model([x, block], ops.slice_update(x, (0, 1), block))
    assert model([np.zeros((2, 3)), np.ones((2, 2))]).tolist() == [[0, 1, 1]] * 2
    with pytest.raises(ShapeError, match=rf"slice_update: a block of shape \({rows}, 2\) .* along the open axis 0"):
        model([np.zeros((samples, 3)), np.ones((rows, 2))])


def test_a_block_is_not_cut_short_by_an_open_axis():
    x = layers.Input((3,))
    y = ops.slice(x, (1, 0), (2, 2))
    model = models.Model(x, [y, *ops.gradients(ops.sum(ops.square(y)), [x])])
    assert y.shape == (2, 2)
    part, dx = model(X[0])
    np.testing.assert_array_equal(part, X[0, 1:3, :2])
    np.testing.assert_array_equal(dx, np.pad(2 * X[0, 1:3, :2], ((1, 2), (0, 1))))
    with pytest.raises(ShapeError, match=r"slice: a block of shape \(2, 2\) from \(1, 0\) leaves shape \(2, 3\)"):
        model(X[0, :2])


def test_what_cannot_bound_a_slice():
    x = layers.Input((None, 3))
    n = ops.shape(x)[1]
    for part, error, words in (
        (np.s_[:, : ops.cast(n, "float32")], DtypeError, "a bound of a slice must be integers; got float32"),
        (np.s_[:, ::n], ArgumentError, "has steps of 1"),
        (np.s_[:, 1:n:2], ArgumentError, "has steps of 1; got 2"),
        (np.s_[:, : ops.reshape(n, (1,))], ArgumentError, "a bound of a slice is a single integer"),
        (np.s_[:, :1.5], ArgumentError, "the bounds and the step of a slice are integers; got 1.5"),
    ):
        with pytest.raises(error, match=words):
            ops.get_item(x, part)
    for widths in (((0, 0), (0, n)), ((0, 0), (-1, n), (0, 0)), ((0, 0), (n, 1.5), (0, 0)), (0, (0, n), 0)):
        with pytest.raises(ArgumentError, match="one pair for each of 3 axes, not below 0"):
            ops.pad(x, widths)
    with pytest.raises(ArgumentError, match="mode 'edge' takes widths that are integers"):
        ops.pad(x, ((0, 0), (0, n), (0, 0)), "edge")
    with pytest.raises(ArgumentError, match="mode must be"):
        ops.pad([1, 2, 3], 1, np.zeros(0))
    with pytest.raises(DataError, match="indices must lie in -5..4"):
        computed(lambda x: ops.slice(x, (0, 2, 0), (ops.shape(x)[0], ops.shape(x)[1], 3)))
