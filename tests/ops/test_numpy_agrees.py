"""A second opinion that shares no code: NumPy and SciPy on what is written with other ops, NaN, infinities and edges included."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.spatial
import scipy.special

from refnet import ops
from refnet.engine import reference, use_engine
from refnet.errors import DataError, ShapeError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

NAN, INF = np.nan, np.inf
RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 4, 5))
HOLES = X.copy()
HOLES[0, 1, 2] = HOLES[1, 1, 3] = HOLES[2, 2, :] = NAN
ROW = RNG.normal(size=7)
ODD = np.array([0.0, -0.0, 1.5, -2.0, INF, -INF, NAN, 3.0])
WHOLE = RNG.integers(-50, 50, (3, 4))
MORE = RNG.integers(-50, 50, 4)
PARTS = [RNG.normal(size=(2, 3, 2)) for _ in range(3)]
VECTORS = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))

# name: [(arguments, keywords), ...]: the same call of NumPy's function of that name
SAME = {
    **{n: [((HOLES, a), {}) for a in (None, 0, 1)] for n in ("nancumsum", "nancumprod")},
    **{
        n: [((HOLES,), {"axis": a, "keepdims": k}) for a in (None, 1, (0, 2)) for k in (False, True)]
        for n in ("nansum", "nanprod", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd", "nanmedian")
    },
    **{
        n: [
            ((X, q), {"axis": a, "method": m})
            for q in (30.0, [0.0, 99.0])
            for a in (None, 1)
            for m in ("linear", "midpoint")
        ]
        for n in ("percentile",)
    },
    "nanquantile": [((HOLES, q, a), {}) for q in (0.3, [0.1, 1.0]) for a in (None, 0, (1, 2))],
    "nanpercentile": [
        ((HOLES, 30.0), {"axis": a, "method": m}) for a in (0, -1) for m in ("lower", "higher", "nearest")
    ],
    "isclose": [((ODD, ODD + 1e-9), {"equal_nan": e}) for e in (False, True)]
    + [((ODD, ODD[::-1]), {}), ((1, [1, 2]), {})],
    "allclose": [((X, X + 1e-9), {}), ((X, X + 1e-3), {})],
    "isin": [
        ((WHOLE, MORE), {}),
        ((WHOLE, MORE), {"invert": True}),
        ((ODD, [NAN, 3.0]), {}),
        ((WHOLE, []), {}),
        ((3, 3), {}),
    ],
    **{
        n: [((ODD,), {})]
        for n in ("isneginf", "isposinf", "isreal", "real", "imag", "conj", "conjugate", "angle", "fabs")
    },
    "signbit": [((ODD[[0, 1, 2, 3, 4, 5]],), {}), ((WHOLE,), {})],
    **{n: [((ODD, ODD[::-1]), {}), ((X, ROW[:5]), {})] for n in ("fmax", "fmin", "heaviside")},
    "hypot": [((X, ROW[:5]), {}), (tuple(np.array([[3e200, 0.0, INF, 1e-200], [4e200, 0.0, 1.0, 1e-200]])), {})],
    "ldexp": [
        ((X, [1, -3, 0, 5, 1000]), {}),
        ((np.array([1e-300, 0.0, INF, 1.0]), np.array([1500, 99999, -99999, -1070])), {}),
    ],
    "logaddexp2": [((X, ROW[:5]), {}), (([-INF, INF, 1000.0], [-INF, 1.0, 1000.0]), {})],
    **{n: [((X,), {})] for n in ("deg2rad", "rad2deg", "fliplr", "flipud", "ndim", "size", "ptp", "trace", "i0")},
    **{n: [((WHOLE, MORE), {}), (([0, 12, -12], [0, -18, 0]), {})] for n in ("gcd", "lcm")},
    "append": [((X, X), {}), ((X, X[:, :1], 1), {})],
    **{n: [((PARTS,), {}), (([ROW, ROW],), {})] for n in ("hstack", "vstack", "dstack")},
    "array_split": [((X, 3, 2), {}), ((ROW, 4), {}), ((ROW, [2, 5]), {})],
    **{n: [((np.ones((4, 4, 4)), 2), {}), ((np.ones((4, 4, 4)), [1, 3]), {})] for n in ("hsplit", "vsplit", "dsplit")},
    "rot90": [((X, k, a), {}) for k in (-1, 0, 1, 2, 3, 7) for a in ((0, 1), (2, 0))],
    "unravel_index": [((np.array([[0, 59], [17, 33]]), (3, 4, 5)), {})],
    "diagonal": [((X, k, a, b), {}) for k in (-2, 0, 1, 9) for a, b in ((0, 1), (2, 1))],
    "diagflat": [((WHOLE, -1), {})],
    "diff": [((X,), {}), ((X, 2, 0), {}), ((X, 9), {}), ((X > 0,), {})],
    "trapezoid": [((X,), {}), ((X, None, 0.5, 1), {}), ((X, ROW[:4]), {"axis": 1}), ((X, X * 2), {"axis": 0})],
    "vander": [((ROW,), {}), ((MORE, 3), {}), ((ROW, 3, True), {}), ((ROW, 0), {})],
    "cross": [(VECTORS, {}), ((VECTORS[0][0], VECTORS[1]), {}), ((VECTORS[0].T, VECTORS[1]), {"axisa": 0, "axisc": 0})],
    "kron": [((WHOLE, X), {}), ((X, WHOLE), {}), ((ROW, 2.0), {})],
    "correlate": [((ROW, ROW[:3], m), {}) for m in ("valid", "same", "full")]
    + [((ROW[:2], ROW, m), {}) for m in ("valid", "same", "full")]
    + [((ROW, ROW[:4], "same"), {})],
    "corrcoef": [((X[0],), {}), ((ROW,), {})],
    "histogram": [((X,), {}), ((ROW, 4, (-1, 1)), {}), ((ROW, [-1.0, 0.0, 0.5, 2.0]), {}), ((np.ones(3),), {})],
    "geomspace": [((1, 1000, 4), {}), ((-2.0, -32.0, 5), {}), ((1.0, 16.0, 4), {"endpoint": False})],
    **{n: [((n_,), {}) for n_ in (0, 1, 2, 9, 10)] for n in ("bartlett", "blackman", "hamming", "hanning")},
    "kaiser": [((n, b), {}) for n in (1, 8) for b in (0.0, 5.0, 100.0)],
    "select": [(([X > 1, X > 0], [X, -X], 5.0), {})],
    **{n: [((X, a), {}) for a in (None, 1)] for n in ("amax", "amin")},
    **{n: [((WHOLE,), {})] for n in ("bitwise_invert", "bitwise_not")},
    **{n: [((WHOLE, [0, 1, 2, 3]), {})] for n in ("bitwise_left_shift", "bitwise_right_shift")},
    **{n: [((X,), {})] for n in ("copy",)},
}
INTERPOLATED = ("nanmedian", "nanquantile")  # their places depend on how many numbers there are
THEIRS = {"bitwise_left_shift": np.left_shift, "bitwise_right_shift": np.right_shift}


@pytest.mark.parametrize("name", sorted(SAME))
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
def test_numpy_agrees(name):
    """Their results, and ours, hold the certificate of the call."""
    theirs = THEIRS.get(name) or getattr(np, name, None) or np.trapz
    for arguments, keywords in SAME[name]:
        function, due = getattr(ops, name), theirs(*arguments, **keywords)
        # a + (b - a) t: the place is rounded, then three operations on numbers below the largest
        if name in INTERPOLATED:
            close(function(*arguments, **keywords), due, 2 * (3 + X.size), np.nanmax(abs(HOLES)))
        else:
            agree(function, due, *arguments, **keywords)


@pytest.mark.parametrize("name", sorted(SAME))
def test_a_graph_gives_what_arrays_give(name):
    """The same call on symbolic tensors: what depends on the values must not be decided while the graph is built."""
    arguments, keywords = SAME[name][0]
    if not any(isinstance(a, np.ndarray) for a in arguments) or name in ("unravel_index",):
        return
    xs = [Tensor(a.shape, a.dtype.name) if isinstance(a, np.ndarray) else a for a in arguments]
    feeds = [a for a in arguments if isinstance(a, np.ndarray)]
    y = getattr(ops, name)(*xs, **keywords)
    if not isinstance(y, (Tensor, tuple, list)):
        return  # ndim, size: numbers
    outputs = list(y) if isinstance(y, (tuple, list)) else [y]
    program = Program([x for x in xs if isinstance(x, Tensor)], outputs)
    expected = getattr(ops, name)(*arguments, **keywords)
    due = expected if isinstance(y, (tuple, list)) else [expected]
    for got, wanted in zip(reference.prepare(program).run(feeds), due, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_places_of_the_extremes():
    for ours, theirs in ((ops.nanargmax, np.nanargmax), (ops.nanargmin, np.nanargmin)):
        np.testing.assert_array_equal(ours(HOLES[:2], 2), theirs(HOLES[:2], 2))
        np.testing.assert_array_equal(ours(HOLES, 2)[2, 2], -1)
        np.testing.assert_array_equal(ours(WHOLE, 1), theirs(WHOLE, 1))


def test_segments():
    data, ids = RNG.normal(size=(6, 2)), np.array([0, 2, -1, 2, 0, 0])
    low, product = np.full((4, 2), INF), np.ones((4, 2))
    for row, i in zip(data, ids):
        if i >= 0:
            low[i], product[i] = np.minimum(low[i], row), product[i] * row
    np.testing.assert_array_equal(ops.segment_min(data, ids, 4), low)
    agree(ops.segment_prod, product, data, ids, 4)
    np.testing.assert_array_equal(ops.segment_min(np.array([5, -(2**31)], "int32"), [0, 0], 2), [-(2**31), 2**31 - 1])


def test_saturating_casts():
    np.testing.assert_array_equal(ops.saturate_cast(np.array([-300, 300, 5]), "int8"), [-128, 127, 5])
    np.testing.assert_array_equal(ops.saturate_cast(np.array([-3.0, 1e9, NAN]), "uint8"), [0, 255, 0])
    np.testing.assert_array_equal(
        ops.saturate_cast(np.array([1e9, -1e9, NAN, INF]), "float16"), [65504, -65504, NAN, 65504]
    )
    np.testing.assert_array_equal(ops.saturate_cast(np.array([2**64 - 1], "uint64"), "int64"), [2**63 - 1])


def test_greatest_common_divisors_of_extremes():
    least = np.iinfo("int64").min
    np.testing.assert_array_equal(ops.gcd(np.array([least, least, 2**63 - 1]), np.array([6, -1, least])), [2, 1, 1])


def test_distances_and_bessel():
    a, b = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
    agree(ops.cdist, scipy.spatial.distance.cdist(a, b), a, b)
    x = np.array([0.0, 1e-3, -7.0, 30.0, 500.0, 700.0, 800.0, NAN])
    agree(ops.i0, scipy.special.i0(x), x)


def test_partitions_are_in_order():
    order = ops.argpartition(X, 2, 1)
    np.testing.assert_array_equal(np.take_along_axis(X, order, 1), np.sort(X, 1))


def test_scans_are_loops():
    for length in (1, 2, 3, 7, 8):
        x = RNG.normal(size=(2, length))
        y = ops.associative_scan(lambda a, b: {"s": a["s"] + b["s"]}, {"s": x}, axis=1)["s"]
        close(y, np.cumsum(x, 1), 2 * length, abs(x).cumsum(1))  # either adds up that many terms
        back = ops.associative_scan(lambda a, b: a * b, x, reverse=True, axis=1)
        close(back, np.cumprod(x[:, ::-1], 1)[:, ::-1], 2 * length)


def test_switch_clamps_its_index():
    branches = [lambda x: x + 1, lambda x: x * 10, lambda x: -x]
    index = Tensor((), "int32")
    run = reference.prepare(Program([index], [ops.switch(index, branches, 5.0)])).run
    for k, expected in ((-3, 6), (0, 6), (1, 50), (2, -5), (9, -5)):
        assert ops.switch(k, branches, 5.0) == expected
        assert run([np.array(k, "int32")])[0] == expected


def test_pieces_and_what_they_add_up_to():
    x = RNG.normal(size=(2, 3, 5, 6))
    columns = ops.unfold(x, (2, 3), (2, 1), (1, 0), (1, 2))
    assert columns.shape == (2, 18, 10)
    dy = RNG.normal(size=columns.shape)
    image = ops.fold(dy, (5, 6), (2, 3), (2, 1), (1, 0), (1, 2))
    close((columns * dy).sum(), (x * image).sum(), 2 * dy.size, abs(columns * dy).sum())  # the adjoint: the same terms
    np.testing.assert_array_equal(ops.extract_sequences(ROW, 3, 2), [ROW[0:3], ROW[2:5], ROW[4:7]])
    assert ops.extract_sequences(ROW, 9, 1).shape == (0, 9)


def test_blocks_go_there_and_back():
    x = np.arange(96).reshape(2, 4, 6, 2)
    for format_ in ("channels_last", "channels_first"):
        given = x if format_ == "channels_last" else x.transpose(0, 3, 1, 2)
        deep = ops.space_to_depth(given, 2, format_)
        np.testing.assert_array_equal(ops.depth_to_space(deep, 2, format_), given)
    np.testing.assert_array_equal(ops.space_to_depth(x, 2)[0, 1, 2], x[0, 2:4, 4:6].ravel())


def test_patterns_of_axes():
    x = np.arange(48).reshape(2, 4, 6)
    np.testing.assert_array_equal(ops.rearrange(x, "b h w -> h (w b)"), x.transpose(1, 2, 0).reshape(4, 12))
    y = ops.rearrange(x, "b (h k) w -> k b h w", k=2)
    np.testing.assert_array_equal(y, x.reshape(2, 2, 2, 6).transpose(2, 0, 1, 3))
    assert ops.rearrange(Tensor((None, 4, 6), "float32"), "b (h k) w -> (b k) h w", k=2).shape == (None, 2, 6)


def test_a_histogram_needs_a_range_where_there_is_none():
    with pytest.raises(DataError, match="give the range"):
        ops.histogram(ODD)
    np.testing.assert_array_equal(ops.histogram(ODD, 2, (-2, 2))[0], [1, 3])


def test_how_much_was_compared(capsys):
    calls = sum(map(len, SAME.values()))
    with capsys.disabled():
        print(f"\nNumPy, composites: {len(SAME)} ops, {calls} calls compared")
    assert len(SAME) >= 75


def test_a_derivative_along_a_direction():
    a, b = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))
    da, db = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))
    with use_engine("reference"):
        value, change, aux = ops.jvp(
            lambda p: ({"m": ops.tanh(ops.matmul(p["a"], p["b"])), "one": np.ones(2)}, p["a"]),
            ({"a": a, "b": b},),
            ({"a": da, "b": db},),
            has_aux=True,
        )
    agree(lambda p, q: ops.tanh(ops.matmul(p, q)), np.tanh(a @ b), a, b)
    np.testing.assert_array_equal(value["m"], ops.tanh(ops.matmul(a, b)))
    # 4 products and sums, twice; a tanh whose argument is off by as much; 1 - t * t and a product: of numbers of these sizes
    size = (abs(da) @ abs(b) + abs(a) @ abs(db)) * (1 + abs(a) @ abs(b))
    close(change["m"], (da @ b + a @ db) * (1 - np.tanh(a @ b) ** 2), 2 * (8 + 4 + ELEMENTARY + 4), size)
    np.testing.assert_array_equal(change["one"], [0, 0])
    np.testing.assert_array_equal(aux, a)
    with pytest.raises(ShapeError, match="does not move"):
        ops.jvp(ops.sin, (a,), (b,))


def test_order_zero_up_to_the_end_of_the_range():
    x = np.array([600.0, 709.0, 713.0, -713.9])
    true = scipy.special.i0e(x) * np.exp(np.abs(x) - 300) * np.exp(300)
    assert np.isfinite(true).all()
    close(ops.i0(x), true, 4 * (ELEMENTARY + 300) // 2)  # exp(300) and exp(x - 300) of rounded numbers up to 414, twice
    assert ops.i0(np.array([714.0, -800.0, INF])).tolist() == [INF] * 3


def test_an_infinite_side_makes_the_longest_infinite():
    sides = np.array([INF, -INF, NAN, 1.0])
    a, b = np.repeat(sides, 4), np.tile(sides, 4)
    np.testing.assert_array_equal(ops.hypot(a, b), np.hypot(a, b))


@pytest.mark.parametrize("source", ["int32", "int64", "uint16", "uint32", "float32", "bfloat16"])
def test_half_precision_saturates(source):
    x = ops.cast(
        np.array([100_000 if source != "uint16" else 65_535, 3, -100_000 if source[0] != "u" else 0], "int64"), source
    )
    assert ops.saturate_cast(x, "float16").tolist() == [65504, 3, -65504 if source[0] != "u" else 0]


@pytest.mark.parametrize("source", ["int8", "int64", "uint8", "float32"])
def test_bool_saturates(source):
    x = np.array([-5 if source[0] != "u" else 0, 0, 1, 7], source)
    assert ops.saturate_cast(x, "bool").tolist() == [False, False, True, True]
    assert ops.saturate_cast(np.array([-0.5, 0.5]), "bool").tolist() == [False, True]


def test_integers_take_the_floating_dtype_they_meet():
    whole, half = np.array([[1, 2], [3, 4]], "int32"), np.array([[1, 2], [3, 5]], "float16")
    assert ops.correlate(whole[0], half[0]).dtype == ops.correlate(half[0], whole[0]).dtype == "float16"
    assert ops.cdist(whole, half).dtype == ops.cdist(half, whole).dtype == "float16"


def test_python_numbers_take_the_dtype_they_meet():
    x = np.array([1, 2, 3], "int8")
    assert ops.append(x, 4).dtype == ops.append(4, x).dtype == ops.kron(x, 2).dtype == ops.kron(2, x).dtype == "int8"
    assert ops.append(x.astype("float16"), 1.5).dtype == ops.kron(1.5, x.astype("float16")).dtype == "float16"
