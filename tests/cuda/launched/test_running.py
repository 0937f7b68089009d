"""Compiled kernels that run, on the machine for PTX: tuned ones by their small calls, derived ones, and training whose second step is captured.

Some of each family here; with REFNET_PROFILE=deep every tuned kernel, every primitive, and other sizes.
"""

import os

import numpy as np
import pytest

import refnet_fast
from refnet import layers, mixed_precision, ops, optimizers
from refnet.definition import Op
from refnet.engine import use_engine
from refnet.models import Model, Sequential
from refnet.testing import hold
from refnet.testing.draw import Seeded
from refnet.testing.strategies import case, primitives
from refnet.testing.whole import hold_step
from refnet_fast.cuda import calls, kernels
from refnet_fast.cuda.checking import Checking
from refnet_fast.cuda.machine import MachineError

DEEP = os.environ.get("REFNET_PROFILE") == "deep"
SOME = {
    *(
        "matmul_tiled",
        "matmul_short",
        "matmul_rounded",
        "depthwise_windows",
        "lstm_rows",
        "attention_query_gradient_blocks",
    ),
    *("softmax_rows", "log_softmax_gradient_columns", "argmax_of_rows", "layer_normalization_rows", "transpose_tiles"),
    *("batch_normalization_training_channels", "argsort_lanes", "take_x_gradient_sorted", "permutation_in_rounds"),
    *("dropout_mask_runs", "conv2d_short", "spread_runs"),
}


@pytest.fixture
def engine(driver, monkeypatch):
    """The engine `cuda` on the driver, which runs what is launched."""
    from refnet_fast.cuda.engine import CudaEngine

    monkeypatch.setattr(driver, "runs", True)
    return CudaEngine("cuda")


def tuned_kernels():
    """Names of calls of calls.TINY, and of those kernels that round what they read."""
    kernels.load()
    rounded = [k.name for found in kernels.rounding.values() for k in found]
    return [name for name in (*calls.TINY, *rounded) if DEEP or name in SOME]


@pytest.mark.parametrize("name", tuned_kernels())
def test_a_tuned_kernel_is_certified(driver, engine, name):
    """Its call is served by it, and not by the definition; whatever it did on the way would have been refused by the machine."""
    checking = Checking(np.inf, [name])
    checking.engine = engine
    call = calls.TINY[name.replace("_rounded", "_tiled")]
    found, _ = calls.launches(call, name.endswith("_rounded"))
    assert found.name == name
    worst = checking.certified(name)
    assert isinstance(worst, float) and worst <= 1, worst
    assert [n for n, _ in driver.done].count("launch") >= 1


DERIVED = ["where", "sin", "power", "floor_divide", "cumsum", "adam_update", "cast_to_integer", "random_normal"]


@pytest.mark.parametrize("name", [name for name in primitives() if DEEP or name in DERIVED])
def test_a_primitive_is_certified(engine, name):
    for seed in range(3 if DEEP else 1):
        call = case(name, Seeded((name, seed), exotic=True))
        arrays = [np.asarray(a) for a in call.arrays]
        with np.errstate(all="ignore"):
            assert hold(call.op, engine, arrays, call.attributes, engine.compute(call.op, arrays, call.attributes)) <= 1


def perceptron():
    dense = layers.Dense(5, activation="relu"), layers.Dropout(0.3), layers.Dense(3, activation="softmax")
    return Sequential([layers.Input((4,)), *dense])


def convnet():
    image = layers.Conv2D(2, 3, padding="same"), layers.BatchNormalization(), layers.Activation("relu")
    return Sequential([layers.Input((5, 5, 1)), *image, layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(3)])


def made(engine, make, optimizer):
    with use_engine(engine):
        refnet_fast.utils.set_random_seed(4)
        model = make()
        model.compile(optimizer, "mean_squared_error")
    return model


@pytest.mark.parametrize("make", [perceptron] + DEEP * [convnet])
def test_steps_of_training_hold_what_they_may_answer(driver, engine, make):
    """The first launches its kernels one by one, the second captures them, the third is the graph once more. A twin on the reference
    engine, which stands where this model stood before the step, says what it may answer."""
    model, twin = made(engine, make, "sgd"), made("reference", make, "sgd")
    rng = np.random.default_rng(5)
    for _ in range(3):
        x = rng.standard_normal((2, *model.input_shape[1:])).astype("float32")
        y = rng.random((2, 3)).astype("float32")
        twin.set_weights(model.get_weights())
        with use_engine(engine):
            loss = model.train_on_batch(x, y)
        assert 0 < hold_step(twin, x, y, "reference", theirs=(loss, model.get_weights())) <= 1
    graphs = [len(launches) for name, launches in driver.done if name == "graph"]
    assert graphs.count(max(graphs)) == 2 and max(graphs) > 5


def transformer():
    x = layers.Input((4, 6))
    h = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)]))
    h = layers.Add()([h, layers.Dense(6)(layers.Dense(8, activation="gelu")(h))])
    return Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(h)))


def separable():
    parts = layers.SeparableConv2D(4, 3, padding="same", activation="swish"), layers.BatchNormalization()
    parts += layers.AveragePooling2D(2), layers.DepthwiseConv2D(3, padding="same"), layers.Activation("tanh")
    parts += layers.UpSampling2D(2, interpolation="bilinear"), layers.Flatten(), layers.Dense(3)
    return Sequential([layers.Input((6, 6, 3)), *parts])


def recurrent():
    both = layers.Bidirectional(layers.GRU(3, return_sequences=True))
    return Sequential([layers.Input((3, 4)), both, layers.LSTM(3), layers.Dense(3)])


def grouped():
    parts = layers.Conv2D(8, 3, groups=2, padding="same"), layers.GroupNormalization(2), layers.Activation("softplus")
    parts += layers.Conv2DTranspose(3, 3, strides=2, padding="same"), layers.GlobalAveragePooling2D()
    return Sequential([layers.Input((5, 5, 4)), *parts, layers.Dense(3)])


NETS = [(make, "adam") for make in (convnet, transformer, separable, recurrent, grouped)]
OPTIMIZERS = [(perceptron, optimizer) for optimizer in ("rmsprop", "adamw", "lamb")]


@pytest.mark.parametrize("make, optimizer", [(perceptron, "adam"), *(NETS + OPTIMIZERS if DEEP else [])])
def test_a_step_of_a_net_holds_what_it_may_answer(engine, make, optimizer):
    """Layers that share the units of a plan: products with what follows them, normalization, attention, recurrence."""
    model, rng = made(engine, make, optimizer), np.random.default_rng(6)
    with use_engine(engine):
        for _ in range(2):
            x = rng.standard_normal((2, *model.input_shape[1:])).astype("float32")
            assert 0 < hold_step(model, x, rng.random((2, 3))) <= 1


@pytest.mark.skipif(not DEEP, reason="with REFNET_PROFILE=deep: products of 16 bits are certified above")
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_steps_in_mixed_precision(engine, policy):
    """Weights are cast, products are of 16 bits. The net has no comparison, such as relu's: rounding could decide it either way."""
    before = mixed_precision.dtype_policy()
    mixed_precision.set_global_policy(policy)
    try:
        with use_engine(engine):
            refnet_fast.utils.set_random_seed(4)
            parts = layers.Dense(3, activation="tanh"), layers.Dense(2), layers.Activation("sigmoid", dtype="float32")
            model = Sequential([layers.Input((4,)), *parts])
            model.compile("sgd", "mean_squared_error")
            rng = np.random.default_rng(5)
            for _ in range(3):
                assert 0 < hold_step(model, rng.standard_normal((2, 4)).astype("float32"), rng.random((2, 2))) <= 1
    finally:
        mixed_precision.set_global_policy(before)


def test_epochs_are_those_of_the_reference(engine):
    """Batches gathered on the device by its own permutation, steps counted there, outputs kept there.

    To the bit, for no sum is ever rounded: whole numbers, powers of two, and gradients that know no weights.
    """
    x, y = np.random.default_rng(1).integers(-4, 5, (14, 5)).astype("float32"), np.arange(14) % 3
    found = []
    for chosen in (engine, "reference"):
        with use_engine(chosen):
            refnet_fast.utils.set_random_seed(3)
            parts = layers.Dropout(0.5), layers.Dense(3, kernel_initializer="ones")
            model = Sequential([layers.Input((5,)), *parts])
            model.compile(optimizers.SGD(0.5), lambda y, p: ops.multiply(y, ops.sum(p, 1)))
            history = model.fit(x, y, batch_size=4, epochs=3, verbose=0).history
            found.append([*history.values(), *model.get_weights()])
    ours, due = found
    assert len(set(due[0])) == 3
    for got, right in zip(ours, due, strict=True):
        np.testing.assert_array_equal(got, right)


def test_a_kernel_that_leaves_its_arrays_is_refused(driver, engine):
    """The machine sees the arrays that a launch names, not the block of memory that they lie in."""
    from refnet_fast.cuda.derive import Kernel
    from refnet_fast.cuda.device import Block
    from refnet_fast.cuda.services import flat

    block = Block(64)
    kernel = Kernel((8,))
    y = kernel.add(flat(block.address, 8, "float32"))
    kernel.launch([f"{y}[i0] = 1.0"])(engine.residence.stream)
    wrong = Kernel((9,))
    y = wrong.add(flat(block.address, 8, "float32"))
    with pytest.raises(MachineError, match="lie in no array .* thread \\(8, 0, 0\\)"):
        wrong.launch([f"{y}[i0] = 1.0"])(engine.residence.stream)


def test_a_number_that_a_check_refuses_is_named(engine):
    with use_engine(engine), pytest.raises(refnet_fast.errors.DataError, match="7"):
        refnet_fast.ops.take(np.zeros((5, 2), "float32"), np.array([1, 7, 2]), axis=0)


def without(ready, number):
    """A Program's steps, with nothing done by one of them."""
    from refnet_fast.cuda.machine.program import Plain

    steps = list(ready.steps)
    steps[number] = Plain(lambda threads, chosen: None)
    return steps


@pytest.mark.parametrize("name", ["matmul_tiled", "transpose_tiles", "argsort_lanes", "sum_of_columns"])
def test_every_barrier_of_a_kernel_is_missed_where_it_is_taken_away(engine, name, monkeypatch):
    """By a race, whatever the values are; so is every wait for copies."""
    from refnet_fast.cuda.machine import running
    from refnet_fast.cuda.machine.program import program

    launch, taken = running.launch, []

    def launched(text, *arguments, **options):
        ready = program(text)
        waits = [("bar", "sync"), ("cp", "async", "wait_group")]
        for number, instruction in enumerate(ready.kernel.instructions):
            if any(instruction.words[: len(wait)] == wait for wait in waits):
                with monkeypatch.context() as patch:
                    patch.setattr(ready, "steps", without(ready, number))
                    with pytest.raises(MachineError, match="a race: "):
                        launch(text, *arguments, **options)
                taken.append(instruction.text)
        launch(text, *arguments, **options)

    monkeypatch.setattr(running, "launch", launched)
    call = calls.TINY[name]
    arrays = calls.arrays(call)
    results = engine.compute(Op.named[call.op], arrays, call.attributes)
    assert taken and hold(Op.named[call.op], engine, arrays, call.attributes, results) <= 1
