"""Models used from several threads: every answer is the one that a single thread gets, or a refusal."""

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from refnet import callbacks, engine, ops
from refnet.errors import ArgumentError
from refnet.keeping import Kept
from refnet.layers import Activation, Dense, Dropout, Input
from refnet.models import Model, Sequential
from refnet_fast import vm
from refnet_fast.native import aligned_zeros

X = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
Y = X[:, :1] * X[:, 1:2]


@pytest.fixture(autouse=True)
def on_cpu_with_threads_that_take_short_turns() -> Any:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with engine.use_engine("cpu"):
        yield
    sys.setswitchinterval(usual)


def net(width: int = 5, seed: int = 1, deferred: bool = False) -> Sequential:
    from refnet import initializers

    first = [] if deferred else [Input((4,))]
    kernel = initializers.GlorotUniform(seed=seed)
    last = Dense(1, kernel_initializer=initializers.GlorotUniform(seed=seed + 1))
    model = Sequential([*first, Dense(width, "tanh", kernel_initializer=kernel), Dropout(0.1, seed=3), last])
    model.compile("adam", "mse")
    return model


def together(*calls: Callable[[], Any]) -> list[Any]:
    """The calls' results, each made in a thread of its own, all begun at once; an error in one is raised here."""
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []
    start = threading.Barrier(len(calls))

    def work(number: int) -> None:
        start.wait()
        try:
            results[number] = calls[number]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@pytest.mark.parametrize("deferred", [False, True])
def test_predict_from_four_threads(deferred: bool) -> None:
    parts = [X[i : i + 20] for i in (0, 10, 20, 30)]
    expected = [net().predict(part, batch_size=7) for part in parts]
    for _ in range(10):
        model = net(deferred=deferred)
        results = together(*[partial(model.predict, part, batch_size=7) for part in parts])
        assert len(model.get_weights()) == 4
        for result, right in zip(results, expected):
            np.testing.assert_array_equal(result, right)


def test_threads_predict_more_shapes_than_a_model_keeps_programs_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one thread has just made or found, another may put out."""
    monkeypatch.setattr(Kept, "most", 1)
    x = Input((None,))
    model = Model(x, ops.sum(x, axis=1, keepdims=True))
    function = model.function()

    def one(first: int) -> None:
        for turn in range(150):
            length = 1 + (first + turn) % 3
            for predict in (partial(model.predict, verbose=0), model.predict_on_batch, function):
                np.testing.assert_array_equal(predict(np.ones((2, length), "float32")), np.full((2, 1), length))

    together(*[partial(one, first) for first in range(4)])


def test_models_are_built_called_and_trained_at_once() -> None:
    def one(width: int) -> list[np.ndarray]:
        model = net(width, seed=width)
        history = [model.train_on_batch(X, Y) for _ in range(5)]
        return [*model.get_weights(), np.array(history), np.asarray(model(X))]

    widths = (3, 4, 5, 6)
    expected = [one(width) for width in widths]
    for _ in range(3):
        results = together(*[partial(one, width) for width in widths])
        for result, right in zip(results, expected):
            assert all(np.array_equal(a, b) for a, b in zip(result, right, strict=True))


def test_two_models_in_turns() -> None:
    first, second, alone = net(seed=1), net(seed=2), net(seed=2)
    for _ in range(3):
        first.fit(X, Y, epochs=1, shuffle=False)
        second.fit(X, Y, epochs=1, shuffle=False)
        first.predict(X)
    for _ in range(3):
        alone.fit(X, Y, epochs=1, shuffle=False)
    assert all(np.array_equal(a, b) for a, b in zip(second.get_weights(), alone.get_weights()))


def test_predict_while_another_thread_fits() -> None:
    """Training goes its way to the bit, and each prediction is that of weights between two steps."""
    alone, model = net(), net()
    alone.fit(X, Y, epochs=30, shuffle=False)
    seen: list[np.ndarray] = []
    training, predicted = threading.Event(), threading.Event()

    def watch() -> None:
        training.wait(20)
        while training.is_set():
            seen.append(model.predict(X[:6], batch_size=6))
            predicted.set()

    def fit() -> None:
        meeting = callbacks.LambdaCallback(
            on_train_begin=lambda logs: training.set(),
            # a short fit could be over first
            on_epoch_begin=lambda epoch, logs: predicted.wait(20) if epoch == 1 else None,
        )
        try:
            model.fit(X, Y, epochs=30, shuffle=False, callbacks=[meeting])
        finally:
            training.clear()

    together(fit, watch)
    assert seen and all(np.isfinite(prediction).all() for prediction in seen)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), alone.get_weights()))


def test_weights_that_move_while_another_thread_trains() -> None:
    """A program whose weights another's first step lays elsewhere is built again: no step is lost."""
    alone, model = net(), net()
    alone.fit(X, Y, epochs=300, batch_size=1, shuffle=False)

    def fit() -> None:
        model.fit(X, Y, epochs=300, batch_size=1, shuffle=False)

    def move() -> None:
        for _ in range(20):
            for weight in model.weights:
                with vm.workers.lock:  # as an engine does when it lays weights side by side
                    weight.place(aligned_zeros(weight.array.nbytes).view("float32").reshape(weight.shape))
                time.sleep(0.001)

    together(fit, move)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), alone.get_weights()))


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_two_threads_cannot_share_a_models_metrics(method: str) -> None:
    model = net()
    refused: list[ArgumentError] = []

    def second() -> None:
        try:
            getattr(model, method)(X, Y)
        except ArgumentError as error:
            refused.append(error)

    def in_another_thread(logs: Any) -> None:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()

    before = callbacks.LambdaCallback(on_train_begin=in_another_thread)
    model.fit(X, Y, epochs=0, callbacks=[before])
    assert [str(error) for error in refused] == [
        f"{method}: {model.name} is in another thread's fit, whose metrics it would change. "
        "Wait for it, or use a model of the thread's own; predict may be called at any time."
    ]
    getattr(model, method)(X, Y)  # afterwards it is free again
    model.fit(X, Y, callbacks=[callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model.evaluate(X, Y))])


def test_metrics_are_read_while_another_thread_makes_a_program() -> None:
    """Which forgets what is shown, to look it up again: here in the middle of reading, where threads seldom meet."""

    class Interrupted(dict[str, Any]):
        def get(self, *args: Any) -> Any:
            model._steps.clear()
            together(lambda: model.predict_on_batch(X))
            assert model._shown is None
            return super().get(*args)

    model = net()
    wanted = model.test_on_batch(X, Y)
    model._ran = Interrupted(model._ran)
    assert model._results("test") == {"loss": wanted}


def test_ops_on_arrays_stay_on_the_definitions_while_another_thread_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    plain = engine.reference.compute
    monkeypatch.setattr(engine, "_current", [])
    monkeypatch.setattr(engine.reference, "compute", lambda op, *rest: seen.append(op.name) or plain(op, *rest))
    with engine.eager_on_current():
        together(lambda: ops.exp(np.float32(1)))
    assert seen == ["exp"]


@pytest.mark.parametrize("threads", [2, 4])
def test_each_batch_of_a_prediction_lands_in_its_place(threads: int) -> None:
    """A thread that is late with writing the last batch must not meet the number of the next one."""
    x = np.random.default_rng(1).normal(size=(200, 32, 32, 32)).astype("float32")
    model = Sequential([Input((32, 32, 32)), Activation("relu")])
    expected = np.maximum(x, 0)
    vm.set_threads(threads)
    try:
        for _ in range(20):
            assert np.array_equal(model.predict(x, batch_size=32, verbose=0), expected)
    finally:
        vm.set_threads(None)
