"""Models that begin at a tensor inside of another model, as the decoder of an autoencoder does: each has an InputLayer of its own."""

import copy

import numpy as np
import pytest

from refnet import Input, Model, layers, ops
from refnet.models import clone_model, load_model

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


def after_layers(code):
    return layers.Dense(2)(layers.Dense(3)(code))


def after_plain_ops(code):
    return layers.Dense(2)(ops.sum(code * 2, axis=1, keepdims=True))


def two_outputs(code):
    return [layers.Dense(2)(code), ops.sum(code, axis=1)]


@pytest.mark.parametrize("behind", [after_layers, after_plain_ops, two_outputs])
def test_they_are_described_saved_and_copied(behind, tmp_path):
    code = layers.Dense(4)(Input((5,)))
    model = Model(code, behind(code))
    expected = model.predict(X, verbose=0)
    read = []
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        read.append(load_model(tmp_path / name))
    renewed = [Model.from_config(model.get_config()), clone_model(model)]
    for other in renewed:
        other.set_weights(model.get_weights())
    for other in [*read, *renewed, copy.deepcopy(model)]:
        assert len(other.layers) == len(model.layers)
        np.testing.assert_equal(other.predict(X, verbose=0), expected)


def test_the_table_names_their_inputs(capsys):
    start = Input((5,))
    one, other = layers.Dense(4)(start), layers.Dense(3)(start)
    model = Model([one, other], layers.Concatenate()([one, other]))
    model.summary()
    printed = capsys.readouterr().out
    assert all(printed.count(layer.name) == 2 for layer in model.layers[:2])
