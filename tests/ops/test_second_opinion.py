"""A second opinion that shares no code: NumPy and SciPy against the reference, for every op they have."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import scipy.special
import scipy.stats

from refnet import ops
from refnet.testing.conformance import agree

CALLS = 6  # of each op
WIDE, OPEN, UNIT, ABOVE_ONE, POSITIVE = (-3, 3), (-0.95, 0.95), (0.01, 0.99), (1.05, 4), (0.1, 4)

ONE = {
    "abs": (np.abs, WIDE),
    "negative": (np.negative, WIDE),
    "sign": (np.sign, WIDE),
    "square": (np.square, WIDE),
    "sqrt": (np.sqrt, POSITIVE),
    "cbrt": (np.cbrt, WIDE),
    "rsqrt": (lambda x: 1 / np.sqrt(x), POSITIVE),
    "reciprocal": (np.reciprocal, POSITIVE),
    "exp": (np.exp, WIDE),
    "exp2": (np.exp2, WIDE),
    "expm1": (np.expm1, WIDE),
    "log": (np.log, POSITIVE),
    "log1p": (np.log1p, POSITIVE),
    "log2": (np.log2, POSITIVE),
    "log10": (np.log10, POSITIVE),
    "sin": (np.sin, WIDE),
    "cos": (np.cos, WIDE),
    "tan": (np.tan, OPEN),
    "sinc": (np.sinc, WIDE),
    "arcsin": (np.arcsin, OPEN),
    "arccos": (np.arccos, OPEN),
    "arctan": (np.arctan, WIDE),
    "sinh": (np.sinh, WIDE),
    "cosh": (np.cosh, WIDE),
    "tanh": (np.tanh, WIDE),
    "arcsinh": (np.arcsinh, WIDE),
    "arccosh": (np.arccosh, ABOVE_ONE),
    "arctanh": (np.arctanh, OPEN),
    "erf": (scipy.special.erf, WIDE),
    "erfc": (scipy.special.erfc, WIDE),
    "erfinv": (scipy.special.erfinv, OPEN),
    "floor": (np.floor, WIDE),
    "ceil": (np.ceil, WIDE),
    "round": (np.round, WIDE),
    "trunc": (np.trunc, WIDE),
    "isfinite": (np.isfinite, WIDE),
    "isinf": (np.isinf, WIDE),
    "isnan": (np.isnan, WIDE),
    "nan_to_num": (np.nan_to_num, WIDE),
    "sigmoid": (scipy.special.expit, WIDE),
    "log_sigmoid": (scipy.special.log_expit, WIDE),
    "softmax": (lambda x: scipy.special.softmax(x, -1), WIDE),
    "log_softmax": (lambda x: scipy.special.log_softmax(x, -1), WIDE),
    "logsumexp": (scipy.special.logsumexp, WIDE),
    "sum": (np.sum, WIDE),
    "prod": (np.prod, WIDE),
    "mean": (np.mean, WIDE),
    "var": (np.var, WIDE),
    "std": (np.std, WIDE),
    "max": (np.max, WIDE),
    "min": (np.min, WIDE),
    "argmax": (np.argmax, WIDE),
    "argmin": (np.argmin, WIDE),
    "all": (np.all, WIDE),
    "any": (np.any, WIDE),
    "count_nonzero": (np.count_nonzero, WIDE),
    "median": (np.median, WIDE),
    "cumsum": (lambda x: np.cumsum(x), WIDE),
    "cumprod": (lambda x: np.cumprod(x), WIDE),
    "norm": (lambda x: np.sqrt(np.sum(x * x)), WIDE),
    "sort": (np.sort, WIDE),
    "argsort": (np.argsort, WIDE),
    "flip": (np.flip, WIDE),
    "ravel": (np.ravel, WIDE),
    "transpose": (np.transpose, WIDE),
    "tril": (np.tril, WIDE),
    "triu": (np.triu, WIDE),
    "zeros_like": (np.zeros_like, WIDE),
    "ones_like": (np.ones_like, WIDE),
}

TWO = {
    "add": (np.add, WIDE),
    "subtract": (np.subtract, WIDE),
    "multiply": (np.multiply, WIDE),
    "divide": (np.divide, POSITIVE),
    "floor_divide": (np.floor_divide, POSITIVE),
    "mod": (np.mod, POSITIVE),
    "fmod": (np.fmod, POSITIVE),
    "power": (np.power, POSITIVE),
    "maximum": (np.maximum, WIDE),
    "minimum": (np.minimum, WIDE),
    "arctan2": (np.arctan2, WIDE),
    "logaddexp": (np.logaddexp, WIDE),
    "equal": (np.equal, WIDE),
    "not_equal": (np.not_equal, WIDE),
    "less": (np.less, WIDE),
    "less_equal": (np.less_equal, WIDE),
    "greater": (np.greater, WIDE),
    "greater_equal": (np.greater_equal, WIDE),
    "logical_and": (np.logical_and, WIDE),
    "logical_or": (np.logical_or, WIDE),
    "logical_xor": (np.logical_xor, WIDE),
}

# name: (the same by NumPy or SciPy, drawn arguments)
OTHERS = {
    "matmul": (np.matmul, lambda r: (r.normal(size=(2, 3, 4)), r.normal(size=(4, 5)))),
    "dot": (np.dot, lambda r: (r.normal(size=(2, 3)), r.normal(size=(4, 3, 2)))),
    "tensordot": (np.tensordot, lambda r: (r.normal(size=(2, 3, 4)), r.normal(size=(3, 4, 5)), 2)),
    "einsum": (np.einsum, lambda r: ("bij,kj->bik", r.normal(size=(2, 3, 4)), r.normal(size=(5, 4)))),
    "outer": (np.outer, lambda r: (r.normal(size=3), r.normal(size=4))),
    "inner": (np.inner, lambda r: (r.normal(size=(2, 3)), r.normal(size=(4, 3)))),
    "vdot": (np.vdot, lambda r: (r.normal(size=(2, 3)), r.normal(size=(2, 3)))),
    "average": (
        lambda x, axis, w: np.average(x, axis, w),
        lambda r: (r.normal(size=(3, 4)), 1, r.uniform(0.1, 1, (3, 4))),
    ),
    "quantile": (np.quantile, lambda r: (r.normal(size=(3, 7)), r.uniform(0, 1, 4), 1)),
    "clip": (np.clip, lambda r: (r.normal(size=(3, 4)), -0.5, 0.5)),
    "where": (np.where, lambda r: (r.random((3, 4)) < 0.5, r.normal(size=(3, 4)), r.normal(size=4))),
    "reshape": (np.reshape, lambda r: (r.normal(size=(3, 4)), (2, -1))),
    "swapaxes": (np.swapaxes, lambda r: (r.normal(size=(2, 3, 4)), 0, 2)),
    "moveaxis": (np.moveaxis, lambda r: (r.normal(size=(2, 3, 4)), 0, -1)),
    "expand_dims": (np.expand_dims, lambda r: (r.normal(size=(2, 3)), 1)),
    "squeeze": (np.squeeze, lambda r: (r.normal(size=(2, 1, 3)), 1)),
    "broadcast_to": (np.broadcast_to, lambda r: (r.normal(size=(3, 1)), (2, 3, 4))),
    "concatenate": (np.concatenate, lambda r: ([r.normal(size=(2, 3)), r.normal(size=(2, 1))], 1)),
    "stack": (np.stack, lambda r: ([r.normal(size=(2, 3)), r.normal(size=(2, 3))], 1)),
    "split": (np.split, lambda r: (r.normal(size=(2, 6)), [1, 4], 1)),
    "repeat": (np.repeat, lambda r: (r.normal(size=(2, 3)), [2, 0, 1], 1)),
    "tile": (np.tile, lambda r: (r.normal(size=(2, 3)), (2, 1, 3))),
    "roll": (np.roll, lambda r: (r.normal(size=(2, 5)), int(r.integers(-7, 7)), 1)),
    "pad": (
        np.pad,
        lambda r: (r.normal(size=(4, 5)), ((1, 2), (0, 3)), str(r.choice(["reflect", "symmetric", "edge"]))),
    ),
    "tri": (np.tri, lambda r: (3, 4, int(r.integers(-4, 5)))),
    "eye": (np.eye, lambda r: (3, 4, int(r.integers(-4, 5)))),
    "diag": (np.diag, lambda r: (r.normal(size=(3, 4)), int(r.integers(-2, 3)))),
    "arange": (np.arange, lambda r: (int(r.integers(-5, 5)), 7, 2)),
    "linspace": (np.linspace, lambda r: (r.normal(size=3), r.normal(size=3), 5)),
    "full": (np.full, lambda r: ((2, 3), 1.5)),
    "take": (np.take, lambda r: (r.normal(size=(3, 4)), r.integers(-4, 4, (2, 2)), 1)),
    "take_along_axis": (np.take_along_axis, lambda r: (r.normal(size=(3, 4)), r.integers(-3, 3, (2, 4)), 0)),
    "searchsorted": (np.searchsorted, lambda r: (np.sort(r.normal(size=9)), r.normal(size=(3, 4)))),
    "digitize": (np.digitize, lambda r: (r.normal(size=(3, 4)), np.sort(r.normal(size=5)))),
    "bincount": (lambda x: np.bincount(x), lambda r: (r.integers(0, 6, 20),)),
    "nonzero": (np.nonzero, lambda r: (r.integers(0, 2, (3, 4)),)),
    "unique": (np.unique, lambda r: (r.integers(0, 4, (3, 4)),)),
    "bitwise_and": (np.bitwise_and, lambda r: (r.integers(-99, 99, (3, 4)), r.integers(-99, 99, 4))),
    "bitwise_or": (np.bitwise_or, lambda r: (r.integers(-99, 99, (3, 4)), r.integers(-99, 99, 4))),
    "bitwise_xor": (np.bitwise_xor, lambda r: (r.integers(-99, 99, (3, 4)), r.integers(-99, 99, 4))),
    "left_shift": (np.left_shift, lambda r: (r.integers(-99, 99, (3, 4)), r.integers(0, 9, 4))),
    "right_shift": (np.right_shift, lambda r: (r.integers(-99, 99, (3, 4)), r.integers(0, 9, 4))),
    "meshgrid": (np.meshgrid, lambda r: (r.normal(size=3), r.normal(size=4))),
    "conv": (
        lambda x, k: scipy.signal.correlate2d(x[0, :, :, 0], k[:, :, 0, 0], "valid")[None, :, :, None],
        lambda r: (r.normal(size=(1, 6, 7, 1)), r.normal(size=(3, 2, 1, 1))),
    ),
    "max_pool": (
        lambda x, size: scipy.ndimage.maximum_filter(x[0, :, :, 0], size)[1:-1, 1:-1][::3, ::3][None, :, :, None],
        lambda r: (r.normal(size=(1, 6, 9, 1)), 3),
    ),
    "average_pool": (
        lambda x, size: scipy.ndimage.uniform_filter(x[0, :, :, 0], size)[1:-1, 1:-1][::3, ::3][None, :, :, None],
        lambda r: (r.normal(size=(1, 6, 9, 1)), 3),
    ),
    "top_k": (lambda x, k: -np.sort(-x)[..., :k], lambda r: (r.normal(size=(3, 7)), 4)),
}

ALL = {**ONE, **TWO, **OTHERS}


def drawn(name, rng):
    if name in OTHERS:
        return OTHERS[name][1](rng)
    low, high = (ONE if name in ONE else TWO)[name][1]
    shapes = [(3, 4)] if name in ONE else [(3, 4), (2, 1, 4)]
    return tuple(rng.uniform(low, high, shape) for shape in shapes)


COUNTED = ("bincount", "nonzero", "unique")  # integers, of shapes that depend on values


@pytest.mark.parametrize("name", sorted(ALL))
def test_numpy_and_scipy_agree(name):
    """Their results, and ours, hold the certificate of the call."""
    function = (lambda x, k: ops.top_k(x, k)[0]) if name == "top_k" else getattr(ops, name)
    for seed in range(CALLS):
        arguments = drawn(name, np.random.default_rng(seed))
        theirs = ALL[name][0](*arguments)
        if name in COUNTED:
            np.testing.assert_array_equal(function(*arguments), theirs)
        else:
            agree(function, theirs, *arguments)


def test_how_much_was_compared(capsys):
    with capsys.disabled():
        print(f"\nNumPy and SciPy: {len(ALL)} ops, {CALLS * len(ALL)} calls compared")
    assert len(ALL) >= 130
