"""The further updates against Keras's own optimizers over several steps, and against its formulas in NumPy; clipping."""

import numpy as np
import pytest

from refnet import ops
from refnet.errors import ShapeError
from refnet.testing import close

RNG = np.random.default_rng(1)
START = RNG.standard_normal((3, 2))
GRADIENTS = RNG.standard_normal((5, 3, 2))
GRADIENTS[:, 0, 0] = 0  # a weight that nothing moves
ZERO, TENTH = np.zeros((3, 2)), np.full((3, 2), 0.1)


def follow(step, *states):
    """The weights after each gradient."""
    w, path = START, []
    for t, g in enumerate(GRADIENTS, 1):
        w, *states = step(t, w, g, *states)
        path.append(w)
    return np.array(path)


def nadam(t, w, g, m, v, product):
    *rates, product = ops.nadam_rates(np.array(0.1), t, product)
    return [*ops.nadam_update(w, m, v, g, rates), product]


def adamw(t, w, g, m, v):
    alpha = ops.adam_rate(np.array(0.1), t)
    return ops.adamw_update(w, m, v, g, alpha, np.array(0.1), weight_decay=0.25)


def adamax(t, w, g, m, u):
    return ops.adamax_update(w, m, u, g, ops.adamax_rate(np.array(0.1), t))


FTRL = {"l1_regularization_strength": 0.5, "l2_regularization_strength": 0.1, "beta": 0.2}
FTRL["l2_shrinkage_regularization_strength"] = 0.05

# name in Keras, its settings, our step, our states at the start
RULES = {
    "Adagrad": ({}, lambda t, w, g, a: ops.adagrad_update(w, a, g, 0.1), [TENTH]),
    "Adadelta": ({}, lambda t, w, g, v, s: ops.adadelta_update(w, v, s, g, 0.1), [ZERO, ZERO]),
    "AdamW": ({"weight_decay": 0.25}, adamw, [ZERO, ZERO]),
    "Adamax": ({}, adamax, [ZERO, ZERO]),
    "Nadam": ({}, nadam, [ZERO, ZERO, np.array(1.0)]),
    "Ftrl": (FTRL, lambda t, w, g, a, z: ops.ftrl_update(w, a, z, g, 0.1, **FTRL), [TENTH, ZERO]),
    "Lion": ({}, lambda t, w, g, m: ops.lion_update(w, m, g, 0.1), [ZERO]),
}


def same(got, due, dtype="float64"):
    """An update is two dozen operations on numbers of size 1, bias corrections included; both make as many as there are gradients."""
    close(got, due, 2 * 24 * len(GRADIENTS), np.maximum(abs(due), 1), dtype)


@pytest.mark.peers
@pytest.mark.parametrize("name", RULES)
def test_updates_are_keras(name):
    import keras

    settings, step, states = RULES[name]
    variable = keras.Variable(START.astype("float32"))
    theirs = getattr(keras.optimizers, name)(learning_rate=0.1, **settings)
    path = []
    for g in GRADIENTS:
        theirs.apply([keras.ops.convert_to_tensor(g.astype("float32"))], [variable])
        path.append(np.asarray(variable))
    same(follow(step, *states), np.array(path), "float32")  # Keras's is


def test_adagrad_by_its_formula():
    def plain(t, w, g, a):
        a = a + g**2
        return w - 0.1 * g / np.sqrt(a + 1e-7), a

    same(follow(RULES["Adagrad"][1], TENTH), follow(plain, TENTH))


def test_adamax_by_its_formula():
    def plain(t, w, g, m, u):
        m, u = m + (g - m) * (1 - 0.9), np.maximum(0.999 * u, np.abs(g))
        return w - 0.1 * m / ((1 - 0.9**t) * (u + 1e-7)), m, u

    same(follow(adamax, ZERO, ZERO), follow(plain, ZERO, ZERO))


def test_nadam_by_its_formula():
    def plain(t, w, g, m, v, product):
        u, then = (0.9 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
        product = product * u
        m, v = m + (g - m) * (1 - 0.9), v + (g**2 - v) * (1 - 0.999)
        mean = then * m / (1 - product * then) + (1 - u) * g / (1 - product)
        return w - mean * 0.1 / (np.sqrt(v / (1 - 0.999**t)) + 1e-7), m, v, product

    states = ZERO, ZERO, np.array(1.0)
    same(follow(nadam, *states), follow(plain, *states))


def test_ftrl_makes_small_weights_exactly_zero():
    w, a, z = ops.ftrl_update([1.0, 1.0], [1.0, 1.0], [0.25, 4.0], [0.0, 0.0], 0.5, l1_regularization_strength=1.0)
    assert w.tolist() == [0.0, -1.5] and a.tolist() == [1.0, 1.0] and z.tolist() == [0.25, 4.0]


def test_lion_moves_every_weight_alike_and_rests_at_zero():
    w, m = ops.lion_update([1.0, 1.0, 1.0], [0.0, 8.0, 0.0], [3.0, -0.5, 0.0], 0.25)
    assert w.tolist() == [0.75, 0.75, 1.0]


def test_strange_numbers_spread():
    for name in ("lion_update", "adagrad_update"):
        assert np.isnan(getattr(ops, name)([1.0], [0.0], [np.nan], 0.1)[0]).all()
    assert np.isnan(ops.ftrl_update([1.0], [0.1], [0.0], [np.nan], 0.1)[0]).all()
    assert np.isnan(ops.adamax_update([1.0], [0.0], [0.0], [np.nan], 0.1)[0]).all()


def test_shapes_that_differ_are_refused():
    with pytest.raises(ShapeError, match="adagrad_update: the variable has shape"):
        ops.adagrad_update(START, ZERO, np.zeros(2), 0.1)
    with pytest.raises(ShapeError, match="learning rate must be one number"):
        ops.nadam_update(START, ZERO, ZERO, ZERO, (0.1, np.zeros(2), 0.1))
    with pytest.raises(ShapeError, match="single numbers"):
        ops.adamax_rate(np.zeros(2), 1)


def test_clipping():
    assert ops.clip_by_value([-3.0, 1.0, 5.0], 2.0).tolist() == [-2, 1, 2]
    x = np.array([[3.0, 4.0], [0.3, 0.4]])
    close(ops.clip_by_norm(x, 1.0, axes=1), [[0.6, 0.8], [0.3, 0.4]], 8)
    np.testing.assert_array_equal(ops.clip_by_norm(np.zeros(3), 1.0), np.zeros(3))
    a, none, b = ops.clip_by_global_norm([np.array([3.0]), None, np.array([[4.0]])], 2.5)
    assert (a.tolist(), none, b.tolist()) == ([1.5], None, [[2.0]])
    assert ops.clip_by_global_norm([np.array([3.0])], 5.0)[0].tolist() == [3.0]
    assert np.isnan(ops.clip_by_global_norm([np.array([1.0]), np.array([np.inf])], 1.0)[0]).all()
