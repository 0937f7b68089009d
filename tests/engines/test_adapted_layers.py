"""Layers with adapters (LoRA) on the compiled engines: each step of training is one program, before and after they are added."""

import numpy as np
import pytest

import refnet_fast
from refnet.testing.whole import hold_step
from refnet_fast import Input, Model, layers, optimizers, use_engine


def network():
    words = Input((4,), dtype="int32")
    x = layers.Conv1D(4, 2, padding="same", activation="tanh")(layers.Embedding(5, 4)(words))
    return Model(words, layers.Dense(2)(layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d")(x)))


@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_steps_hold_what_their_nodes_certify(engine):
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 5, (6, 4)), generator.standard_normal((6, 4, 2)).astype("float32")
    with use_engine(engine):
        refnet_fast.utils.set_random_seed(1)
        model = network()
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=3, verbose=0)
        for layer in model.layers[1:]:
            layer.enable_lora(2, lora_alpha=3)
        before = model.get_weights()
        ratios = [hold_step(model, x[k : k + 3], y[k : k + 3]) for k in (0, 3, 0)]
        model.fit(x, y, batch_size=3, epochs=2, verbose=0)
        ratios.append(hold_step(model, x[:3]))
    assert 0 < max(ratios) <= 1
    for variable, value in zip(model.weights, before, strict=True):
        frozen = variable.name.endswith(("/kernel", "/embeddings"))
        assert np.array_equal(variable.value, value) == frozen, variable.name


def test_whole_numbers_are_the_same_on_every_engine():
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
