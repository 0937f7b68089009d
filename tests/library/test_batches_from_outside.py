"""fit, evaluate and predict on generators, PyDatasets and other things that give batches."""

import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from refnet import callbacks, utils
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.layers import Dense, Input, Rescaling, concatenate
from refnet.models import Model, Sequential
from refnet.testing.closeness import close
from refnet.utils.ahead import ahead

generator = np.random.default_rng(2)
X = generator.standard_normal((12, 3)).astype("float32")
Y = (X.sum(1) > 0).astype("float32")


def network(**more: Any) -> Sequential:
    utils.set_random_seed(3)
    model = Sequential([Input((3,)), Dense(4, activation="tanh"), Dense(1, activation="sigmoid")])
    model.compile("rmsprop", "binary_crossentropy", **{"metrics": ["acc"], **more})
    return model


def endless(size: int = 4, parts: int = 2, seen: list[int] | None = None) -> Iterator[Any]:
    number = 0
    while True:
        rows = np.arange(number * size, (number + 1) * size) % len(X)
        if seen is not None:
            seen.append(number)
        yield (X[rows], Y[rows], np.ones(size))[:parts]
        number += 1


class Batches(utils.PyDataset):
    def __init__(self, size: int = 5, **more: Any):
        super().__init__(**more)
        self.size, self.asked, self.heard = size, list[int](), list[str]()

    def __len__(self) -> int:
        return -(-len(X) // self.size)

    def __getitem__(self, index: int) -> Any:
        self.asked.append(index)
        rows = slice(index * self.size, (index + 1) * self.size)
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        self.heard.append("end")


def test_columns_that_a_model_does_not_read_are_left_out() -> None:
    """As Keras 3 does, and as a call of the model on a dict; one that is missing is an error all the same."""
    first, second = Input((3,), name="first"), Input((1,), name="second")
    model = Model([first, second], Dense(1)(concatenate([first, second])))
    model.compile("sgd", "mse")
    table = {"row": np.array(["a"] * 12), "second": Y[:, None], "first": X}
    due = model.predict([X, Y[:, None]], verbose=0)
    assert np.array_equal(model.predict(table, verbose=0), due)
    assert model.evaluate(table, Y, verbose=0) == model.evaluate([X, Y[:, None]], Y, verbose=0)
    assert np.array_equal(model.predict(({**table} for _ in range(1)), verbose=0), due)
    model.fit(table, Y, validation_split=0.25, verbose=0)
    with pytest.raises(ArgumentError, match=r"keys \['row', 'second'\]; the model's names are \['first', 'second'\]"):
        model.fit({"row": Y, "second": Y}, Y, verbose=0)
    with pytest.raises(ArgumentError, match="y is a dict with the keys"):
        model.fit(table, {**dict.fromkeys(model.output_names, Y), "row": Y}, verbose=0)


def test_a_generator_trains_as_the_arrays_do() -> None:
    a, b = network(), network()
    one = a.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, validation_data=(X, Y)).history
    seen: list[int] = []
    two = b.fit(
        endless(seen=seen), steps_per_epoch=3, epochs=3, verbose=0, validation_data=endless(), validation_steps=3
    ).history
    assert seen == list(range(9)) and sorted(one) == sorted(two) == ["acc", "loss", "val_acc", "val_loss"]
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])
    for v, w in zip(a.get_weights(), b.get_weights()):
        assert np.array_equal(v, w)
    np.testing.assert_array_equal(a.evaluate(X, Y, verbose=0), a.evaluate(endless(), steps=3, verbose=0))
    assert np.array_equal(a.predict(X, verbose=0), a.predict(endless(), steps=3, verbose=0))  # the targets are left


@pytest.mark.api("fit_generator", "evaluate_generator", "predict_generator")
def test_the_old_names_of_the_three_methods() -> None:
    a, b = network(), network()
    a.fit(endless(), steps_per_epoch=2, epochs=2, verbose=0)
    history = b.fit_generator(
        endless(), steps_per_epoch=2, epochs=2, validation_data=(X, Y), verbose=0, workers=4, max_queue_size=3
    )
    assert np.array_equal(a.get_weights()[0], b.get_weights()[0]) and len(history.history["val_accuracy"]) == 2
    assert a.evaluate_generator(endless(), steps=3, verbose=0) == a.evaluate(endless(), steps=3, verbose=0)
    assert np.array_equal(a.predict_generator(endless(), steps=3, verbose=0), a.predict(X, verbose=0))


def test_a_generator_with_an_end() -> None:
    model = network()
    history = model.fit((batch for batch in [(X[:4], Y[:4]), (X[4:], Y[4:])]), verbose=0)
    assert len(history.history["loss"]) == 1
    expected = model.predict(X, verbose=0)
    assert np.array_equal(model.predict(iter([X[:4], X[4:]]), verbose=0), expected)
    with pytest.warns(UserWarning, match="ran out of data after 1 batches of epoch 2"):
        history = model.fit(iter([(X, Y)] * 3), steps_per_epoch=2, epochs=5, verbose=0)
    assert len(history.history["loss"]) == 2
    with pytest.warns(UserWarning, match="ran out of data after 0 batches of epoch 2"):
        model.fit(iter([(X, Y)] * 3), epochs=2, verbose=0)
    with pytest.raises(DataError, match="fit: x gives no batch"):
        model.fit(iter([]), verbose=0)


def test_what_can_be_begun_again_but_is_empty_then_ends_training() -> None:
    class Once:
        passes = 0

        def __iter__(self) -> Any:
            self.passes += 1
            return iter([(X, Y)] * 3 if self.passes == 1 else [])

    with pytest.warns(UserWarning, match="ran out of data after 1 batches of epoch 2"):
        history = network().fit(Once(), steps_per_epoch=2, epochs=5, verbose=0)
    assert len(history.history["loss"]) == 2


def test_a_py_dataset_is_shuffled_by_batches_and_told_of_epochs() -> None:
    data = Batches()
    network().fit(data, epochs=8, verbose=0)
    asked = [data.asked[i : i + 3] for i in range(0, 24, 3)]
    assert all(sorted(part) == [0, 1, 2] for part in asked) and len(set(map(tuple, asked))) > 1
    assert data.heard == ["end"] * 8
    ordered = Batches()
    model = network()
    model.fit(ordered, epochs=2, shuffle=False, verbose=0, validation_data=Batches())
    assert ordered.asked == [0, 1, 2] * 2
    same = network()
    same.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    assert np.array_equal(model.get_weights()[0], same.get_weights()[0])
    close(model.evaluate(Batches(), verbose=0), model.evaluate(X, Y, verbose=0), 2 * (len(X) + 4))
    assert model.predict(Batches(), verbose=0).shape == (12, 1)
    wrapped = Batches()
    model.fit(wrapped, steps_per_epoch=4, epochs=2, shuffle=False, verbose=0)  # begun again where it ends
    assert wrapped.asked == [0, 1, 2, 0, 1, 2, 0, 1]
    assert utils.Sequence is utils.PyDataset


class FromAThread(Batches):
    """Batches that a thread makes ahead, with a layer that computes arrays: as ImageDataGenerator's are."""

    def __init__(self) -> None:
        super().__init__()
        self.double, self.threads = Rescaling(2.0), set[int]()

    def __getitem__(self, index: int) -> Any:
        self.threads.add(threading.get_ident())
        x, y = super().__getitem__(index)
        return self.double(x), y

    def iterate(self, numbers: Any) -> Iterator[Any]:
        return ahead((self[int(i)] for i in numbers), 2)


def test_a_thread_that_makes_batches_may_run_ops_while_the_model_is_prepared() -> None:
    """The first batch is made before the lock is taken which both need; else each would wait for the other for ever."""
    model, data, watched = network(), FromAThread(), FromAThread()

    def work() -> None:
        model.fit(data, epochs=2, verbose=0, validation_data=watched)
        model.fit(X, Y, verbose=0, validation_data=FromAThread())
        model.evaluate(FromAThread(), verbose=0)
        model.predict(FromAThread(), verbose=0)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert data.threads and watched.threads and thread.ident not in data.threads | watched.threads


def test_other_things_that_give_batches_when_iterated() -> None:
    class Loader:
        def __iter__(self) -> Iterator[Any]:
            return iter([(X[:6], Y[:6]), (X[6:], Y[6:])])

    a, b = network(), network()
    a.fit(Loader(), epochs=2, verbose=0)
    b.fit(X, Y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    assert np.array_equal(a.get_weights()[0], b.get_weights()[0])


def test_sample_and_class_weights_in_batches() -> None:
    a, b, c = network(), network(), network()
    weights = np.where(Y > 0, 3.0, 1.0)
    a.fit(iter([(X, Y, weights)]), verbose=0)
    b.fit(iter([(X, Y)]), class_weight={0: 1.0, 1: 3.0}, verbose=0)
    c.fit(X, Y, batch_size=12, class_weight={0: 1.0, 1: 3.0}, shuffle=False, verbose=0)
    for v, w, u in zip(a.get_weights(), b.get_weights(), c.get_weights()):
        assert np.array_equal(v, w) and np.array_equal(v, u)
    with pytest.raises(ArgumentError, match="sample_weight or class_weight, not both"):
        a.fit(iter([(X, Y, weights)]), class_weight={0: 1.0, 1: 2.0}, verbose=0)


def test_dicts_and_lists_of_inputs() -> None:
    a, b = Input((3,), name="left"), Input((2,), name="right")
    model = Model([a, b], [Dense(1, name="sum")(concatenate([a, b])), Dense(1, name="other")(a)])
    model.compile("sgd", {"sum": "mse", "other": "mae"})
    x = {"right": X[:, :2], "left": X}
    y = {"other": Y, "sum": Y}

    def batches() -> Iterator[Any]:
        while True:
            yield x, y

    history = model.fit(batches(), steps_per_epoch=2, verbose=0, validation_data=batches(), validation_steps=1).history
    assert set(history) == {*("loss", "sum_loss", "other_loss"), *("val_loss", "val_sum_loss", "val_other_loss")}
    one, two = model.predict(batches(), steps=2, verbose=0)
    assert one.shape == two.shape == (24, 1)
    by_array = model.evaluate(x, y, verbose=0)
    np.testing.assert_array_equal(model.evaluate(iter([([X, X[:, :2]], [Y, Y])]), verbose=0), by_array)


def test_callbacks_hear_the_batches_and_may_stop() -> None:
    heard: list[Any] = []

    class Listener(callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            heard.append(self.params["steps"])

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            heard.append((batch, sorted(logs)))
            if batch == 1:
                self.model.stop_training = True

    history = network().fit(endless(), steps_per_epoch=5, epochs=4, callbacks=[Listener()], verbose=0)
    assert heard == [5, (0, ["acc", "loss"]), (1, ["acc", "loss"])] and history.epoch == [0]


def test_a_deferred_model_is_built_by_the_first_batch_or_not_at_all() -> None:
    model = Sequential([Dense(2, activation="relu"), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError, match="4 samples .* 3"):
        model.fit(iter([(X[:4], Y[:3])]), verbose=0)
    assert not model.built
    model.fit(iter([(X[:4], Y[:4])]), verbose=0)
    assert model.built and model.input_shape == (None, 3)


def test_what_is_shown_while_the_number_of_steps_is_not_known(capsys: Any) -> None:
    network().fit(iter([(X, Y)] * 3), verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/1" and lines[1].startswith("3/3 - 0s - ") and "loss: " in lines[1]


def test_arguments_that_belong_to_arrays() -> None:
    model = network()
    for more in ({"y": Y}, {"sample_weight": Y}, {"validation_split": 0.2}):
        with pytest.raises(ArgumentError, match=f"fit: {next(iter(more))} belongs to arrays"):
            model.fit(endless(), steps_per_epoch=1, **more)
    with pytest.raises(ArgumentError, match="steps_per_epoch must be an integer of at least 1; got 0"):
        model.fit(endless(), steps_per_epoch=0)
    with pytest.raises(ArgumentError, match=r"must give \(x, y\) or \(x, y, sample_weight\); got 4 things"):
        model.fit(iter([(X, Y, Y, Y)]), verbose=0)
    with pytest.raises(ArgumentError, match="the loss needs targets"):
        model.fit(iter([X]), verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(endless(), steps_per_epoch=1, verbose=0)
