"""Whole programs on the native engines against the reference: what a plan makes of nodes that are right one by one."""

import numpy as np
import pytest

import refnet_fast
from refnet import losses, ops
from refnet.engine import get_engine, use_engine
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.program import Program

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((5, 4)).astype("float32"), RNG.standard_normal((4, 3)).astype("float32")


def reshaped(x):
    return ops.reshape(ops.multiply(ops.reshape(x, (-1,)), 1.0), (-1, 3))


FORMS = {
    "relu": lambda z: ops.square(ops.relu(z)),
    "tanh": lambda z: ops.square(ops.tanh(z)),
    "maximum": lambda z: ops.square(ops.maximum(ops.subtract(1.0, z), 0.0)),
    "there and back": lambda z: ops.multiply(ops.exp(z), reshaped(ops.exp(z))),
    "there and back, later": lambda z: ops.multiply(reshaped(ops.multiply(ops.tanh(z), 3.0)), ops.tanh(z)),
}


@pytest.mark.parametrize("engine", ["derived", "cpu"])
@pytest.mark.parametrize("form", FORMS)
def test_a_value_and_its_reshaped_form_in_one_step(form, engine):
    """A reshape that changes nothing stood, unread, between two nodes of one fused kernel: gradients came out as zeros."""
    results = []
    for name in ("reference", engine):
        weight, rate = Variable(W), Variable(np.float32(0.5))
        x = Tensor((None, 4))
        with trace.inside(collecting=True):
            value = FORMS[form](ops.matmul(x, weight))
            (slope,) = ops.gradients(ops.sum(value), [weight])
            records = [assignment(weight, ops.sgd_update(weight, slope, rate))]
        outputs = get_engine(name).prepare(Program([x], [value, slope], records, Mode(True))).run([X])
        results.append([*outputs, weight.numpy()])
    for got, due in zip(results[1], results[0], strict=True):
        # Sums of up to five products of numbers below a hundred, in float32.
        np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-4)
    assert abs(results[0][1]).max() > 0.1


def test_reshapes_that_change_nothing_of_inputs_and_variables():
    one, two = Variable(W), Variable(np.zeros_like(W))
    x = Tensor((4, 3))
    with trace.inside(collecting=True):
        same = ops.reshape(ops.reshape(x, (12,)), (4, 3))
        records = [assignment(two, ops.reshape(one, (4, 3))), assignment(one, ops.add(one, 1.0))]
    feed = W * 2
    (got,) = get_engine("cpu").prepare(Program([x], [same], records, Mode(True))).run([feed])
    assert np.array_equal(got, feed) and not np.shares_memory(got, feed)
    assert np.array_equal(two.numpy(), W) and np.array_equal(one.numpy(), W + 1)


@pytest.mark.parametrize("loss", ["kl_divergence", "mean_squared_logarithmic_error", "squared_hinge", "circle"])
def test_losses_train_alike(loss):
    weights = []
    for engine in ("reference", "cpu"):
        with use_engine(engine):
            refnet_fast.utils.set_random_seed(1)
            model = refnet_fast.Sequential([refnet_fast.Input((4,)), refnet_fast.layers.Dense(3, activation="softmax")])
            model.compile("sgd", loss)
            y = np.array([0, 1, 2, 0, 1])
            y = y if losses.get(loss) in losses.CLASS_NUMBERS else np.eye(3)[y]
            before = model.get_weights()
            model.train_on_batch(X, y)
            weights.append([new - old for new, old in zip(model.get_weights(), before)])
    for got, due in zip(weights[1], weights[0], strict=True):
        # The step is read off weights of size 1, whose last place is 6e-8.
        np.testing.assert_allclose(got, due, rtol=1e-3, atol=5e-7)
        assert abs(due).max() > 1e-4
