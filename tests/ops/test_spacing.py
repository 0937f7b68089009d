"""nextafter beside C's, at the places where numbers lie differently on the two sides; vectorize beside NumPy's."""

import numpy as np
import pytest

import refnet_fast.ops as fast
from refnet import Input, Model, layers, ops, use_engine
from refnet.dtypes import as_numpy
from refnet.errors import ArgumentError, ShapeError


def edges(dtype):
    """Zeros, infinities, powers of two, the ends of the normal and of the subnormal numbers, and some between."""
    known = np.finfo(dtype)
    least, normal, largest = (float(x) for x in (known.smallest_subnormal, known.smallest_normal, known.max))
    below_two = float(np.nextafter(dtype(2), dtype(0)))
    some = [
        0.0,
        least,
        2 * least,
        normal - least,
        normal,
        normal + least,
        2 * normal,
        3 * normal,
        0.1,
        1.0,
        1.5,
        below_two,
    ]
    some += [largest / 2, largest, np.inf]
    return np.array([*some, *(-x for x in some), np.nan], dtype)


@pytest.mark.parametrize("engine, dtype", [("reference", "float16"), ("derived", "float64"), ("cpu", "float32")])
def test_the_next_number_is_c_s(engine, dtype):
    x1 = edges(as_numpy(dtype).type)[:, None]
    x2 = np.array([0.0, -0.0, 2, -np.inf, np.inf, np.nan], dtype)
    with use_engine(engine):
        y = fast.nextafter(x1, x2)
    with np.errstate(all="ignore"):
        expected = np.nextafter(x1, x2)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y, expected)
    apart = (x1 != x2) & ~np.isnan(expected)  # of equal zeros NumPy's float16 takes the first, C the second
    np.testing.assert_array_equal(np.signbit(y)[apart], np.signbit(expected)[apart])
    assert np.signbit(y[0]).tolist()[:2] == [False, True]


def test_the_next_number_of_other_dtypes():
    half = ops.nextafter(np.array([1.0, 1.0], as_numpy("bfloat16")), np.array([2.0, 0.0], as_numpy("bfloat16")))
    assert half.dtype == as_numpy("bfloat16") and half.astype("float32").tolist() == [1 + 2**-7, 1 - 2**-8]
    assert (
        ops.nextafter(np.array([1, 3]), 2).tolist() == np.nextafter(np.array([1, 3], "float32"), np.float32(2)).tolist()
    )


X, ROWS = np.arange(3, dtype="float32"), np.arange(6, dtype="float32").reshape(2, 3)


def test_every_element_with_broadcasting():
    add = ops.vectorize(lambda a, b: a + 2 * b)
    np.testing.assert_array_equal(add(ROWS, X), ROWS + 2 * X)
    np.testing.assert_array_equal(add(ROWS[:, :, None], 1), ROWS[:, :, None] + 2)
    assert add(1, 2) == 5
    both = ops.vectorize(lambda a: (a, a + 1))(ROWS)
    assert [y.tolist() for y in both] == [ROWS.tolist(), (ROWS + 1).tolist()]


def test_signatures():
    product = ops.vectorize(ops.matmul, signature="(m,n),(n)->(m)")
    a = np.arange(24, dtype="float32").reshape(2, 2, 2, 3)
    np.testing.assert_array_equal(product(a, X), a @ X)
    expected = np.vectorize(lambda m, v: m @ v, signature="(m,n),(n)->(m)")(a, ROWS[:, None])
    np.testing.assert_array_equal(product(a, ROWS[:, None]), expected)
    assert ops.vectorize(lambda x, k, p, s=0: x[k] ** p + s, excluded={1, 2}, signature="(n)->()")(
        ROWS, 2, 2, s=1
    ).tolist() == [5, 26]
    assert ops.vectorize(lambda x, y: x if y is None else x + y)(X, None).tolist() == [0, 1, 2]


def test_in_a_model():
    start = Input(batch_shape=(2, 3))
    model = Model(start, layers.Lambda(ops.vectorize(lambda x: ops.where(x > 1, x, -x)))(start))
    assert model.predict(ROWS, verbose=0).tolist() == [[0, -1, 2], [3, 4, 5]]
    with pytest.raises(ShapeError, match="vectorize writes every application out"):
        layers.Lambda(ops.vectorize(ops.sin))(Input((3,)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.vectorize(3), ArgumentError, "vectorize: pyfunc"),
        (lambda: ops.vectorize(ops.sin, signature="(m,)->()"), ArgumentError, "a signature is written like"),
        (lambda: ops.vectorize(ops.add)(ROWS, ROWS[:, :2]), ShapeError, "vectorize cannot combine the shapes"),
        (lambda: ops.vectorize(ops.sin, signature="(m,n)->()")(X), ShapeError, "argument 1 has shape"),
        (lambda: ops.vectorize(ops.sum, signature="(n),(n)->()")(X), ArgumentError, "of 2 arguments; got 1"),
        (
            lambda: ops.vectorize(ops.add, signature="(n),(n)->(n)")(ROWS, X[:2]),
            ShapeError,
            "axis n of argument 2 has size 2",
        ),
        (lambda: ops.vectorize(lambda x: ROWS)(X), ShapeError, "result 1 of pyfunc must be a single number"),
        (lambda: ops.vectorize(ops.sin, signature="()->(),()")(X), ArgumentError, "names 2 results; pyfunc gave 1"),
    ],
)
def test_mistakes(call, error, message):
    with pytest.raises(error, match=message):
        call()
