"""All that stands between Python and a kernel, on a driver without a device: types, linker, launches, streams, copies, graphs.

The simulator has none of it. Here Numba itself finds the types of the arguments, makes machine code for an sm_90 and passes the words that
a launch takes; see fake_driver.py. What kernels would compute is not looked at.
"""

import threading

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import dtypes, layers, models, ops
from refnet.engine import use_engine


@pytest.fixture
def engine(driver):
    from refnet_fast.cuda.engine import CudaEngine

    return CudaEngine("cuda")


def fitted(engine, samples=16):
    """A model of one layer after two epochs in batches of 4; Adam's update and the loss have kernels with many arguments."""
    x = np.random.default_rng(1).standard_normal((samples, 5)).astype("float32")
    with use_engine(engine):
        model = models.Sequential([layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, np.arange(samples) % 3, batch_size=4, epochs=2, verbose=0)
    return model


def test_the_second_step_is_captured_and_the_others_are_its_graph(driver, engine):
    model = fitted(engine)
    graphs = [launches for name, launches in driver.done if name == "graph"]
    steps = [launches for launches in graphs if len(launches) == max(map(len, graphs))]
    assert len(steps) == 2 * 4 - 1 and len(set(steps)) == 1
    assert model.get_weights()[0].shape == (5, 3)


def test_windows_are_sent_from_pinned_memory_by_a_stream_of_their_own(driver, engine, monkeypatch):
    from refnet_fast.cuda import feeding, running

    monkeypatch.setattr(feeding, "WINDOW", 2 * 4 * (5 * 4 + 8))
    monkeypatch.setattr(feeding.device, "calls", calls := type(feeding.device.calls)())
    monkeypatch.setattr(running, "feed", windows_only(feeding))
    fitted(engine, 40)
    assert calls["send"] >= 2 * 5 and len(driver.streams) >= 3


def windows_only(feeding):
    def feed(residence, data, order, batch_size, inputs):
        kept = residence.data_set(data)
        if kept is None:
            kept = feeding.Windows([feeding.stored(a, x.dtype) for a, x in zip(data, inputs)], order, batch_size)
            residence.keep_data(data, kept)
        kept.begin(order)
        return kept

    return feed


def test_parts_of_one_tuple_are_of_one_type(engine):
    """Whatever their lengths: what is empty, what has one element, what is seen transposed. A tuple of two types has no index."""
    with use_engine(engine):
        for parts in ([3, 0, 1], [1, 1], [0, 2]):
            assert ops.concatenate([np.zeros(n, "float32") for n in parts]).shape == (sum(parts),)
        assert ops.concatenate([np.zeros((2, 3), "float32").T, np.zeros((1, 2), "float32")]).shape == (4, 2)


def test_more_parts_than_the_arguments_of_a_kernel_may_name(engine):
    """The compiler refuses a kernel with more than 32,764 bytes of arguments."""
    with use_engine(engine):
        assert ops.concatenate([np.zeros((1, 2), "float32")] * 400).shape == (400, 2)


def test_a_kernel_that_cannot_be_captured_is_launched_one_by_one(driver, engine, monkeypatch):
    from numba.cuda import dispatcher

    launch = dispatcher.launch

    def refused(stream, *arguments):
        if driver.capturing is not None:
            raise RuntimeError("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")
        launch(stream, *arguments)

    monkeypatch.setattr(dispatcher, "launch", refused)
    with pytest.warns(UserWarning, match="refused to capture a step as a graph .*CAPTURE_UNSUPPORTED"):
        fitted(engine)
    assert "graph" not in {name for name, _ in driver.done} and driver.capturing is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_product_whose_sums_are_cut(driver, engine, dtype):
    """Few columns and many terms: what adds the parts has larger blocks than the tile."""
    a, b = np.zeros((40, 2000), dtypes.as_numpy(dtype)), np.zeros((2000, 16), dtypes.as_numpy(dtype))
    with use_engine(engine):
        ops.matmul(a, b)
    assert [name for name, _ in driver.done].count("launch") == 2


@pytest.mark.parametrize(
    "name", ["sum_of_columns", "transpose_tiles", "argsort_lanes", "concatenate_elements", "matmul_tiled"]
)
def test_what_was_compiled_before_is_what_is_launched(driver, engine, name):
    """The types that an argument has before it lies on a device are those that Numba finds there: nothing is compiled twice."""
    from refnet.definition import Op
    from refnet_fast.cuda import calls, derive

    call = calls.TINY[name]
    _, launches = calls.launches(call)
    for launch in launches:
        launch.compile()
    kernels = [derive.dispatcher(launch.text) for launch in launches]
    made = [len(kernel.overloads) for kernel in kernels]
    assert not driver.done and min(made) > 0
    engine.compute(Op.named[call.op], calls.arrays(call), call.attributes)
    assert [n for n, _ in driver.done].count("launch") >= len(launches)
    assert [len(kernel.overloads) for kernel in kernels] == made


def during_the_capture(driver, engine, monkeypatch, asks, before=lambda: None):
    """Trains; another thread calls `asks` while a step is captured. What went wrong in that thread, or None."""
    from numba.cuda import dispatcher

    launch, threads, ended = dispatcher.launch, [], []

    def thread():
        try:
            asks()
        except Exception as error:  # it would be lost with the thread
            ended.append(error)
        else:
            ended.append(None)

    def launched(stream, *arguments):
        if driver.capturing is not None and not threads:
            before()
            threads.append(threading.Thread(target=thread))
            threads[0].start()
            threads[0].join(0.3)  # long enough to be refused; who waits for the end of the capture ends after it
        launch(stream, *arguments)

    monkeypatch.setattr(dispatcher, "launch", launched)
    fitted(engine)
    threads[0].join(60)
    assert "graph" in {name for name, _ in driver.done}
    (error,) = ended
    return error


def test_another_thread_asks_for_a_value_while_a_step_is_captured(driver, engine, monkeypatch):
    """Copies that wait, and memory that is zeroed, are work on the default stream, which the driver refuses until the capture is over."""
    from refnet_fast.cuda import device

    block = device.Block(8)

    def asks():
        device.download(block.address, np.empty(8, np.uint8))
        device.Block(8)

    assert during_the_capture(driver, engine, monkeypatch, asks) is None


def test_nothing_is_given_back_while_a_step_is_captured(driver, engine, monkeypatch):
    """Python may let go of memory at any time; to free it makes the driver wait for the device, which is being told what to do later."""
    from numba.cuda import dispatcher

    from refnet_fast.cuda import device

    kept, launch, seen = [device.Block(8) for _ in range(50)], dispatcher.launch, []
    taken = len(driver.blocks)

    def launched(stream, *arguments):
        if driver.capturing is not None and kept:
            before = len(driver.blocks)
            kept.clear()
            seen.append(before - len(driver.blocks))
        launch(stream, *arguments)

    monkeypatch.setattr(dispatcher, "launch", launched)
    fitted(engine)
    assert seen == [0] and "graph" in {name for name, _ in driver.done}
    device.free()
    assert len(driver.blocks) < taken


def test_another_thread_asks_for_memory_that_was_let_go_while_a_step_is_captured(driver, engine, monkeypatch):
    """It is given back after the capture, so who asks waits for that: until then the device seems to be full."""
    from refnet_fast.cuda import device

    size = 2**20
    kept = [device.Block(size)]

    def used():
        return sum(length for length, _ in driver.blocks.values())

    def let_go():
        total = used() + size // 2  # room for the others, not for this one
        monkeypatch.setattr(driver, "cuMemGetInfo", lambda: (total - used(), total))
        kept.clear()

    assert during_the_capture(driver, engine, monkeypatch, lambda: kept.append(device.Block(size)), let_go) is None


def test_memory_that_is_not_there(driver, engine, monkeypatch):
    """The driver's own refusal, where it tells that there is more than it has, is told as ours; nothing is lost."""
    from cuda.bindings.driver import CUresult
    from numba.cuda.cudadrv.driver import CudaAPIError

    from refnet.errors import OutOfMemoryError

    def refuses(size):
        raise CudaAPIError(CUresult.CUDA_ERROR_OUT_OF_MEMORY, "cuMemAlloc")

    with monkeypatch.context() as patch:
        patch.setattr(driver, "cuMemAlloc", refuses, raising=False)
        with use_engine(engine), pytest.raises(OutOfMemoryError, match="has no room"):
            ops.exp(np.ones(7, "float32"))
    with use_engine(engine):
        assert ops.exp(np.ones(7, "float32")).shape == (7,)
