"""Recurrent ops, worked by hand and against Keras's cells written out in NumPy; gradients against the same net in ops.scan."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.ops.recurrent import ACTIVATIONS, activate, through
from refnet.program import Program
from refnet.scalars.dual import Dual
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_cell(x, states, kernel, recurrent_kernel, bias, drop, keep):
    h = np.tanh((x * drop) @ kernel + bias + (states[0] * keep) @ recurrent_kernel)
    return h, [h]


def lstm_cell(x, states, kernel, recurrent_kernel, bias, drop, keep):
    """Keras 3, LSTMCell with implementation=1: every gate has masks of its own."""
    (h, c), kernels = states, np.split(kernel, 4, axis=1)
    parts = zip(kernels, np.split(recurrent_kernel, 4, axis=1), np.split(bias, 4), drop, keep)
    i, f, g, o = ((x * d) @ k + b + (h * r) @ rk for k, rk, b, d, r in parts)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h, [h, c]


def gru_cell(x, states, kernel, recurrent_kernel, bias, drop, keep):
    """Keras 3, GRUCell with implementation=1; reset_after where the bias has two rows."""
    (h,), kernels, recurrent = states, np.split(kernel, 3, axis=1), np.split(recurrent_kernel, 3, axis=1)
    after = bias.ndim == 2
    inner = np.split(bias[1] if after else np.zeros_like(bias), 3)
    x_z, x_r, x_g = ((x * d) @ k + b for k, b, d in zip(kernels, np.split(bias[0] if after else bias, 3), drop))
    z = sigmoid(x_z + (h * keep[0]) @ recurrent[0] + inner[0])
    r = sigmoid(x_r + (h * keep[1]) @ recurrent[1] + inner[1])
    if after:
        g = np.tanh(x_g + r * ((h * keep[2]) @ recurrent[2] + inner[2]))
    else:
        g = np.tanh(x_g + (r * h * keep[2]) @ recurrent[2])
    h = z * h + (1 - z) * g
    return h, [h]


def unrolled(cell, x, states, mask, go_backwards, *weights):
    """Keras's rnn loop: a masked step keeps the states, and with them the output."""
    steps = list(range(x.shape[1]))
    outputs = []
    for t in reversed(steps) if go_backwards else steps:
        _, new = cell(x[:, t], states, *weights)
        states = [np.where(mask[:, t, None], n, s) for n, s in zip(new, states)]
        outputs.append(states[0])
    return [np.stack(outputs, axis=1), *states]


NETS = {
    "simple_rnn": (ops.simple_rnn, simple_cell, 1, 1, {}),
    "lstm": (ops.lstm, lstm_cell, 4, 2, {}),
    "gru": (ops.gru, gru_cell, 3, 1, {"reset_after": True}),
    "gru reset before": (ops.gru, gru_cell, 3, 1, {"reset_after": False}),
}


def arrays_of(name, rng, batch=3, time=5, features=4, units=2):
    _, _, gates, count, keywords = NETS[name]
    bias = (2, gates * units) if keywords.get("reset_after") else (gates * units,)
    x, kernel = rng.standard_normal((batch, time, features)), rng.standard_normal((features, gates * units))
    states = [rng.standard_normal((batch, units)) for _ in range(count)]
    return x, kernel, rng.standard_normal((units, gates * units)), rng.standard_normal(bias), states


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_the_cells_of_keras_written_out(name, go_backwards):
    function, cell, gates, count, keywords = NETS[name]
    rng = np.random.default_rng(0)
    x, kernel, recurrent_kernel, bias, states = arrays_of(name, rng)
    mask = rng.random((3, 5)) < 0.6
    mask[:, 0] = [False, True, True]
    shape = (gates, 3) if gates > 1 else (3,)
    drop, keep = rng.integers(0, 3, (*shape, 4)) / 2, rng.integers(0, 3, (*shape, 2)) / 2
    expected = unrolled(cell, x, states, mask, go_backwards, kernel, recurrent_kernel, bias, drop, keep)
    initial = states if count == 2 else states[0]
    given = {"go_backwards": go_backwards, "dropout_mask": drop, "recurrent_dropout_mask": keep, **keywords}
    agree(function, expected, x, kernel, recurrent_kernel, bias, initial, mask, **given)


@pytest.mark.parametrize("name", NETS)
def test_what_is_not_given_is_zero_or_one(name):
    function, _, gates, count, keywords = NETS[name]
    x, kernel, recurrent_kernel, bias, states = arrays_of(name, np.random.default_rng(1))
    plain = function(x, kernel, recurrent_kernel, **keywords)
    zeros = [np.zeros_like(s) for s in states]
    given = {"mask": np.ones((3, 5)), "dropout_mask": np.ones((3, 4)), "recurrent_dropout_mask": np.ones((3, 2))}
    initial = zeros if count == 2 else zeros[0]
    spelled = function(x, kernel, recurrent_kernel, np.zeros_like(bias), initial, **given, **keywords)
    for a, b in zip(plain, spelled, strict=True):
        np.testing.assert_array_equal(a, b)
    for result, last in zip(plain[1:], [plain[0][:, -1]]):
        np.testing.assert_array_equal(result, last)


def test_a_row_whose_every_step_is_masked_keeps_its_state_whatever_stands_there():
    x, kernel, recurrent_kernel, bias, (h0, c0) = arrays_of("lstm", np.random.default_rng(2))
    x[1] = np.nan
    mask = np.array([[True] * 5, [False] * 5, [True] * 5])
    outputs, h, c = ops.lstm(x, kernel, recurrent_kernel, bias, (h0, c0), mask)
    np.testing.assert_array_equal(outputs[1], [h0[1]] * 5)
    np.testing.assert_array_equal(c[1], c0[1])
    assert np.isfinite(outputs).all()


def test_gates_by_hand():
    """With these weights i, f and o are 1/2 and the candidate is the input: c = c / 2 + x / 2, h = c / 2."""
    kernel, recurrent_kernel = np.array([[0.0, 0.0, 1.0, 0.0]]), np.zeros((1, 4))
    outputs, h, c = ops.lstm([[[4.0], [8.0]]], kernel, recurrent_kernel, activation="linear")
    np.testing.assert_array_equal(outputs, [[[1.0], [2.5]]])
    assert c.item() == 5 and h.item() == 2.5
    hard = ops.lstm([[[4.0], [8.0]]], kernel, recurrent_kernel, activation=None, recurrent_activation="hard_sigmoid")
    np.testing.assert_array_equal(hard[0], outputs)


def test_one_reset_gate_two_places():
    """r is 1/2 and the state 1: after the product, r halves the bias too."""
    kernel, recurrent_kernel = np.zeros((1, 3)), np.array([[0.0, 0.0, 4.0]])
    bias = np.array([[-1000.0, 0.0, 0.0], [0.0, 0.0, 2.0]])  # z = 0: the candidate is the state
    _, after = ops.gru(np.zeros((1, 1, 1)), kernel, recurrent_kernel, bias, [[1.0]], activation="linear")
    _, before = ops.gru(
        np.zeros((1, 1, 1)), kernel, recurrent_kernel, bias[0], [[1.0]], activation="linear", reset_after=False
    )
    assert after.item() == 0.5 * (4 + 2) and before.item() == 0.5 * 4


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_the_op_of_its_name_and_knows_its_slope(name):
    code = ACTIVATIONS.index(name)
    functions = {"exponential": "exp"}
    points = [-7.25, -2.5, -0.75, 0.125, 0.625, 2.5, 7.25]
    function = getattr(ops, functions.get(name, name), None)
    if function is not None:
        expected = function(np.array(points))
        close([activate(x, code) for x in points], expected, 2 * ELEMENTARY, None, dtype="float64")
        x = np.zeros((1, 1, 1))
        ops.simple_rnn(x, [[1.0]], [[1.0]], activation=function)
    for point in points:
        y = Dual.of(activate(Dual(Dual.of(point).value, 1), code))
        # in 240 bits, of which a dozen operations lose four
        assert abs(Dual.of(through(Dual.of(1), Dual(y.value), code)).value - y.change) < 2.0**-230


def test_only_activations_whose_slope_follows_from_their_value():
    def tanh(x):
        return x

    for activation in ("gelu", ops.silu, tanh):
        with pytest.raises(ArgumentError, match="ops.scan"):
            ops.simple_rnn(np.zeros((1, 1, 1)), [[1.0]], [[1.0]], activation=activation)


def scanned(name, x, kernel, recurrent_kernel, bias, states):
    """The same nets, their steps written out with ops."""
    units = recurrent_kernel.shape[0]

    def step(carry, x_t):
        if name == "simple_rnn":
            h = ops.tanh(ops.matmul(x_t, kernel) + bias + ops.matmul(carry[0], recurrent_kernel))
            return [h], h
        if name == "lstm":
            z = ops.matmul(x_t, kernel) + bias + ops.matmul(carry[0], recurrent_kernel)
            i, f, g, o = ops.split(z, 4, axis=1)
            c = ops.sigmoid(f) * carry[1] + ops.sigmoid(i) * ops.tanh(g)
            h = ops.sigmoid(o) * ops.tanh(c)
            return [h, c], h
        after = name == "gru"
        x_z, x_r, x_g = ops.split(ops.matmul(x_t, kernel) + (bias[0] if after else bias), 3, axis=1)
        h_z, h_r, h_g = ops.split(ops.matmul(carry[0], recurrent_kernel) + (bias[1] if after else 0), 3, axis=1)
        z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
        if not after:
            h_g = ops.matmul(r * carry[0], recurrent_kernel[:, 2 * units :])
        g = ops.tanh(x_g + (r * h_g if after else h_g))
        h = z * carry[0] + (1 - z) * g
        return [h], h

    carry, outputs = ops.scan(step, states, ops.transpose(x, (1, 0, 2)))
    return [ops.transpose(outputs, (1, 0, 2)), *carry]


@pytest.mark.parametrize("name", NETS)
def test_gradients_are_those_of_the_steps_written_out(name):
    """Every gradient, of a loss of all outputs, by another way: the chain of small ops against the primitives."""
    function, _, _, count, keywords = NETS[name]
    arrays = arrays_of(name, np.random.default_rng(3), time=3)
    inputs = [Tensor(a.shape, "float64") for a in (*arrays[:4], *arrays[4])]
    initial = inputs[4:] if count == 2 else inputs[4]
    results = []
    for outputs in (function(*inputs[:4], initial, **keywords), scanned(name, *inputs[:4], inputs[4:])):
        loss = sum(ops.sum(ops.square(y) * k) for k, y in enumerate(outputs, 1))
        program = Program(inputs, [loss, *ops.gradients(loss, inputs)])
        results.append(reference.prepare(program).run([*arrays[:4], *arrays[4]]))
    for a, b in zip(*results, strict=True):
        # three steps there and back, each of products of up to a dozen terms, five elementary functions and a dozen operations
        close(a, b, 2 * 2 * 3 * (2 * 12 + 5 * ELEMENTARY + 12), max(1, abs(b).max()))


def test_an_open_batch_and_a_second_derivative():
    x = Tensor((None, 3, 2))
    kernel, recurrent_kernel = np.ones((2, 8), "float32"), np.ones((2, 8), "float32")
    outputs, h, c = ops.lstm(x, kernel, recurrent_kernel)
    assert outputs.shape == (None, 3, 2) and h.shape == (None, 2)
    (dx,) = ops.gradients(outputs, x)
    assert reference.prepare(Program([x], [dx])).run([np.ones((4, 3, 2))])[0].shape == (4, 3, 2)
    with pytest.raises(ArgumentError, match=r"no second derivative. Write the recurrence with ops.scan"):
        ops.gradients(dx, x)
