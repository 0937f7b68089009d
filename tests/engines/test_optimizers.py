"""Every form of the optimizers trains alike on the native engines and on the reference."""

import numpy as np
import pytest

import refnet_fast
from refnet import ops, optimizers
from refnet.engine import use_engine
from refnet.graph import Tensor, Variable, assignment, trace
from refnet.program import Program

FORMS = {
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=1.0),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
    "centered": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "amsgrad with weight decay": lambda: optimizers.Adam(0.01, amsgrad=True, weight_decay=0.1),
    "clipped by norm": lambda: optimizers.Adam(0.01, clipnorm=0.1),
    "clipped together": lambda: optimizers.Adam(0.01, global_clipnorm=0.1),
}


def trained(engine, optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, 5)).astype("float32"), rng.integers(0, 3, 12)
    with use_engine(engine):
        refnet_fast.utils.set_random_seed(1)
        dense = refnet_fast.layers.Dense(4, "relu", kernel_regularizer="l2")
        model = refnet_fast.Sequential(
            [refnet_fast.Input((5,)), dense, refnet_fast.layers.Dropout(0.5), refnet_fast.layers.Dense(3, "softmax")]
        )
        model.compile(optimizer(), "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2, batch_size=4, verbose=0)
        return model.get_weights()


@pytest.mark.parametrize("form", FORMS)
def test_native_engines_train_as_the_reference(form):
    expected = trained("reference", FORMS[form])
    for engine in ("derived", "cpu"):
        for got, due in zip(trained(engine, FORMS[form]), expected, strict=True):
            # Six steps of float32: the engines round differently, and these steps are no larger than 0.1.
            np.testing.assert_allclose(got, due, rtol=1e-4, atol=1e-5)


def test_updates_that_run_as_one_may_begin_with_that_of_a_bias():
    """The first kernel's update does not: its constraint stands behind it. A bias's gradient is a sum under another shape."""
    x = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    results = []
    for engine in ("reference", "cpu"):
        with use_engine(engine):
            refnet_fast.utils.set_random_seed(1)
            first = refnet_fast.layers.Dense(4, kernel_constraint="non_neg")
            model = refnet_fast.Sequential([refnet_fast.Input((5,)), first, refnet_fast.layers.Dense(2)])
            model.compile("sgd", "mse")
            model.train_on_batch(x, x[:, :2])
            results.append(model.get_weights())
    for due, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ["reference", "derived", "cpu"])
def test_weights_with_one_gradient_and_gradients_from_outside(engine):
    """Updates of one kind run as one over blocks of memory; a gradient that two weights share, or that is fed, is in no block."""
    a, b, c, d = (Variable(np.ones(3, "float32")) for _ in range(4))
    x, y, rate = Tensor((3,), "float32"), Tensor((3,), "float32"), Variable(np.float32(0.5))
    with trace.inside(collecting=True):
        shared = ops.exp(x)
        pairs = [(a, shared), (b, shared), (c, x), (d, y)]
        records = [assignment(v, ops.sgd_update(v, g, rate)) for v, g in pairs]
    with use_engine(engine) as running:
        step = running.prepare(Program([x, y], [], records))
        for _ in range(2):
            step.run([np.zeros(3, "float32"), np.ones(3, "float32")])
    assert [v.numpy().tolist() for v in (a, b, c, d)] == [[0.0] * 3, [0.0] * 3, [1.0] * 3, [0.0] * 3]
