"""A training step replayed node by node: what passes, what is caught, and that nothing changes."""

import numpy as np
import pytest

from refnet.definition import Form
from refnet.engine import Reference
from refnet.testing.replay import replay_step, sampled
from refnet_fast import layers, models, utils


class Broken(Reference):
    """The reference, but for one op, whose first element is off by a part in a hundred thousand."""

    name = "broken"

    def __init__(self, op):
        self.op = op

    def compute(self, op, arrays, attributes):
        results = super().compute(op, arrays, attributes)
        if op.name == self.op:
            results[0].flat[0] *= 1 + 1e-5
        return results


class Declared(Broken):
    """The same, which says how far off it may be."""

    name = "declared"

    def bound_of(self, op, arrays, attributes):
        return (lambda index: 1.0) if op.name == self.op else None


@pytest.fixture
def step():
    """A small compiled model with one batch."""
    utils.set_random_seed(3)
    hidden = [layers.Dense(6, activation="relu"), layers.Dropout(0.5), layers.Dense(3, activation="softmax")]
    model = models.Sequential([layers.Input((4,)), *hidden])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, np.random.default_rng(0).normal(size=(5, 4)).astype("float32"), np.array([0, 1, 2, 1, 0])


@pytest.mark.parametrize("engines", [("reference",), ("reference", "derived"), ("derived", "cpu")])
def test_a_step_is_within_its_bounds_and_commits_nothing(step, engines):
    model, x, y = step
    before = [w.copy() for w in model.get_weights()]
    found = replay_step(model, x, y, engines)
    assert 0 < found.worst <= 1 and found.engine in engines
    assert found.nodes > 20 and found.tasks > 5 * found.nodes
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("op", ["matmul", "adam_update", "sparse_softmax_cross_entropy"])
@pytest.mark.parametrize("last", [True, False])
def test_a_wrong_kernel_is_named(step, op, last):
    engines = ("reference", Broken(op)) if last else (Broken(op), "derived")
    with pytest.raises(AssertionError, match=rf"{op} on broken: y0\[0.* error / bound"):
        replay_step(*step, engines=engines)


def test_a_bound_that_one_engine_declares_is_no_others(step):
    assert replay_step(*step, engines=("reference", Declared("matmul"))).worst <= 1
    for engines in ((Declared("matmul"), Broken("matmul")), (Broken("matmul"), Declared("matmul"))):
        with pytest.raises(AssertionError, match="matmul on broken"):
            replay_step(*step, engines=engines)


def test_samples_are_tasks_of_the_domain_and_fewer_where_they_cost_much():
    form = Form((), (), (), (30, 40), cost=1)
    tasks = sampled(form, 200, seed=1)
    assert len(tasks) == len(set(tasks)) == 200 and tasks == sampled(form, 200, seed=1) != sampled(form, 200, seed=2)
    assert all(0 <= i < 30 and 0 <= j < 40 for i, j in tasks)
    assert len(sampled(form._replace(cost=100), 200, 1)) == 20
    assert len(sampled(form._replace(domain=(2, 2)), 200, 1)) == 4
    assert sampled(form._replace(domain=()), 200, 1) == [()]
