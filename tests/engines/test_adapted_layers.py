"""Layers with adapters (LoRA), and with kernels in eight bits, on the compiled engines: each step of training is one program, before and
after they are changed."""

import numpy as np
import pytest

import refnet_fast
from refnet.testing.whole import hold_step
from refnet_fast import Input, Model, layers, optimizers, use_engine


def network():
    words = Input((4,), dtype="int32")
    x = layers.Conv1D(4, 2, padding="same", activation="tanh")(layers.Embedding(5, 4)(words))
    return Model(words, layers.Dense(2)(layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d")(x)))


@pytest.mark.parametrize("integers", [False, True], ids=["floats", "integers"])
@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_steps_hold_what_their_nodes_certify(engine, integers):
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 5, (6, 4)), generator.standard_normal((6, 4, 2)).astype("float32")
    with use_engine(engine):
        refnet_fast.utils.set_random_seed(1)
        model = network()
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=3, verbose=0)
        if integers:
            model.quantize("int8", filters=["embedding", "dense"])
        for layer in model.layers[1:]:
            layer.enable_lora(2, lora_alpha=3)
        before = model.get_weights()
        ratios = [hold_step(model, x[k : k + 3], y[k : k + 3]) for k in (0, 3, 0)]
        model.fit(x, y, batch_size=3, epochs=2, verbose=0)
        ratios.append(hold_step(model, x[:3]))
    assert 0 < max(ratios) <= 1
    for variable, value in zip(model.weights, before, strict=True):
        frozen = variable.name.endswith(("/kernel", "/embeddings", "_scale"))
        assert np.array_equal(variable.value, value) == frozen, variable.name


def test_a_step_on_whole_numbers_is_the_same_on_every_engine():
    x = np.arange(12, dtype="float32").reshape(4, 3) - 5
    found = []
    for engine in ("reference", "derived", "cpu"):
        with use_engine(engine):
            model = refnet_fast.Sequential([Input((3,)), layers.Dense(2, lora_rank=2, lora_alpha=4)])
            model.set_weights([np.arange(w.size).reshape(w.shape) % 3 - 1 for w in model.get_weights()])
            model.compile(optimizers.SGD(2.0**-8), "mse")
            model.fit(x, x[:, :2], batch_size=4, verbose=0)
            found.append([*model.get_weights(), model.predict(x, verbose=0), np.asarray(model.layers[0].kernel)])
    for others in zip(*found, strict=True):
        assert np.array_equal(others[0], others[1]) and np.array_equal(others[0], others[2])


def test_sums_of_integers_are_exact():
    """The largest input of each sum and the largest weight of each output are 127, so that the scales are 1."""
    generator = np.random.default_rng(2)
    x, kernel = generator.integers(-127, 128, (40, 300)), generator.integers(-127, 128, (300, 20))
    x[:, 0] = kernel[1] = 127
    due = x @ kernel  # at most 300 * 127 * 127, which float32 holds
    for engine in ("reference", "derived", "cpu"):
        with use_engine(engine):
            model = refnet_fast.Sequential([Input((300,)), layers.Dense(20, use_bias=False)])
            model.set_weights([kernel])
            model.quantize("int8")
            model.compile(optimizers.SGD(0.5), "mse")
            taken = slice(2 if engine == "reference" else None)  # it takes its time
            found = model.predict(x[taken].astype("float32"), verbose=0)
        assert np.array_equal(found, due[taken]), engine
