"""An epoch that runs natively is its batches one by one, to the bit: whatever a model reads, gives, keeps and draws.

Inputs of three dtypes, two outputs, weights of samples, masks, moving averages; a last batch that is smaller.
"""

import numpy as np
import pytest

from refnet import Input, Model, layers, optimizers, utils
from refnet.engine import use_engine
from refnet.errors import DataError
from refnet_fast import machine_rows, vm
from refnet_fast.running import Running

SAMPLES, SIZE = 23, 5
RNG = np.random.default_rng(0)
X = {
    "words": RNG.integers(0, 6, (SAMPLES, 4)).astype("uint8"),
    "numbers": RNG.standard_normal((SAMPLES, 3)),
    "flags": RNG.random((SAMPLES, 2)) < 0.5,
}
Y = {"kind": RNG.integers(0, 3, SAMPLES), "value": RNG.standard_normal((SAMPLES, 1)).astype("float32")}
WEIGHTS = {"kind": RNG.random(SAMPLES).astype("float32"), "value": RNG.random(SAMPLES)}
OPTIMIZERS = {
    "accumulated, averaged": lambda: optimizers.Adam(
        0.01, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.5
    ),
    "clipped, on a schedule": lambda: optimizers.SGD(
        optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), momentum=0.9, clipnorm=0.05
    ),
}


def made(optimizer):
    utils.set_random_seed(1)
    words, numbers, flags = (
        Input((4,), dtype="int32", name="words"),
        Input((3,), name="numbers"),
        Input((2,), name="flags"),
    )
    seen = layers.GlobalAveragePooling1D()(layers.Embedding(6, 3, mask_zero=True)(words))
    y = layers.Concatenate()([seen, layers.BatchNormalization()(numbers), flags])
    y = layers.Dropout(0.5)(layers.Dense(6, "tanh")(y))
    outputs = [layers.Dense(3, "softmax", name="kind")(y), layers.Dense(1, name="value")(y)]
    model = Model([words, numbers, flags], dict(zip(Y, outputs)))
    losses = {"kind": "sparse_categorical_crossentropy", "value": "mse"}
    model.compile(OPTIMIZERS[optimizer](), losses, weighted_metrics={"kind": ["accuracy"], "value": ["mae"]})
    return model


class OneByOne(utils.PyDataset):
    """The same samples, batch by batch: each is a run by itself."""

    def __len__(self):
        return -(-SAMPLES // SIZE)

    def __getitem__(self, number):
        rows = slice(number * SIZE, (number + 1) * SIZE)
        return tuple({name: array[rows] for name, array in arrays.items()} for arrays in (X, Y, WEIGHTS))


def everything(model):
    return [np.array(v.value) for v in (*model.variables, *model.optimizer.variables)]


@pytest.fixture(params=[0.0, 60.0], ids=["batch by batch", "at once"])
def on_threads_that_take_turns(monkeypatch, request):
    """Three threads, which come back to Python after each batch, or when all have run."""
    monkeypatch.setattr(machine_rows, "PARALLEL_NS", 0.0)
    monkeypatch.setattr(Running.run_batches, "__defaults__", (None, request.param))
    vm.set_threads(3)
    yield
    vm.set_threads(None)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_is_its_batches(optimizer, on_threads_that_take_turns):
    with use_engine("cpu"):
        model, by_hand = made(optimizer), made(optimizer)
        for _ in range(2):
            told = {"batch_size": SIZE, "sample_weight": WEIGHTS, "verbose": 0}
            history = model.fit(X, Y, shuffle=False, epochs=2, **told).history
            assert history == by_hand.fit(OneByOne(), shuffle=False, epochs=2, verbose=0).history
            for one, other in zip(everything(model), everything(by_hand), strict=True):
                np.testing.assert_array_equal(one, other)
            assert model.evaluate(X, Y, **told) == by_hand.evaluate(OneByOne(), verbose=0)
        whole, parts = model.predict(X, batch_size=SIZE, verbose=0), by_hand.predict(OneByOne(), verbose=0)
        for name in Y:
            np.testing.assert_array_equal(whole[name], parts[name])


def test_a_shuffled_epoch_is_the_epoch_of_samples_in_that_order(on_threads_that_take_turns, monkeypatch):
    """The last batch, which is smaller and does not run natively, takes the last samples of the order."""
    orders, run = [], Running.run_batches
    monkeypatch.setattr(
        Running,
        "run_batches",
        lambda self, data, order, *rest, **more: orders.append(order) or run(self, data, order, *rest, **more),
    )
    with use_engine("cpu"):
        model, sorted_ = made("clipped, on a schedule"), made("clipped, on a schedule")
        model.fit(X, Y, batch_size=SIZE, sample_weight=WEIGHTS, verbose=0)
        order = orders[0].copy()
        assert sorted(order) == list(range(SAMPLES)) and list(order) != sorted(order)
        given = [{name: array[order] for name, array in arrays.items()} for arrays in (X, Y, WEIGHTS)]
        sorted_.fit(*given[:2], batch_size=SIZE, sample_weight=given[2], shuffle=False, verbose=0)
    for one, other in zip(everything(model), everything(sorted_), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_epoch_ends_before_the_batch_that_reads_what_is_not_there(on_threads_that_take_turns):
    """The batches before it have trained; it has changed nothing; and the next epoch starts anew."""
    spoiled = {**X, "words": X["words"].copy()}
    spoiled["words"][2 * SIZE + 1, 3] = 6
    with use_engine("cpu"):
        model, before = made("clipped, on a schedule"), made("clipped, on a schedule")
        with pytest.raises(DataError, match=r"the one at \[1, 3\] of batch 2 is 6"):
            model.fit(spoiled, Y, batch_size=SIZE, shuffle=False, verbose=0)
        two = [{name: array[: 2 * SIZE] for name, array in arrays.items()} for arrays in (X, Y)]
        before.fit(*two, batch_size=SIZE, shuffle=False, verbose=0)
        for _ in range(2):
            for one, other in zip(everything(model), everything(before), strict=True):
                np.testing.assert_array_equal(one, other)
            for each in (model, before):
                each.fit(X, Y, batch_size=SIZE, shuffle=False, verbose=0)
