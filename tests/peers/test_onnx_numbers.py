"""Functions and conversions in ONNX Runtime, at the edges of their numbers: small, large, infinite, NaN, of every dtype."""

import functools
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, activations, layers, ops
from refnet.errors import ArgumentError
from refnet.export.model import written
from refnet.testing.closeness import ELEMENTARY, close

pytestmark = pytest.mark.peers


def both(function: Any, *inputs: Any) -> tuple[Any, Any]:
    """What ONNX Runtime makes of a function, and what refnet makes of it."""
    import onnxruntime

    slots = [Input(x.shape[1:], dtype=str(x.dtype)) for x in inputs]
    content = written(Model(slots, function(*slots)))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {slot.name: x for slot, x in zip(session.get_inputs(), inputs, strict=True)})
    expected = np.asarray(function(*inputs))
    assert got.shape == expected.shape and got.dtype == expected.dtype
    return got, expected


def both_near(function: Any, x: Any, relative: bool = False) -> None:
    """Sixteen roundings on either side are a function's, of each result or of the largest one."""
    got, expected = both(function, x)
    close(got, expected, 2 * 16, None if relative else np.abs(expected).max(initial=1))


NAMES = (
    *(
        "relu",
        "relu6",
        "sigmoid",
        "tanh",
        "softmax",
        "softplus",
        "softsign",
        "selu",
        "elu",
        "exponential",
        "hard_sigmoid",
    ),
    *(
        "hard_tanh",
        "hard_silu",
        "leaky_relu",
        "log_sigmoid",
        "log_softmax",
        "linear",
        "gelu",
        "silu",
        "mish",
        "celu",
        "glu",
    ),
    *("hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus"),
)


FAR = np.concatenate([-np.geomspace(1e-6, 300, 40), [0.0, -0.0], np.geomspace(1e-6, 80, 40), [90.0, 300.0]])
# Those that keep every digit of what is small. Not sigmoid: ONNX Runtime's own is a polynomial, 0 from -18 on.
RELATIVE = {"elu", "selu", "celu", "tanh", "softsign", "relu", "relu6", "leaky_relu", "exponential", "linear"}
NEAR = np.random.default_rng(0).standard_normal((3, 6, 4)).astype("float32") * 2


@pytest.mark.parametrize("name", NAMES)
def test_activations(name: str) -> None:
    both_near(layers.Activation(name), NEAR)
    row = FAR[None, : -2 if name == "exponential" else None].astype("float32")  # e**90 is infinite
    both_near(getattr(activations, name), row, name in RELATIVE)


def exactly(function: Any, *inputs: Any) -> None:
    np.testing.assert_array_equal(*both(function, *inputs))


def spread_out(dtype: str, low: float, high: float) -> Any:
    """Numbers of both signs and of every size from 1e-30 to `high`, and those of `low` that are smaller in size."""
    sizes = np.concatenate([10.0 ** np.arange(-30, 0), np.linspace(0.1, 2, 60), np.linspace(2, high, 60)])
    row = np.concatenate([-sizes, [-0.0, 0.0], sizes])
    return row[row >= low][None].astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_expm1_and_log1p_keep_their_relative_accuracy(dtype: str) -> None:
    with np.errstate(all="ignore"):
        for function, x in (
            (ops.expm1, spread_out(dtype, -1000, 1000)),
            (ops.log1p, spread_out(dtype, -0.999, 1e6)),
            (ops.log1p, np.array([[-2.0, -1.0, np.inf, np.nan]], dtype)),
            (ops.expm1, np.array([[-np.inf, np.inf, np.nan]], dtype)),
        ):
            close(*both(function, x), 2 * (ELEMENTARY + 2))
    far = np.array([[-50.0, -178.0, -200.0, -1e6]], dtype)
    exactly(ops.expm1, far)
    assert np.all(both(ops.expm1, far)[0] == -1)


def test_logaddexp_where_both_are_infinite_and_where_one_is_small() -> None:
    a = np.array([[np.inf, -np.inf, np.inf, 0, 0, 100]], "float32")
    b = np.array([[np.inf, -np.inf, -np.inf, -30, 0, 100]], "float32")
    close(*both(ops.logaddexp, a, b), 2 * (ELEMENTARY + 2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_remainders_of_floats(dtype: str) -> None:
    a = np.array([[1, -1, 5, -5, 5, -5, 0.0, 1e8, 1e30, 1, -1, 3, -3, np.nan, 7.5]], dtype)
    b = np.array([[0.1, 0.1, 3, 3, -3, -3, 2, 3, 0.7, np.inf, np.inf, 0, 0, 1, 2.5]], dtype)
    with np.errstate(all="ignore"):
        exactly(ops.mod, a, b)
        exactly(ops.floor_divide, a[:, [*range(8), *range(9, 15)]], b[:, [*range(8), *range(9, 15)]])
        close(*both(ops.floor_divide, a, b), 4)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_remainders_of_integers(dtype: str) -> None:
    a, b = np.array([[7, -7, 7, -7, 5, 0]]).astype(dtype), np.array([[2, 2, -2, -2, 0, 0]]).astype(dtype)
    exactly(ops.mod, a, b)
    exactly(ops.floor_divide, a, b)
    exactly(lambda x: ops.floor_divide(x, 3), a)


@pytest.mark.parametrize("source", ["float32", "float64", "float16"])
@pytest.mark.parametrize("target", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_casts_to_integers(source: str, target: str) -> None:
    values = [
        -300,
        -1.7,
        -0.5,
        0.5,
        1.7,
        300,
        3e4,
        2.0**31,
        2.0**32,
        2.0**63,
        2.0**64,
        1e20,
        -1e20,
        np.nan,
        np.inf,
        -np.inf,
    ]
    with np.errstate(all="ignore"):
        exactly(lambda x: ops.cast(x, target), np.array([values]).astype(source))


ONES = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 1]])
OF_ONE = ("isnan", "isinf", "isfinite", "sign")
ALONG = ("max", "min", "argmax", "argmin", "sum", "prod", "any", "all", "cumsum", "sort", "argsort")
OF_TWO = (
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "maximum", "minimum", "add", "multiply"),
    *("logical_and", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "mod", "floor_divide"),
)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32"])
def test_ops_of_bools_and_integers(dtype: str) -> None:
    x = ONES.astype(dtype)
    for name in OF_ONE:
        exactly(getattr(ops, name), x)
    for name in ALONG:
        exactly(functools.partial(getattr(ops, name), axis=1), x)
    for name in OF_TWO:
        exactly(getattr(ops, name), x, x[::-1].copy())
    exactly(lambda a, b: ops.where(ops.equal(a, b), a, b), x, x[::-1].copy())


def test_what_onnx_refuses_is_told_with_the_layer() -> None:
    made = Sequential([Input((3,), dtype="uint64"), layers.Lambda(ops.negative, name="turned")], name="whole")
    with pytest.raises(ArgumentError, match=r"whole\.export: .*turned/Neg"):
        written(made)
