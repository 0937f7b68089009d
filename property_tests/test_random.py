"""One seed, the same bits: on every engine, in every program, again and again."""

import numpy as np
import pytest
from drawing import Drawn
from hypothesis import given
from hypothesis import strategies as st

import refnet.random
from refnet.definition import Op
from refnet.engine import get_engine, reference, use_engine
from refnet.testing.strategies import case, primitives

DRAWS = {  # more than a kernel makes at a time, and a rest
    "uniform": lambda: refnet.random.uniform((15, 13), -1.0, 2.0, seed=3),
    "uniform float64": lambda: refnet.random.uniform((75,), dtype="float64", seed=3),
    "normal": lambda: refnet.random.normal((301,), 1.0, 0.5, seed=11),
    "truncated normal": lambda: refnet.random.truncated_normal((301,), seed=11),
    "randint": lambda: refnet.random.randint((151,), -3, 1000, seed=5),
    "dropout": lambda: refnet.random.dropout(np.ones((13, 15), "float32"), 0.3, seed=7),
    "gamma": lambda: refnet.random.gamma((33,), 0.7, seed=3),
    "beta": lambda: refnet.random.beta((33,), 2.0, 0.5, seed=3),
    "binomial": lambda: refnet.random.binomial((33,), 200, 0.3, seed=3),
    "bernoulli": lambda: refnet.random.bernoulli((33,), 0.3, seed=3),
    "shuffle": lambda: refnet.random.shuffle(np.arange(301), seed=9),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_engine_draws_what_the_definition_draws(engine, name):
    expected = np.asarray(DRAWS[name]())
    with use_engine(engine):
        drawn = np.asarray(DRAWS[name]())
    assert drawn.dtype == expected.dtype and drawn.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", [n for n in primitives() if Op.named[n].random])
@given(data=st.data())
def test_primitives_draw_the_same_bits(engine, name, data):
    drawn = case(name, Drawn(data))
    (ours,) = get_engine(engine).compute(drawn.op, drawn.arrays, drawn.attributes)
    (theirs,) = reference.compute(drawn.op, drawn.arrays, drawn.attributes)
    assert ours.tobytes() == theirs.tobytes()


def test_dropout_keeps_the_mean():
    """Kept elements are scaled by exactly 1 / (1 - rate), and as many are kept as six standard deviations allow."""
    kept, rate, size = 0, 0.25, 20000
    y = np.asarray(refnet.random.dropout(np.full(size, 3.0, "float32"), rate, seed=1))
    assert set(np.unique(y)) == {0.0, np.float32(3.0 * np.float32(1 / (1 - rate)))}
    kept = np.count_nonzero(y)
    assert abs(kept - size * (1 - rate)) < 6 * (size * rate * (1 - rate)) ** 0.5


def test_a_shuffle_loses_nothing():
    assert sorted(np.asarray(refnet.random.shuffle(np.arange(97), seed=2))) == list(range(97))
