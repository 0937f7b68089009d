"""Laws of the recurrent ops and of connectionist temporal classification, on every engine.

The recurrent laws hold to the last bit in float64: there a state that is stored between two calls is the state itself.
"""

import itertools

import numpy as np
import pytest
from drawing import Drawn
from hypothesis import given
from hypothesis import strategies as st

from refnet import ops
from refnet.definition import Op
from refnet.engine import get_engine, use_engine
from refnet.testing import hold
from refnet.testing.strategies import load

load()

NETS = {
    "simple_rnn": (1, {"activation": 1}),
    "lstm": (4, {"activation": 1, "recurrent_activation": 2}),
    "gru": (3, {"activation": 1, "recurrent_activation": 2, "reset_after": True}),
    "gru reset before": (3, {"activation": 1, "recurrent_activation": 2, "reset_after": False}),
}


def drawn_net(name, draw, time):
    """A primitive and its call without states: (compute(projected, states, mask) -> results, projected, states)."""
    gates, codes = NETS[name]
    op = Op.named[name.split()[0]]
    rng = np.random.default_rng(draw.integer(0, 2**16))
    batch, units = draw.integer(1, 4), draw.integer(1, 5)
    kernel, dropout = rng.standard_normal((units, gates * units)), rng.integers(0, 3, (gates, batch, units)) / 2
    bias = [rng.standard_normal(gates * units)] if op.name == "gru" else []
    states = [rng.standard_normal((batch, units)) for _ in range(2 if op.name == "lstm" else 1)]

    def call(engine, projected, states, mask):
        arrays = [projected, kernel, *bias, *states, mask, dropout]
        return get_engine(engine).compute(op, [np.ascontiguousarray(a) for a in arrays], codes)[: len(states)]

    return call, rng.standard_normal((batch, time, gates * units)), states


def same_bits(a, b):
    return a.shape == b.shape and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


@pytest.mark.parametrize("name", NETS)
@given(data=st.data())
def test_a_sequence_is_its_single_steps(engine, name, data):
    """Each step by itself, from the states that the step before it gave."""
    draw = Drawn(data)
    time = draw.integer(1, 6)
    call, projected, states = drawn_net(name, draw, time)
    mask = draw.array((len(projected), time), "bool")
    whole = call(engine, projected, states, mask)
    for t in range(time):
        step = call(engine, projected[:, t : t + 1], states, mask[:, t : t + 1])
        states = [s[:, 0] for s in step]
        assert all(same_bits(w[:, t], s) for w, s in zip(whole, states, strict=True))


@pytest.mark.parametrize("name", NETS)
@given(data=st.data())
def test_a_masked_end_is_a_shorter_sequence(engine, name, data):
    """And masked steps anywhere are as if they were not there."""
    draw = Drawn(data)
    time = draw.integer(1, 6)
    call, projected, states = drawn_net(name, draw, time)
    steps = draw.array((time,), "bool")
    steps[draw.integer(0, time - 1)] = True
    masked = call(engine, projected, states, np.broadcast_to(steps, (len(projected), time)))
    short = call(engine, projected[:, steps], states, np.ones((len(projected), steps.sum()), bool))
    assert all(same_bits(m[:, steps], s) and same_bits(m[:, -1], s[:, -1]) for m, s in zip(masked, short, strict=True))


@pytest.mark.parametrize("name", NETS)
@given(data=st.data())
def test_backwards_is_forwards_over_what_is_turned_around(engine, name, data):
    draw = Drawn(data)
    gates, codes = NETS[name]
    function = getattr(ops, name.split()[0])
    rng = np.random.default_rng(draw.integer(0, 2**16))
    x, units = rng.standard_normal((draw.integer(1, 3), draw.integer(1, 5), 3)).astype("float32"), draw.integer(1, 4)
    kernel, recurrent = (rng.standard_normal((n, gates * units)).astype("float32") for n in (3, units))
    mask = draw.array(x.shape[:2], "bool")
    keywords = {"reset_after": codes["reset_after"]} if "reset_after" in codes else {}
    with use_engine(engine):
        back = function(x, kernel, recurrent, mask=mask, go_backwards=True, **keywords)
        turned = function(x[:, ::-1], kernel, recurrent, mask=mask[:, ::-1], **keywords)
    assert all(same_bits(a, b) for a, b in zip(back, turned, strict=True))


@given(data=st.data())
def test_the_loss_is_the_sum_over_all_alignments(engine, data):
    draw = Drawn(data)
    steps, classes, count = draw.integer(0, 4), draw.integer(2, 3), draw.integer(0, 3)
    logits = draw.array((1, max(steps, 1), classes), "float64", low=-3, high=3)
    blank = draw.integer(0, classes - 1)
    labels = [k for k in range(classes) if k != blank]
    target = [draw.choice(labels) for _ in range(count)]
    with use_engine(engine):
        loss = float(ops.ctc_loss([[*target, blank]], logits, [count], [steps], blank)[0])
    p = np.exp(logits[0]) / np.exp(logits[0]).sum(-1, keepdims=True)
    total = 0.0
    for alignment in itertools.product(range(classes), repeat=steps):
        if [k for k, _ in itertools.groupby(alignment) if k != blank] == target:
            total += np.prod([p[t, k] for t, k in enumerate(alignment)])
    if total == 0:
        assert loss == np.inf
    else:  # at most a few hundred roundings each, of numbers below 32
        assert abs(loss + np.log(total)) <= 32 * 300 * 2.0**-53


def test_a_long_sequence_is_certified_step_by_step(engine):
    """500 steps of 128 units; a sampled step of a sampled row, on the states that the engine itself came to."""
    rng = np.random.default_rng(0)
    batch, time, units, op, codes = 128 if engine == "cpu" else 8, 500, 128, Op.named["lstm"], NETS["lstm"][1]

    def values(*shape):
        return (0.3 * rng.standard_normal(shape)).astype("float32")

    projected, kernel, states = values(batch, time, 4 * units), values(units, 4 * units), [values(batch, units)] * 2
    flags = [np.ones((1, 1), bool), np.ones((1, 1, 1), "float32")]
    under_test = get_engine(engine)
    h, c, gates = under_test.compute(op, [projected, kernel, *states, *flags], codes)
    n, t = int(rng.integers(batch)), int(rng.integers(1, time))
    row, step = slice(n, n + 1), slice(t, t + 1)
    before, results = [y[row, t - 1] for y in (h, c)], [y[row, step] for y in (h, c, gates)]
    assert 0 < hold(op, under_test, [projected[row, step], kernel, *before, *flags], codes, results) <= 1
