"""Products that finish the elementwise nodes behind them, in the simulator: whole programs held to their certificates; launches counted."""

import numpy as np
import pytest

import refnet_fast
from refnet import dtypes, graph, layers, mixed_precision, ops
from refnet.definition import Op
from refnet.engine import use_engine
from refnet.graph import Mode, Tensor
from refnet.models import Sequential
from refnet.program import Program
from refnet.testing.whole import hold_program, hold_step
from refnet_fast.cuda import casting, epilogue, running
from refnet_fast.cuda.engine import CudaEngine

generator = np.random.default_rng(12)


def drawn(*shape, dtype="float32"):
    return generator.standard_normal(shape).astype(dtypes.as_numpy(dtype))


def held(make, *shapes, dtype="float32", feeds=None):
    """What each launch of a program computes, after it has been held to its certificate.

    Args:
        make: gives outputs for Tensors of these shapes.
    """
    inputs = [Tensor(shape, dtype) for shape in shapes]
    with graph.trace.inside(collecting=True):
        outputs = make(*inputs)
    program = Program(inputs, outputs if isinstance(outputs, list) else [outputs], [], Mode(False))
    engine, feeds = CudaEngine("cuda-sim"), feeds or [drawn(*shape, dtype=dtype) for shape in shapes]
    assert 0 <= hold_program(program, feeds, engine) <= 1
    return [what for what, _ in engine.prepare(program).at([a.shape for a in feeds]).report()]


ACTIVATIONS = [ops.relu, ops.tanh, ops.sigmoid, ops.elu, ops.softplus, ops.leaky_relu, ops.hard_sigmoid]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda f: f.__name__)
def test_bias_and_activation(activation):
    (what,) = held(lambda x, k, b: activation(ops.add(ops.matmul(x, k), b)), (5, 7), (7, 11), (11,))
    assert what.startswith("matmul add ")


@pytest.mark.parametrize("activation", [ops.relu, ops.tanh], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_floats(dtype, activation):
    make = lambda x, k, b: activation(ops.add(ops.matmul(x, k), b))
    assert held(make, (3, 7), (7, 5), (5,), dtype=dtype) == [f"matmul add {activation.__name__}"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_other_floats_in_the_places_that_store(dtype):
    """The sum of parts, an element computed once more, and a product that others read."""

    def make(x, k, b, image, taps):
        z = ops.matmul(x, k)
        return [ops.relu(ops.add(z, b)), z, ops.relu(ops.add(ops.conv(image, taps, padding="same"), b))]

    shapes = [(3, 40), (40, 5), (5,), (2, 8, 5, 2), (3, 3, 2, 5)]
    whats = held(make, *shapes, dtype=dtype)
    assert sorted(whats) == ["conv2d add relu", "matmul add relu", "matmul add relu"]


def test_sums_that_are_cut():
    whats = held(lambda x, k, b: ops.relu(ops.add(ops.matmul(x, k), b)), (3, 40), (40, 5), (5,))
    assert whats == ["matmul add relu"] * 2  # parts, then their sum, which finishes


IMAGES = pytest.mark.parametrize("image, launches", [((1, 4, 3, 2), 2), ((2, 8, 5, 2), 1)])  # sums that are cut, or not


@IMAGES
def test_the_convolution_of_an_image(image, launches):
    make = lambda x, k, b: ops.relu(ops.add(ops.conv(x, k, padding="same"), b))
    assert held(make, image, (3, 3, 2, 5), (5,)) == ["conv2d add relu"] * launches


@IMAGES
def test_elements_computed_once_more_are_finished_too(image, launches):
    """An infinite tap that lies over the edge of the first windows: there 0 times infinity is in no sum."""
    x, k, b = Tensor(image), Tensor((3, 3, 2, 5)), Tensor((5,))
    feeds = [np.ones(x.shape, "float32"), np.ones(k.shape, "float32"), np.arange(5, dtype="float32")]
    feeds[1][0, :, :, 4] = -np.inf
    program = Program([x, k, b], [ops.relu(ops.add(ops.conv(x, k, padding="same"), b))])
    (got,), (due,) = (refnet_fast.get_engine(name).prepare(program).run(feeds) for name in ("cuda-sim", "reference"))
    np.testing.assert_array_equal(got, due)
    assert (got[:, 0, :, 4] > 0).all() and (got[:, 1:, :, 4] == 0).all()


def test_the_mask_of_a_gradient():
    """relu's slope, read from an image that the product's result is reshaped to, as behind Flatten."""
    make = lambda dy, k, y: Op.named["relu_gradient"](ops.reshape(ops.matmul(dy, ops.transpose(k)), (3, 2, 2, 2)), y)
    assert held(make, (3, 4), (8, 4), (3, 2, 2, 2)) == ["matmul relu_gradient"]


def test_a_result_that_others_read_is_stored_besides():
    def make(x, k, b):
        z = ops.matmul(x, k)
        return [ops.relu(ops.add(z, b)), ops.exp(ops.transpose(z)), z]

    assert held(make, (5, 7), (7, 11), (11,))[0] == "matmul add relu"


def test_of_two_products_the_later_finishes():
    make = lambda x, k, h, u: ops.tanh(ops.add(ops.matmul(x, k), ops.matmul(h, u)))
    assert held(make, (5, 3), (3, 4), (5, 2), (2, 4)) == ["matmul", "matmul add tanh"]


def test_a_product_waits_for_what_its_epilogue_reads():
    def make(x, k):
        z = ops.matmul(x, k)
        return ops.multiply(z, ops.softmax(ops.exp(x)))

    assert held(make, (5, 4), (4, 4))[-1] == "matmul multiply"


def test_results_take_no_place_that_other_blocks_still_read():
    """A factor that all three blocks read, dies in the product and is as large as each of two results."""

    def make(k, x):
        y = ops.relu(ops.matmul(k, ops.softmax(x)))
        return [y, ops.exp(y)]

    assert held(make, (34, 34), (34, 6))[-1] == "matmul relu exp"


@pytest.mark.parametrize(
    "make",
    [
        lambda x, k: ops.exp(ops.transpose(ops.matmul(x, k))),  # elements in another order
        lambda x, k: ops.add(ops.matmul(x, k), np.ones((2, 5, 5), "float32")),  # each several times
        lambda x, k: ops.sum(ops.matmul(x, k), axis=0),  # no elementwise node
    ],
)
def test_what_stays_a_launch_of_its_own(make):
    assert held(make, (5, 4), (4, 5))[0] == "matmul"


def perceptron():
    return [
        layers.Input((6,)),
        layers.Dense(5, activation="relu"),
        layers.Dense(4, activation="tanh"),
        layers.Dense(3, activation="softmax"),
    ]


def smooth_perceptron():
    """Compares nothing: in 16 bits rounding would decide too many comparisons to follow them all."""
    hidden = [layers.Dense(5, activation="tanh"), layers.Dense(4, activation="sigmoid")]
    return [layers.Input((6,)), *hidden, layers.Dense(3), layers.Activation("sigmoid", dtype="float32")]


def convnet():
    """The book's for MNIST, smaller."""
    parts = [layers.Input((16, 16, 1)), layers.Conv2D(2, 3, activation="relu"), layers.MaxPooling2D(2)]
    parts += [layers.Conv2D(3, 3, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(3, 2, activation="relu")]
    return [*parts, layers.Flatten(), layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax")]


def launches_of_a_step(make, monkeypatch, fused=True):
    """How many launches a training step is; one with epilogues is held to its certificate."""
    built = []
    monkeypatch.setattr(running.CudaRunning, "_launches", count_into(built))
    if not fused:
        monkeypatch.setattr(epilogue, "groups", lambda plan, library: [[unit] for unit in plan.units])
        monkeypatch.setattr(casting, "together", lambda plan, groups: groups)
    with use_engine(CudaEngine("cuda-sim")):
        refnet_fast.utils.set_random_seed(1)
        model = Sequential(make())
        smooth = make is smooth_perceptron
        model.compile("sgd", "mean_squared_error" if smooth else "sparse_categorical_crossentropy")
        x = np.random.default_rng(3).standard_normal((2, *model.input_shape[1:])).astype("float32")
        labels = np.eye(3)[[0, 2]] if smooth else np.array([0, 2])
        if fused:
            assert 0 < hold_step(model, x, labels) <= 1
        else:
            model.train_on_batch(x, labels)
    monkeypatch.undo()
    return max(built)


def count_into(built, original=running.CudaRunning._launches, note=len):
    def launches(self):
        made = original(self)
        built.append(note(made))
        return made

    return launches


@pytest.mark.parametrize("make, before, after", [(perceptron, 27, 22), (convnet, 50, 41)])
def test_launches_of_a_training_step(make, before, after, monkeypatch):
    assert launches_of_a_step(make, monkeypatch, fused=False) == before
    assert launches_of_a_step(make, monkeypatch) == after


@pytest.mark.parametrize(
    "policy, before, after", [("float32", 26, 21), ("mixed_float16", 56, 43), ("mixed_bfloat16", 39, 26)]
)
def test_launches_in_mixed_precision(policy, before, after, monkeypatch):
    """The kernels' gradients are cast by the products that make them, the six weights by one launch."""
    mixed_precision.set_global_policy(policy)
    try:
        assert launches_of_a_step(smooth_perceptron, monkeypatch, fused=False) == before
        assert launches_of_a_step(smooth_perceptron, monkeypatch) == after
    finally:
        mixed_precision.set_global_policy(None)


def test_weights_are_cast_a_few_at_a_time(monkeypatch):
    """Five of them, in the program with the most launches: that of a training step."""
    monkeypatch.setattr(casting, "MOST", 2)
    built = []
    monkeypatch.setattr(running.CudaRunning, "_launches", count_into(built, note=lambda made: [m.what for m in made]))
    mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        with use_engine(CudaEngine("cuda-sim")):
            model = Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(2), layers.Dense(1, use_bias=False)])
            model.compile("sgd", "mean_squared_error")
            assert 0 < hold_step(model, drawn(2, 3), drawn(2, 1)) <= 1
    finally:
        mixed_precision.set_global_policy(None)
    whats = max(built, key=len)
    assert whats.count("cast cast") == 2 and "cast cast cast" not in whats
