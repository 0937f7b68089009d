"""float16 and bfloat16 on the CPU engines: conversions to the bit, and ops that compute wide and round once."""

import ml_dtypes
import numpy as np
import pytest
from numba import njit

import refnet_fast
from refnet import ops
from refnet.engine import get_engine, use_engine
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.program import Program
from refnet.testing.replay import replay, replay_step
from refnet_fast.cpu import unary
from refnet_fast.cpu.unary import FORMATS

narrowed = njit(lambda x, digits, lowest: unary.narrowed(x, digits, lowest))
widened = njit(lambda pattern, digits, lowest: unary.widened(pattern, digits, lowest))
DTYPES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


@pytest.mark.parametrize("name", DTYPES)
def test_every_pattern_there_and_back(name):
    patterns = np.arange(2**16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        expected = patterns.view(DTYPES[name]).astype(np.float64)
    wide = np.array([widened(p, *FORMATS[name]) for p in patterns])
    number = ~np.isnan(expected)
    assert np.array_equal(np.isnan(wide), ~number) and np.array_equal(wide[number], expected[number])
    assert np.array_equal(np.signbit(wide[number]), np.signbit(expected[number]))
    assert np.array_equal([narrowed(x, *FORMATS[name]) for x in expected[number]], patterns[number])
    assert np.isnan(np.array([narrowed(np.nan, *FORMATS[name])], np.uint16).view(DTYPES[name]).astype(float))[0]


def halfway_points():
    """Between every two neighbours of float16, a little above and a little below, and beyond the largest."""
    finite = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float64)
    finite = np.unique(finite[np.isfinite(finite)])
    middle = (finite[1:] + finite[:-1]) / 2
    edges = [65519.99, 65520.0, 65536.0, 1e300, 1e-300, 0.0, -0.0, np.inf, -np.inf]
    return np.concatenate([middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf), edges])


def test_float16_rounds_as_numpy_does_ties_to_even():
    points = halfway_points()
    with np.errstate(over="ignore"):
        expected = points.astype(np.float16).view(np.uint16)
    assert np.array_equal(np.array([narrowed(x, *FORMATS["float16"]) for x in points], np.uint16), expected)


def test_bfloat16_rounds_float32_values_as_ml_dtypes_does():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
    points = np.concatenate([points[np.isfinite(points)], np.float32([1 + 2**-8, 1 + 3 * 2**-8, 3.4e38, 1e-40, -0.0])])
    expected = points.astype(ml_dtypes.bfloat16).view(np.uint16)
    assert np.array_equal(np.array([narrowed(float(x), *FORMATS["bfloat16"]) for x in points], np.uint16), expected)


CALLS = {
    "add": lambda a, b: ops.add(a, b),
    "chain": lambda a, b: ops.multiply(ops.add(a, b), b),
    "matmul": lambda a, b: ops.matmul(a, np.transpose(b)),
    "sum": lambda a, b: ops.sum(a, axis=0),
    "max": lambda a, b: ops.max(a),
    "softmax": lambda a, b: ops.softmax(a),
    "greater": lambda a, b: ops.greater(a, b),
    "concatenate": lambda a, b: ops.concatenate([a, b]),
    "to float32": lambda a, b: ops.cast(a, "float32"),
    "from integers": lambda a, b: ops.cast(np.arange(5), a.dtype),
}


@pytest.mark.parametrize("engine", ["derived", "cpu"])
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("call", CALLS)
def test_ops_give_the_reference_bits(call, name, engine):
    a = np.random.default_rng(0).standard_normal((4, 6)).astype(DTYPES[name])
    b = a[::-1].copy()
    expected = CALLS[call](a, b)
    with use_engine(engine):
        got = CALLS[call](a, b)
    assert got.dtype == expected.dtype and got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", DTYPES)
def test_a_model_with_a_16_bit_input_trains(name):
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(DTYPES[name])
    inputs = refnet_fast.Input((3,), dtype=name)
    model = refnet_fast.Model(inputs, refnet_fast.layers.Dense(2)(ops.cast(inputs, "float32")))
    model.compile("sgd", "mse")
    y = np.zeros((6, 2), "float32")
    assert 0 < replay_step(model, x, y, ("reference", "derived", "cpu")).worst <= 1
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert 0 < replay_step(model, x, y, ("reference", "cpu")).worst <= 1
    graph = model._graph_for([x])
    found = replay(Program(graph.inputs, graph.outputs), [x], ("reference", "derived", "cpu"))
    assert 0 < found.worst <= 1 and found.tasks >= 12


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_repeated_number_is_converted_as_often_as_it_is_repeated(dtype):
    """The kernels that convert read as many numbers as they write."""
    number = Tensor((), dtype)
    y = ops.broadcast_to(number, (3, 5))
    (turned,) = get_engine("cpu").prepare(Program([number], [ops.transpose(y)])).run([np.array(2.0, "float32")])
    np.testing.assert_array_equal(turned.astype("float32"), np.full((5, 3), 2.0))


def test_data_of_16_bits_that_changed_between_two_calls_are_read_again():
    with use_engine("cpu"):
        model = refnet_fast.Sequential(
            [refnet_fast.Input((2,)), refnet_fast.layers.Dense(1, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")
        x, y = np.ones((8, 2), "float16"), np.zeros((8, 1), "float32")
        first = model.evaluate(x, y, verbose=0)
        x[:] = 2
        assert (first, model.evaluate(x, y, verbose=0)) == (4, 16)


@pytest.mark.parametrize("engine", ["derived", "cpu"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_variable_is_given_back_as_it_was_before_it_is_written(dtype, engine):
    held, x = Variable(np.array([1, -0.5, np.inf]), dtype=dtype), Tensor((3,), dtype)
    before = held.numpy()
    with trace.inside(collecting=True):
        program = Program([x], [held], [assignment(held, ops.add(held, x))], Mode(True))
    (got,) = get_engine(engine).prepare(program).run([before])
    assert got.dtype == before.dtype and np.array_equal(got, before)
    assert np.array_equal(held.numpy(), before + before)
