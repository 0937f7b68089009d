"""Epochs on the device: data gathered there, the host asked for nothing between two progress updates, graphs replayed."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest

import refnet_fast
from refnet import graph, layers, ops
from refnet.engine import get_engine, use_engine
from refnet.errors import DataError, OutOfMemoryError
from refnet.graph import Tensor, Variable
from refnet.models import Sequential
from refnet.program import Program
from refnet_fast.cuda import device, epoch, feeding, replay
from refnet_fast.cuda.engine import CudaEngine

generator = np.random.default_rng(8)
STOPPING = ("upload", "download", "wait")


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch):
    """A slice is as long as the epoch: how often the host stops then depends on no clock."""
    monkeypatch.setattr(epoch, "SLICE", 1e9)


@pytest.fixture(autouse=True)
def nothing_left():
    """What earlier tests have left goes first: memory that is freed during a test is not what the test gives."""
    gc.collect()


def network():
    refnet_fast.utils.set_random_seed(1)
    model = Sequential([layers.Input((4,)), layers.Dropout(0.3), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data(samples):
    return generator.standard_normal((samples, 4)).astype("float32"), generator.integers(0, 3, samples)


def exact_network():
    """A network and a loss of which no sum is ever rounded: integers, powers of two, and slopes that know no weights."""
    refnet_fast.utils.set_random_seed(1)
    model = Sequential([layers.Input((4,)), layers.Dropout(0.5), layers.Dense(3, kernel_initializer="ones")])
    model.compile(refnet_fast.optimizers.SGD(0.5), lambda y, p: ops.multiply(y, ops.sum(p, 1)), metrics=["mae"])
    return model


def trained(engine, x, y, make=network, **more):
    with use_engine(engine):
        model = make()
        history = model.fit(x, y, batch_size=4, epochs=2, verbose=0, **more).history
        return [*history.values(), *model.get_weights(), model.predict(x, batch_size=5, verbose=0)]


def stops_of_an_epoch(batches):
    """How often the host stops for the device in the fourth epoch of a model, whose pace is known by then."""
    with use_engine(CudaEngine("cuda-sim")):
        model, (x, y) = network(), data(4 * batches)
        counts = []
        told = refnet_fast.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: counts.append(sum(device.calls[name] for name in STOPPING))
        )
        model.fit(x, y, batch_size=4, epochs=5, verbose=0, callbacks=[told])
    return counts[4] - counts[3]


def test_the_host_stops_as_often_however_many_batches_an_epoch_has():
    assert stops_of_an_epoch(3) == stops_of_an_epoch(9)


def test_batches_are_the_references_with_remainder_and_validation():
    """To the bit: what a batch leaves in the weights tells which samples it had, and no order of adding them can be seen."""
    x, y = generator.integers(-8, 9, (19, 4)).astype("float32"), generator.integers(0, 3, (19, 1)).astype("float32")
    results = [trained(engine, x, y, exact_network, validation_split=0.3) for engine in ("cuda-sim", "reference")]
    for got, due in zip(*results, strict=True):
        np.testing.assert_array_equal(got, due)


def test_a_data_set_that_does_not_fit_comes_in_windows(monkeypatch):
    x, y = data(46)
    whole = trained(CudaEngine("cuda-sim"), x, y)
    begun = []
    monkeypatch.setattr(device, "free", lambda: 1500)
    monkeypatch.setattr(device, "zeros", lambda size: refnet_fast_zeros(size))
    monkeypatch.setattr(feeding, "WINDOW", 3 * 4 * 20)  # three batches
    monkeypatch.setattr(feeding.Windows, "begin", counting(feeding.Windows.begin, begun))
    for got, due in zip(trained(CudaEngine("cuda-sim"), x, y), whole, strict=True):
        np.testing.assert_array_equal(got, due)
    assert begun


def refnet_fast_zeros(size):
    from numba import cuda

    return cuda.to_device(np.zeros(size, np.uint8))


def counting(method, calls):
    def counted(*arguments):
        calls.append(arguments)
        return method(*arguments)

    return counted


def test_data_changed_between_two_calls_are_seen():
    x, y = data(12)
    with use_engine("cuda-sim"):
        model = network()
        before = model.evaluate(x, y, batch_size=4, verbose=0)
        x[:] = -x
        assert model.evaluate(x, y, batch_size=4, verbose=0) != before


@pytest.mark.parametrize("kind", ["uint8", "int64", "float64", "bool", "float16", "int16"])
def test_data_of_other_dtypes(kind):
    x = (generator.integers(0, 2, (10, 4)) * 3).astype(kind)
    results = []
    for engine in ("cuda-sim", "reference"):
        with use_engine(engine):
            results.append(exact_network().predict(x, batch_size=4, verbose=0))
    np.testing.assert_array_equal(*results)


def picking():
    """A program that picks rows of a table and counts what it has seen."""
    table, count = Variable(np.arange(6, dtype="float32").reshape(3, 2)), Variable(np.zeros((), "float32"))
    indices = Tensor((None,), "int32")
    with graph.trace.inside(collecting=True):
        picked = ops.take(table, indices, axis=0)
        records = [count.assign(ops.add(count, ops.sum(ops.ones_like(picked))))]
    return count, Program([indices], [picked], records)


@pytest.mark.parametrize("engine", ["cuda-sim", "cpu"])
def test_bad_indices_are_named_with_their_batch(engine):
    count, program = picking()
    indices = np.array([0, 1, 2, 2, 1, 7, 0, 0], "int32")
    with pytest.raises(DataError, match=r"the one at \[1\] of batch 2 is 7"):
        executable, at = get_engine(engine).prepare(program), 0
        while at < 4:
            at = executable.run_batches([indices], None, 2, at, 4)
    assert float(count) == 8  # of two batches


@pytest.fixture
def in_windows(monkeypatch):
    """Every data set is too large for the device; a window has one batch of two int32."""
    monkeypatch.setattr(device, "free", lambda: 10)
    monkeypatch.setattr(device, "zeros", lambda size: refnet_fast_zeros(size))
    monkeypatch.setattr(feeding, "WINDOW", 8)


def test_bad_indices_are_named_before_another_window_takes_their_place(in_windows):
    count, program = picking()
    indices = np.array([0, 1] * 5 + [2, 7] + [-9, 1] * 4, "int32")
    with pytest.raises(DataError, match=r"the one at \[1\] of batch 5 is 7"):
        executable, at = CudaEngine("cuda-sim").prepare(program), 0
        while at < 10:
            at = executable.run_batches([indices], None, 2, at, 10)
    assert float(count) == 20  # of five batches


@pytest.mark.parametrize("many", [6, 16])
def test_an_order_says_how_many_samples_windows_have(in_windows, many):
    _, program = picking()
    indices, outputs = generator.integers(0, 3, 10).astype("int32"), [np.zeros((many, 2), "float32")]
    order, at = generator.integers(0, 10, many), 0
    executable = CudaEngine("cuda-sim").prepare(program)
    while at < many // 2:
        at = executable.run_batches([indices], order, 2, at, many // 2, outputs)
    np.testing.assert_array_equal(outputs[0], np.arange(6).reshape(3, 2)[indices[order]])


def test_outputs_of_every_batch_come_back(monkeypatch):
    monkeypatch.setattr(epoch, "KEPT", 40)  # of two batches
    _, program = picking()
    indices, outputs = generator.integers(0, 3, 11).astype("int32"), [np.zeros((11, 2), "float32")]
    order, at = generator.permutation(11), 0
    executable = get_engine("cuda-sim").prepare(program)
    while at < 6:
        at = executable.run_batches([indices], order, 2, at, 6, outputs)
    np.testing.assert_array_equal(outputs[0], np.arange(6).reshape(3, 2)[indices[order]])


# ---- memory


def test_too_large_a_step_is_refused_with_what_it_needs(monkeypatch):
    x, y = data(64)
    with use_engine(CudaEngine("cuda-sim")):
        model = network()
        model.fit(x[:4], y[:4], batch_size=4, verbose=0)
        before = model.get_weights()
        monkeypatch.setattr(device, "limit", device.held + 3000)
        with pytest.raises(OutOfMemoryError) as error:
            model.fit(x, y, batch_size=64, verbose=0)
        words = str(error.value)
        assert "are needed at once" in words and "are free" in words and "smaller batch" in words
        assert "(64, 4) float32, 1.0 KB" in words
        for kept, due in zip(model.get_weights(), before):
            np.testing.assert_array_equal(kept, due)
        model.fit(x[:8], y[:8], batch_size=4, verbose=0)  # as before
        assert any((a != b).any() for a, b in zip(model.get_weights(), before))


def test_data_without_room_are_refused_like_a_step(monkeypatch):
    x, y = data(64)
    with use_engine(CudaEngine("cuda-sim")):
        model = network()
        model.fit(x[:4], y[:4], batch_size=4, verbose=0)
        monkeypatch.setattr(device, "limit", device.held + 1100)  # enough for a permutation
        with pytest.raises(OutOfMemoryError, match=r"The largest of its buffers: .*\(4, 3\) float32, 48 bytes"):
            model.fit(x, y, batch_size=4, verbose=0)


def test_data_sets_make_room_for_what_is_needed(monkeypatch):
    engine = CudaEngine("cuda-sim")
    monkeypatch.setattr(device, "limit", device.held + 5000)
    kept = [np.zeros(100, "uint8")]

    class Arrays(list):
        __slots__ = ("__weakref__",)

    arrays = Arrays(kept)
    engine.residence.keep_data(arrays, feeding.Resident(kept, None))
    with pytest.raises(OutOfMemoryError, match="no room for"):
        device.zeros(4200)
    assert device.Block(4500).address and engine.residence.data_set(arrays) is None


def test_blocks_are_given_back():
    before = device.held
    block = device.Block(1000)
    assert device.held == before + 1000
    del block
    assert device.held == before


def test_what_numba_frees_later_counts_as_free(monkeypatch):
    """A context of Numba's on a device: what has been given back waits in a list until it is cleared."""
    from numba import cuda

    waiting = [300]
    manager = SimpleNamespace(deallocations=SimpleNamespace(clear=waiting.clear))
    context = SimpleNamespace(memory_manager=manager, get_memory_info=lambda: SimpleNamespace(free=1000 - sum(waiting)))
    monkeypatch.setattr(cuda, "current_context", lambda: context)
    monkeypatch.setattr(device, "simulated", lambda: False)
    assert device.free() == 1000


def test_a_thread_gets_a_context_before_the_driver_is_asked(monkeypatch):
    from numba import cuda

    asked = []
    monkeypatch.setattr(cuda, "current_context", lambda: asked.append(cuda))
    with CudaEngine("cuda-sim").residence.current():
        assert asked


# ---- graphs, on a driver that only notes what it is asked: the simulator has none


class Refused(Exception):
    pass


class Driver:
    def __init__(self, refuses=""):
        self.asked, self.refuses = [], refuses

    def __getattr__(self, name):
        def answer(*arguments):
            self.asked.append(name)
            if name == self.refuses:
                raise Refused(f"{name}: not supported")
            return name

        return answer


class Stream:
    handle = 7


@pytest.fixture
def launches(monkeypatch):
    monkeypatch.setattr(replay, "relaxed", lambda: 2)
    launched = []
    return launched, [lambda stream: launched.append("a"), lambda stream: launched.append("b")]


def test_a_step_is_captured_once_and_replayed(launches, monkeypatch):
    launched, two = launches
    api = Driver()
    monkeypatch.setattr(replay, "driver", lambda: api)
    step = replay.Replay(two, Stream())
    step.graphs = True
    for _ in range(4):
        step()
    assert launched == ["a", "b"] * 2  # compiled, captured
    assert api.asked[:4] == ["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphDestroy"]
    assert api.asked[4:] == ["cuGraphLaunch"] * 3
    del step
    assert api.asked[-1] == "cuGraphExecDestroy"


@pytest.mark.parametrize("call", ["cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate"])
def test_a_refusal_is_told_and_the_step_runs(launches, monkeypatch, call):
    launched, two = launches
    api = Driver(refuses=call)
    monkeypatch.setattr(replay, "driver", lambda: api)
    step = replay.Replay(two, Stream())
    step.graphs = True
    step()
    with pytest.warns(UserWarning, match="refused to capture a step as a graph.*its 2 kernels are launched one by one"):
        step()
    launched.clear()
    step()
    assert launched == ["a", "b"] and "cuGraphLaunch" not in api.asked


def test_a_launch_that_cannot_be_captured_ends_the_capture(launches, monkeypatch):
    """Kernels are launched by others than Numba's driver, whose errors are their own."""
    launched, two = launches
    api = Driver()
    monkeypatch.setattr(replay, "driver", lambda: api)

    def launch(stream):
        if api.asked.count("cuStreamBeginCapture") > api.asked.count("cuStreamEndCapture"):
            raise RuntimeError("not permitted when stream is capturing")

    step = replay.Replay([*two, launch], Stream())
    step.graphs = True
    step()
    with pytest.warns(
        UserWarning, match="refused to capture a step as a graph.*not permitted when stream is capturing"
    ):
        step()
    assert api.asked == ["cuStreamBeginCapture", "cuStreamEndCapture"] and launched == ["a", "b"] * 3
