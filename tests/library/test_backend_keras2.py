"""`backend` (K): functions that only Keras 2 has, beside NumPy, on arrays and in graphs."""

from typing import Any

import numpy as np
import pytest

from refnet import backend as K
from refnet import layers, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Dense, Input, Lambda
from refnet.models import Model
from refnet.testing.closeness import close

generator = np.random.default_rng(0)


def small(*size: int) -> Any:
    """Whole numbers: their sums of products are exact."""
    return generator.integers(-4, 5, size).astype("float32")


@pytest.mark.parametrize(
    ("x", "y", "axes", "rule"),
    [
        ((2, 3, 4), (2, 4, 5), None, "nij,njk->nik"),
        ((2, 3, 4), (2, 4), None, "nij,nj->ni"),
        ((2, 4), (2, 4, 3), 1, "nj,njk->nk"),
        ((2, 3, 4), (2, 5, 4), (2, 2), "nij,nkj->nik"),
        ((2, 3, 4), (2, 3, 6), [1, 1], "nji,njk->nik"),
        ((2, 3, 4), (2, 6, 4), -1, "nij,nkj->nik"),
        ((2, 3, 4, 5), (2, 6, 4, 7), (2, 2), "niaj,nkal->nijkl"),
    ],
)
def test_batch_dot_follows_its_axes(x: Any, y: Any, axes: Any, rule: str) -> None:
    x, y = small(*x), small(*y)
    expected = np.einsum(rule, x, y)
    assert np.array_equal(K.batch_dot(x, y, axes), expected)
    inputs = [Input(a.shape[1:]) for a in (x, y)]
    output = Lambda(lambda pair: K.batch_dot(*pair, axes=axes))(inputs)
    assert output.shape == (None, *expected.shape[1:])
    assert np.array_equal(Model(inputs, output).predict([x, y], verbose=0), expected)


def test_batch_dot_of_vectors_and_its_refusals() -> None:
    x, y = small(3, 4), small(3, 4)
    assert np.array_equal(K.batch_dot(x, y), (x * y).sum(1, keepdims=True))
    with pytest.raises(ShapeError, match="batch_dot sums over axis 0 of a sample"):
        K.batch_dot(x, y, 0)
    with pytest.raises(ShapeError, match=r"batch_dot: axis 1 of \(3, 4\) and axis 1 of \(3, 5\) differ: 4 and 5"):
        K.batch_dot(x, small(3, 5))
    with pytest.raises(ArgumentError, match="a pair"):
        K.batch_dot(x, y, [1, 1, 1])


IMAGE, VOLUME = small(2, 3, 4, 2), small(1, 2, 3, 2, 2)
PLANES = np.moveaxis(IMAGE, -1, 1)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (lambda x: K.repeat(x, 3), small(2, 4), lambda x: np.repeat(x[:, None], 3, 1)),
        (lambda x: K.repeat_elements(x, 2, 1), IMAGE, lambda x: np.repeat(x, 2, 1)),
        (lambda x: K.tile(x, (2, 1)), small(2, 4), lambda x: np.tile(x, (2, 1))),
        (lambda x: K.reverse(x, [0, 1]), small(2, 4), lambda x: x[::-1, ::-1]),
        (K.cumsum, small(3, 2), lambda x: x.cumsum(0)),
        (lambda x: K.cumprod(x, 1), small(3, 2), lambda x: x.cumprod(1)),
        (K.round, small(4) / 2, np.round),
        (K.identity, IMAGE, lambda x: x),
        (lambda x: K.slice(x, [1, 0], [1, 2]), small(3, 4), lambda x: x[1:2, :2]),
        (lambda x: K.temporal_padding(x, (2, 1)), small(2, 3, 2), lambda x: np.pad(x, ((0, 0), (2, 1), (0, 0)))),
        (K.spatial_2d_padding, IMAGE, lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))),
        (
            lambda x: K.spatial_2d_padding(x, ((1, 0), (0, 2)), "channels_first"),
            PLANES,
            lambda x: np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2))),
        ),
        (K.spatial_3d_padding, VOLUME, lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))),
        (lambda x: K.resize_images(x, 2, 3, "channels_last"), IMAGE, lambda x: x.repeat(2, 1).repeat(3, 2)),
        (lambda x: K.resize_images(x, 2, 3, "channels_first"), PLANES, lambda x: x.repeat(2, 2).repeat(3, 3)),
        (lambda x: K.resize_volumes(x, 1, 2, 3, "channels_last"), VOLUME, lambda x: x.repeat(2, 2).repeat(3, 3)),
        (lambda x: K.bias_add(x, np.array([10, 20])), IMAGE, lambda x: x + [10, 20]),
        (lambda x: K.bias_add(x, np.array([10, 20]), "channels_first"), PLANES, lambda x: x + [[[10]], [[20]]]),
        (lambda x: K.bias_add(x, IMAGE[0]), IMAGE, lambda x: x + x[0]),
        (lambda x: K.bias_add(x, IMAGE[0], "channels_first"), PLANES, lambda x: x + IMAGE[0].reshape(2, 3, 4)),
        (lambda x: K.pool2d(x, (2, 2), (1, 2), pool_mode="max"), IMAGE, lambda x: x[:, :2].clip(x[:, 1:]).reshape(2, 2, 2, 2, 2).max(3)),
        (lambda x: K.switch(np.array([1, 0]), x, -x), IMAGE, lambda x: np.stack([x[0], -x[1]])),
        (lambda x: K.map_fn(lambda row: K.sum(row), x), small(3, 2), lambda x: x.sum(1)),
        (lambda x: K.foldl(lambda total, row: total - row, x), small(3, 2), lambda x: x[0] - x[1] - x[2]),
        (lambda x: K.foldr(lambda total, row: total - row, x), small(3, 2), lambda x: x[2] - x[1] - x[0]),
        (lambda x: K.foldl(lambda a, row: a - row, x, np.ones(2)), small(3, 2), lambda x: 1 - x.sum(0)),
    ],
)  # fmt: skip
def test_it_does_what_numpy_does(function: Any, x: Any, expected: Any) -> None:
    assert np.array_equal(K.eval(function(x)), expected(x))
    assert np.array_equal(K.eval(function(K.constant(x))), expected(x))


def test_convolutions_are_those_of_ops() -> None:
    image, kernel, steps = small(2, 5, 4, 2), small(3, 3, 2, 3), small(2, 5, 2)
    assert np.array_equal(K.conv2d(image, kernel, (2, 1), "same"), ops.conv(image, kernel, (2, 1), "same"))
    late = K.conv1d(steps, kernel[0], padding="causal", dilation_rate=2)
    padded = np.pad(steps, ((0, 0), (4, 0), (0, 0)))
    assert np.array_equal(late, sum(padded[:, 2 * p : 2 * p + 5] @ kernel[0][p] for p in range(3)))
    first = K.conv1d(steps.swapaxes(1, 2), kernel[0], 1, "causal", "channels_first", 2)
    assert np.array_equal(first, late.swapaxes(1, 2))
    back = np.swapaxes(kernel, 2, 3)
    assert K.conv2d_transpose(image, back, (None, 10, 8, 3), (2, 2), "same").shape == (2, 10, 8, 3)
    with pytest.raises(ShapeError, match=r"gives shape \(2, 10, 8, 3\) here; got output_shape \(2, 9, 8, 3\)"):
        K.conv2d_transpose(image, back, (2, 9, 8, 3), (2, 2), "same")
    with pytest.raises(ArgumentError, match="pool_mode"):
        K.pool2d(image, 2, pool_mode="mean")


def test_batch_normalization_with_moments_of_both_forms() -> None:
    x, mean, var = small(2, 3, 2), np.array([1.0, -1.0], "float32"), np.array([4.0, 0.25], "float32")
    expected = (x - mean) / np.sqrt(var) * 2 + 3
    two, three = np.full(2, 2.0, "float32"), np.full(2, 3.0, "float32")
    assert np.array_equal(K.batch_normalization(x, mean, var, three, two, epsilon=0.0), expected)
    spread = [v.reshape(1, 1, 2) for v in (mean, var, three, two)]
    close(K.batch_normalization(x, *spread, epsilon=0.0), expected, 6, np.abs(expected).max())
    with pytest.raises(ShapeError, match="batch_normalization cannot combine"):
        K.batch_normalization(x, np.ones((5, 1)), np.ones((5, 1)), None, None)
    y, own, spread_of_it = K.normalize_batch_in_training(x, two, three, [0, 1])
    close(own, x.mean((0, 1)), 6, 4)
    close(spread_of_it, x.var((0, 1)), 12, 16)
    assert y.shape == x.shape
    with pytest.raises(ArgumentError, match=r"all axes but one; got \[1\] of 3"):
        K.normalize_batch_in_training(x, two, three, [1])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("steps", [4, None])
def test_rnn_is_what_the_layer_does(steps: Any, masked: bool) -> None:
    x, mask = small(2, 4, 3), np.array([[True, False, True, True], [False, True, True, False]])
    cell = layers.SimpleRNNCell(2)
    inputs = Input((steps, 3))
    told = Input((steps,), dtype="bool")
    layer = layers.RNN(cell, return_sequences=True, return_state=True)
    zeros = K.zeros_like(inputs[:, 0, :2])
    by_layer = layer(inputs, initial_state=[zeros], mask=told if masked else None)
    last, outputs, states = K.rnn(lambda x, s: cell(x, s), inputs, [zeros], mask=told if masked else None)
    found = Model([inputs, told], [*by_layer, outputs, *states, last]).predict([x, mask], verbose=0)
    close(found[2], found[0], 4 * 8, 1)
    close(found[3], found[1], 4 * 8, 1)
    close(found[4], found[0][:, -1], 4 * 8, 1)


def test_rnn_by_hand() -> None:
    x = np.arange(1.0, 4.0).reshape(1, 3, 1)
    sums = lambda x, states: (x + states[0] * states[1], [x + states[0]])
    start, factor = [np.zeros((1, 1))], [np.full((1, 1), 10.0)]
    last, outputs, (state,) = K.rnn(sums, x, start, go_backwards=True, constants=factor)
    assert outputs.ravel().tolist() == [3, 32, 51] and last.item() == 51 and state.item() == 6
    mask = np.array([[True, False, True]])
    assert K.rnn(sums, x, start, mask=mask, constants=factor)[1].ravel().tolist() == [1, 1, 13]
    empty = K.rnn(sums, x, start, mask=mask, constants=factor, zero_output_for_mask=True)
    assert empty[1].ravel().tolist() == [1, 0, 13]
    major = K.rnn(sums, x.swapaxes(0, 1), start, constants=factor, time_major=True, return_all_outputs=False)
    assert major[1].tolist() == [[[33.0]]]
    with pytest.raises(ShapeError, match="rnn takes inputs of shape"):
        K.rnn(sums, np.ones((2, 3)), start)


def test_ctc_of_probabilities_has_the_blank_last() -> None:
    half = np.full((1, 2, 2), 0.5, "float32")
    close(K.ctc_batch_cost([[0]], half, [[2]], [[1]]), [[np.log(4 / 3)]], 16, 1)
    losses = Lambda(lambda given: K.ctc_batch_cost(*given))
    inputs = [Input((1,)), Input((2, 2)), Input((1,), dtype="int64"), Input((1,), dtype="int64")]
    model = Model(inputs, losses(inputs))
    ones = np.ones((1, 1), "int64")
    close(model.predict([0 * half[:, 0, :1], half, 2 * ones, ones], verbose=0), [[np.log(4 / 3)]], 16, 1)
    spelled = np.array([[[0.9, 0.05, 0.05], [0.05, 0.05, 0.9], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]]], "float32")
    (labels,), _ = K.ctc_decode(spelled, np.array([4]))
    assert labels.tolist() == [[0, 1, -1, -1]] and labels.dtype == "int64"
    paths, scores = K.ctc_decode(spelled, np.array([4]), greedy=False, beam_width=5, top_paths=2)
    assert len(paths) == 2 and paths[0].tolist() == labels.tolist() and scores.shape == (1, 2)


def test_what_is_made_drawn_and_assigned() -> None:
    assert K.arange(1, 6, 2).tolist() == [1, 3, 5] and K.arange(2).dtype == "int32"
    assert K.get_value(K.eye(2)).tolist() == [[1, 0], [0, 1]] and K.cast_to_floatx([1]).dtype == "float32"
    assert K.in_top_k(np.array([[0.1, 0.5, 0.4]], "float32"), np.array([0]), 2).tolist() == [False]
    assert np.abs(K.truncated_normal((200,), stddev=2.0, seed=1)).max() <= 4
    coins = K.random_binomial((400,), p=0.25, seed=1)
    assert set(coins.tolist()) == {0, 1} and 60 < coins.sum() < 140
    assert K.random_normal_variable((2,), 5.0, 0.0).numpy().tolist() == [5, 5]
    assert (K.random_uniform_variable((9,), 2.0, 3.0).numpy() >= 2).all()
    x = K.variable([8.0])
    K.function([], [], updates=[K.moving_average_update(x, np.array([4.0], "float32"), 0.75)])([])
    assert x.numpy().tolist() == [7]
    with K.name_scope("anything"):
        assert not K.is_sparse(x) and K.to_dense(x) is x and K.manual_variable_initialization(True) is None


def test_batch_dot_of_more_axes_says_what_it_was_before_keras_2_3() -> None:
    """Layers of capsules paired two axes; Keras 2.3 sums over one axis of each and keeps all others."""
    o, hat = Input((10, 4)), Input((10, 6, 4))
    with pytest.raises(
        ShapeError, match=r"(?s)differ: 10 and 4.*Until Keras 2.2.4.*ops.einsum\('bij,bikj->bik', x, y\)"
    ):
        K.batch_dot(K.batch_dot(Input((10, 6)), hat, [2, 2]), hat, [2, 3])
    assert tuple(ops.einsum("bij,bikj->bik", o, hat).shape) == (None, 10, 6)
    with pytest.raises(ShapeError) as refused:
        K.batch_dot(Input((3, 4)), Input((3, 5)), [2, 2])
    assert "Keras 2.2.4" not in str(refused.value)


def test_print_tensor_says_where_it_prints_nothing(capsys: Any) -> None:
    K.print_tensor(np.array([1.5]), "here:")
    assert capsys.readouterr().out == "here: [1.5]\n"
    start = Input((2,))
    with pytest.warns(UserWarning, match="prints nothing here"):
        assert K.print_tensor(start) is start
    Dense(1)(start)
