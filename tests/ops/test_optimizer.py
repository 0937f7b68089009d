"""The updates against Keras's formulas, written out in NumPy over several steps."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ShapeError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import close

RNG = np.random.default_rng(0)
START = RNG.standard_normal((3, 2))
GRADIENTS = RNG.standard_normal((5, 3, 2))
GRADIENTS[:, 0, 0] = 0  # a weight that nothing moves
ZERO = np.zeros((3, 2))


def follow(step, *states):
    """The weights and states after each gradient."""
    w, path = START, []
    for t, g in enumerate(GRADIENTS, 1):
        w, *states = step(t, w, g, *states)
        path.append([w, *states])
    return np.array(path)


def same(a, b):
    """An update is a dozen operations on numbers of size 1; both make five."""
    close(a, b, 2 * 12 * len(GRADIENTS), np.maximum(abs(b), 1))


def test_sgd():
    same(follow(lambda t, w, g: [ops.sgd_update(w, g, 0.1)]), follow(lambda t, w, g: [w - g * 0.1]))


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum(nesterov):
    def keras(t, w, g, m):
        m = m * 0.9 - g * 0.1
        return w + (m * 0.9 - g * 0.1 if nesterov else m), m

    def ours(t, w, g, m):
        return ops.sgd_momentum_update(w, m, g, 0.1, 0.9, nesterov)

    same(follow(ours, ZERO), follow(keras, ZERO))


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_rmsprop(centered, momentum):
    def keras(t, w, g, v, m, a):
        v = 0.9 * v + (1 - 0.9) * g**2
        a = 0.9 * a + (1 - 0.9) * g
        step = 0.01 * g / np.sqrt((v - a**2 if centered else v) + 1e-7)
        m = momentum * m + step
        return w - m if momentum else w - step, v, m, a

    def ours(t, w, g, v, m, a):
        given = {"momentum": momentum, "momentums": m} if momentum else {}
        results = list(ops.rmsprop_update(w, v, g, 0.01, 0.9, 1e-7, average=a if centered else None, **given))
        w, v = results[:2]
        return w, v, results[2] if momentum else m, results[-1] if centered else a

    got, expected = follow(ours, ZERO, ZERO, ZERO), follow(keras, ZERO, ZERO, ZERO)
    kept = [0, 1] + ([2] if momentum else []) + ([3] if centered else [])
    same(got[:, kept], expected[:, kept])


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam(amsgrad):
    def keras(t, w, g, m, v, h):
        alpha = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = m + (g - m) * (1 - 0.9)
        v = v + (g**2 - v) * (1 - 0.999)
        h = np.maximum(h, v)
        return w - m * alpha / (np.sqrt(h if amsgrad else v) + 1e-7), m, v, h

    def ours(t, w, g, m, v, h):
        alpha = ops.adam_rate(np.array(0.01), t, 0.9, 0.999)
        if amsgrad:
            return ops.adam_update(w, m, v, g, alpha, 0.9, 0.999, 1e-7, velocity_hat=h)
        return *ops.adam_update(w, m, v, g, alpha, 0.9, 0.999, 1e-7), np.maximum(
            h, ops.adam_update(w, m, v, g, alpha)[2]
        )

    same(follow(ours, ZERO, ZERO, ZERO), follow(keras, ZERO, ZERO, ZERO))


def test_amsgrad_lets_nan_through():
    nan = np.array([np.nan])
    one = np.array([1.0])
    assert np.isnan(ops.adam_update(one, one, one, nan, 0.1, velocity_hat=one)[3])
    assert np.isnan(ops.adam_update(one, one, one, one, 0.1, velocity_hat=nan)[3])


def test_adam_rate_is_exact_where_float32_powers_are_not():
    expected = 0.001 * np.sqrt(1 - 0.999) / (1 - 0.9)
    close(ops.adam_rate(np.float32(0.001), 1), expected, 2)  # the rate is rounded, and the result
    rate, step = Tensor(()), Tensor((), "int64")
    run = reference.prepare(Program([rate, step], [ops.adam_rate(rate, step)])).run
    np.testing.assert_array_equal(run([0.001, 7])[0], ops.adam_rate(np.float32(0.001), 7))


def test_the_weight_keeps_its_dtype_and_shapes_must_agree():
    w = np.ones((2, 2), np.float32)
    new, velocity = ops.sgd_momentum_update(w, w, w.astype(np.float64), 0.5, 0.5)
    assert new.dtype == velocity.dtype == np.float32
    with pytest.raises(
        ShapeError, match=r"the variable has shape \(2, 2\); state and gradient must have it too, got \(2,\)"
    ):
        ops.sgd_update(w, np.ones(2, np.float32), 0.1)
    with pytest.raises(ShapeError, match="learning rate must be one number"):
        ops.sgd_update(w, w, np.ones(2))
