"""Layers that were frozen or thawed after compile, as in a GAN: a model that is read trains what the one that was saved did."""

import copy
import pickle

import numpy as np
import pytest

from refnet import Input, Sequential, layers
from refnet.models import load_model
from refnet.utils import set_random_seed

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def saved_and_read(ending):
    def read(model, folder):
        model.save(folder / f"model{ending}")
        return load_model(folder / f"model{ending}")

    return read


WAYS = {
    "keras": saved_and_read(".keras"),
    "h5": saved_and_read(".h5"),
    "copy": lambda model, folder: copy.deepcopy(model),
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.filterwarnings("ignore:fit. not trained")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("at_compile", [False, True])
def test_what_was_trainable_at_compile_is_what_is_trained(at_compile, way, tmp_path):
    set_random_seed(0)
    inner = Sequential([Input((3,)), layers.Dense(4), layers.Dense(4)])
    model = Sequential([Input((3,)), inner, layers.Dense(3)])
    inner.trainable = at_compile
    model.compile("adam", "mse")
    inner.trainable = not at_compile
    model.fit(X, X, verbose=0, shuffle=False)
    again, before = WAYS[way](model, tmp_path), [w.numpy() for w in inner.weights]
    for one in (model, again):
        one.fit(X, X, verbose=0, shuffle=False)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert all((was == now.numpy()).all() != at_compile for was, now in zip(before, inner.weights))
