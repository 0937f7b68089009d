"""What the programs with pretrained nets are made of; `test_programs.py` runs them whole."""

import argparse
import pathlib

import numpy as np
import pytest
from refnet_fast.applications import files
from refnet_fast.errors import MissingFileError

from refnet.testing.closeness import ELEMENTARY, close
from refnet_fast import backend as K
from refnet_fast import layers, models, use_engine
from refnet_fast.examples import deep_dream, pretrained, pretrained_features, style_transfer
from refnet_fast.examples.support import Job


@pytest.fixture(autouse=True)
def interpreted():
    with use_engine("reference"):
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REFNET_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path


def job(quick):
    return Job("a program", argparse.Namespace(quick=quick, seed=0, output=pathlib.Path("output"), epochs=None))


def test_weights_that_are_there_are_used(folder):
    (folder / "bare.h5").touch()
    asked = job(quick=True)
    assert files.at_hand("bare.h5") and not files.at_hand("whole.h5")
    made = pretrained.net(asked, lambda **given: given, ("whole.h5", "bare.h5"), input_shape=(32, 32, 3))
    assert made == {"weights": "imagenet", "include_top": False, "input_shape": (32, 32, 3)}
    assert asked.notes == []


@pytest.mark.parametrize("quick", [True, False])
def test_random_weights_are_said_to_be_random(folder, quick):
    calls = []

    def make(weights, include_top):
        calls.append(weights)
        if weights is not None:
            raise MissingFileError("there is no network")
        return "a net"

    asked = job(quick)
    assert pretrained.net(asked, make, ("whole.h5", "bare.h5")) == "a net"
    assert calls == ([None] if quick else ["imagenet", None])  # a quick run fetches nothing
    assert asked.notes[0].startswith("RANDOM WEIGHTS: bare.h5 is not at hand")


def test_a_photo_keeps_its_proportions(folder):
    from PIL import Image

    (folder / "photos").mkdir()
    Image.new("RGB", (60, 30), (10, 20, 30)).save(folder / "photos" / "wide.png")
    found = pretrained.photo("wide.png", 12)
    assert found.shape == (1, 12, 24, 3) and found[0, 5, 5].tolist() == [10, 20, 30]


@pytest.mark.api("feature extraction / fine-tuning recipe")
def test_block_5_alone_is_trained():
    names = ["block4_conv3", "block4_pool", "block5_conv1", "block5_conv2"]
    base = models.Sequential([layers.Input((4,))] + [layers.Dense(2, name=name) for name in names])
    model = models.Sequential([layers.Input((4,)), base, layers.Dense(1)])
    base.trainable = False
    assert len(model.trainable_weights) == 2
    pretrained_features.unfreeze_from(base, "block5_conv1")
    assert len(model.trainable_weights) == 6 and not base.get_layer("block4_pool").trainable


def test_a_dream_climbs_and_stops_before_it_runs_away():
    def fetch(inputs):
        fetch.losses += 3.0
        return fetch.losses, np.ones_like(inputs[0])

    fetch.losses = 0.0
    x, losses = deep_dream.gradient_ascent(fetch, np.zeros((1, 2, 2, 3)), steps=20)
    assert losses == [3, 6, 9, 12] and np.array_equal(x, np.full(x.shape, 3 * deep_dream.STEP, x.dtype))
    fetch.losses = -100.0
    assert len(deep_dream.gradient_ascent(fetch, np.zeros((1, 2, 2, 3)), steps=5)[1]) == 5


def test_scipy_asks_twice_and_the_net_runs_once():
    calls = []

    def fetch(inputs):
        calls.append(inputs[0])
        return np.float32(2), inputs[0] * 3

    evaluator = style_transfer.Evaluator(fetch, (1, 2, 1, 1))
    assert evaluator.loss(np.array([1.0, 2.0])) == 2.0
    assert evaluator.grads(np.array([1.0, 2.0])).tolist() == [3, 6] and len(calls) == 1
    assert evaluator.grads(np.array([1.0, 3.0])).tolist() == [3, 9] and len(calls) == 2
    assert calls[0].shape == (1, 2, 1, 1) and calls[0].dtype == np.float32


def test_the_losses_of_style_and_variation_by_hand():
    a = np.array([[[1.0, 2.0], [0.0, 1.0]]], "float32")  # (1, 2, 2): pixels (1, 2) and (0, 1)
    assert K.eval(style_transfer.gram_matrix(K.constant(a))).tolist() == [[1, 2], [2, 5]]
    zero = K.constant(np.zeros_like(a))
    close(K.eval(style_transfer.style_loss(K.constant(a), zero, pixels=2)), 34 / 144, 2 * 2)
    image = np.array([[0.0, 2.0], [1.0, 5.0]], "float32").reshape(1, 2, 2, 1)
    close(K.eval(style_transfer.total_variation_loss(K.constant(image))), 5**1.25, 2 * (2 + ELEMENTARY))
    prepared = style_transfer.vgg19.preprocess_input(np.array([[[[7.0, 8, 9]]]]))
    assert style_transfer.visible(prepared + 0.01).tolist() == [[[[7, 8, 9]]]]
