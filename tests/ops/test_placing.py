"""Scattering, segments, counting, sorting and searching: ties, edges, open dimensions, NumPy and PyTorch."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, DataError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import close
from refnet.testing.conformance import agree

NAN, INF = float("nan"), float("inf")
RNG = np.random.default_rng(8)


def same(result, expected, dtype):
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.asarray(expected))


def slopes(function, *arrays):
    """The gradients of the sum of function(*arrays) weighted by 1, 2, 3, ..."""
    xs = [Tensor(a.shape, a.dtype.name) for a in arrays]
    y = function(*xs)
    weights = np.arange(1.0, 1 + int(np.prod(y.shape))).reshape(y.shape)
    return reference.prepare(Program(xs, gradients(ops.multiply(y, weights), xs))).run(arrays)


# ---- scattering


def test_scatter_adds_up_and_counts_from_the_end():
    indices = np.array([[0, 1], [-1, -2], [0, 1]])
    same(ops.scatter(indices, np.array([1, 2, 4], "int8"), (2, 3)), [[0, 5, 0], [0, 2, 0]], "int8")
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    same(ops.scatter([[2], [0]], rows, (3, 2)), [[3, 4], [0, 0], [1, 2]], "float64")


def test_an_index_outside_its_own_axis_is_refused_though_the_place_exists():
    with pytest.raises(DataError, match=r"must lie in -3\.\.2"):
        ops.scatter([[0, 3]], [1.0], (2, 3))


def test_large_integers_add_up_exactly():
    big = np.array([2**62, 2**53 + 1, 1], "int64")
    same(ops.scatter([[0], [0], [0]], big, (1,)), [2**62 + 2**53 + 2], "int64")
    same(ops.segment_sum(np.array([127, 1], "int8"), [0, 0], 1), [-128], "int8")


def test_sums_stay_wide():
    data = np.full(2**12, 1 + 2**-23, np.float32)
    same(ops.segment_sum(data, np.zeros(2**12, int), 1), [np.float32(2**12 * (1 + 2**-23))], "float32")


@pytest.mark.parametrize("reduction", [None, "add", "max", "min", "mul"])
def test_scatter_update_is_numpys(reduction):
    x, indices = RNG.normal(size=(3, 4, 2)), RNG.integers(0, 3, (7, 2))
    updates = RNG.normal(size=(7, 2))
    expected = x.copy()
    at = tuple(indices.T)
    if reduction is None:
        for place, value in zip(indices, updates):
            expected[tuple(place)] = value
    else:
        names = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}
        names[reduction].at(expected, at, updates)
    agree(ops.scatter_update, expected, x, indices, updates, reduction)


def test_the_last_update_gets_the_gradient():
    dx, du = slopes(lambda x, u: ops.scatter_update(x, [[2], [0], [2]], u), np.zeros(3), np.zeros(3))
    assert dx.tolist() == [0, 2, 0] and du.tolist() == [0, 1, 3]


def test_the_first_of_the_largest_gets_the_gradient():
    x, u = np.array([5.0, 0.0, 1.0]), np.array([5.0, 7.0, 7.0, -1.0])
    dx, du = slopes(lambda x, u: ops.scatter_update(x, [[0], [1], [1], [2]], u, "max"), x, u)
    assert dx.tolist() == [1, 0, 3] and du.tolist() == [0, 2, 0, 0]
    with pytest.raises(ArgumentError, match="no gradient through reduction='mul'"):
        slopes(lambda x, u: ops.scatter_update(x, [[0], [1], [1], [2]], u, "mul"), x, u)


def test_slice_update():
    x, block = np.zeros((3, 4)), np.ones((2, 2))
    same(ops.slice_update(x, (1, 2), block), [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], "float64")
    dx, du = slopes(lambda x, u: ops.slice_update(x, (0, 1), u), np.full((1, 3), NAN), np.ones((1, 1)))
    assert dx.tolist() == [[1, 0, 3]] and du.tolist() == [[2]]


# ---- segments and counts


def test_segments_without_rows_and_rows_without_segment():
    data, ids = np.array([[1.0, 2.0], [3.0, 0.0], [9.0, 9.0]]), [2, 2, -1]
    same(ops.segment_sum(data, ids, 4), [[0, 0], [0, 0], [4, 2], [0, 0]], "float64")
    same(ops.segment_max(data, ids), [[-INF, -INF], [-INF, -INF], [3, 2]], "float64")
    same(ops.segment_max(np.array([5], "int8"), [1], 2), [-128, 5], "int8")
    assert slopes(lambda d: ops.segment_sum(d, np.array(ids), 4), data)[0].tolist() == [[5, 6], [5, 6], [0, 0]]


def test_the_first_largest_of_a_segment_gets_the_gradient():
    data = np.array([1.0, 3.0, 3.0, NAN, 2.0, NAN])
    same(ops.segment_max(data, [0, 0, 0, 1, 1, 1]), [3, NAN], "float64")
    (dx,) = slopes(lambda d: ops.segment_max(d, np.array([0, 0, 0, 1, 1, 1]), 2), data)
    assert dx.tolist() == [0, 1, 0, 2, 0, 0]


def test_ids_may_number_several_axes():
    data, ids = RNG.normal(size=(2, 3, 4)), np.array([[0, 1, 0], [1, 1, 2]])
    expected = np.zeros((3, 4))
    np.add.at(expected, ids, data)
    agree(ops.segment_sum, expected, data, ids, 3)


def test_bincount_is_numpys():
    x, weights = RNG.integers(0, 6, 20), RNG.normal(size=20)
    same(ops.bincount(x), np.bincount(x), "int32")
    same(ops.bincount(x, minlength=9), np.bincount(x, minlength=9), "int32")
    close(ops.bincount(x, weights), np.bincount(x, weights), 2 * 20, np.bincount(x, abs(weights)))
    same(ops.bincount([[1, 1], [0, 2]]), [[0, 2, 0], [1, 0, 1]], "int32")
    same(ops.bincount(np.zeros(0, int)), [], "int32")
    t = Tensor((None,), "int32")
    (y,) = reference.prepare(Program([t], [ops.bincount(t, minlength=6)])).run([x])
    same(y, np.bincount(x, minlength=6), "int32")
    with pytest.raises(ArgumentError, match="given as minlength"):
        ops.bincount(t)


def test_multi_hot():
    same(ops.multi_hot([[0, 2], [1, 1]], 3), [[1, 0, 1], [0, 1, 0]], "float32")
    same(ops.multi_hot([0, 2, 9], 4, dtype="int32"), [1, 0, 1, 0], "int32")
    same(ops.multi_hot(np.zeros((2, 0), int), 2), [[0, 0], [0, 0]], "float32")


# ---- sorting and searching

SORTABLE = [3.0, NAN, -0.0, 0.0, INF, -INF, 3.0, -1.0, NAN, 0.0]


def test_sort_is_stable_and_puts_nan_last():
    order = ops.argsort(np.array(SORTABLE))
    assert order.tolist() == [5, 7, 2, 3, 9, 0, 6, 4, 1, 8]
    assert order.dtype == "int32"
    np.testing.assert_array_equal(ops.sort(np.array(SORTABLE)), np.sort(SORTABLE))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "bool", "int64"])
def test_sort_is_numpys(axis, dtype):
    x = RNG.integers(0, 5, (3, 17, 2)).astype(dtype)
    same(ops.argsort(x, axis), np.argsort(x, axis=axis, kind="stable"), "int32")
    same(ops.sort(x, axis), np.sort(x, axis=axis), dtype)


def test_the_gradient_of_sort_goes_back_to_where_it_came_from():
    assert slopes(ops.sort, np.array([3.0, 1.0, 2.0]))[0].tolist() == [3, 1, 2]
    t = Tensor((None, None), "float64")
    x = RNG.normal(size=(2, 5))
    y, dx = reference.prepare(Program([t], [ops.sort(t), *gradients(ops.square(ops.sort(t)), [t])])).run([x])
    np.testing.assert_array_equal(y, np.sort(x))
    np.testing.assert_array_equal(dx, 2 * x)


def test_top_k_takes_the_first_of_equals_and_nan_first():
    values, places = ops.top_k(np.array([[1.0, 9.0, 5.0, 9.0], [0.0, NAN, INF, 0.0]]), 3)
    same(values, [[9, 9, 5], [NAN, INF, 0]], "float64")
    same(places, [[1, 3, 2], [1, 2, 0]], "int32")


def test_in_top_k_counts_ties_in():
    scores = np.array([[1.0, 2.0, 2.0], [3.0, 2.0, 2.0], [NAN, 0.0, 1.0], [0.0, NAN, 1.0]])
    assert ops.in_top_k([2, 2, 0, 0], scores, 2).tolist() == [True, True, False, True]
    assert ops.in_top_k([2, 1, 1, 0], scores, 1).tolist() == [True, False, False, False]


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_is_numpys(side):
    row = np.sort(np.append(RNG.integers(-3, 4, 12) / 2, [INF, NAN, NAN, -INF]))
    x = np.append(RNG.integers(-4, 5, (30,)) / 2, [INF, NAN, -INF, -0.0])
    same(ops.searchsorted(row, x, side), np.searchsorted(row, x, side), "int32")
    same(ops.searchsorted(np.zeros(0), x, side), np.zeros(len(x)), "int32")


def test_digitize_is_numpys():
    x, bins = RNG.normal(size=(3, 5)), np.array([-1.0, 0.0, 0.5])
    same(ops.digitize(x, bins), np.digitize(x, bins), "int32")


def test_shapes_that_depend_on_values_exist_on_arrays_only():
    x = np.array([[0, 3], [3, 1]])
    assert [p.tolist() for p in ops.nonzero(x)] == [[0, 1, 1], [1, 0, 1]]
    values, index, inverse, counts = ops.unique(x, return_index=True, return_inverse=True, return_counts=True)
    assert (values.tolist(), index.tolist(), counts.tolist()) == ([0, 1, 3], [0, 3, 1], [1, 1, 2])
    np.testing.assert_array_equal(values[inverse], x)
    assert ops.unique(x, size=5, fill_value=7).tolist() == [0, 1, 3, 7, 7]
    assert ops.unique(x, size=2).tolist() == [0, 1]
    assert ops.unique(np.array([[1, 2], [1, 2]]), axis=0).tolist() == [[1, 2]]
    for function in (ops.unique, ops.nonzero):
        with pytest.raises(ArgumentError, match="takes arrays, not symbolic tensors"):
            function(Tensor((3,)))


@pytest.mark.peers
def test_against_pytorch():
    import torch

    x = RNG.normal(size=(4, 9))
    t = torch.tensor(x, requires_grad=True)
    values, places = torch.topk(t, 4)
    (values * torch.arange(1.0, 17.0, dtype=torch.float64).reshape(4, 4)).sum().backward()
    ours, theirs = ops.top_k(x, 4), (values, places)
    np.testing.assert_array_equal(ours[0], theirs[0].detach().numpy())
    np.testing.assert_array_equal(ours[1], theirs[1].numpy())
    np.testing.assert_array_equal(slopes(lambda v: ops.top_k(v, 4)[0], x)[0], t.grad.numpy())
    ids = torch.tensor([0, 2, 0, 1])
    summed = torch.zeros(3, 9, dtype=torch.float64).index_add(0, ids, torch.tensor(x))
    agree(ops.segment_sum, summed.numpy(), x, ids.numpy(), 3)
    largest = torch.full((3, 9), -INF, dtype=torch.float64).index_reduce(0, ids, torch.tensor(x), "amax")
    np.testing.assert_array_equal(ops.segment_max(x, ids.numpy(), 3), largest.numpy())
    print("4 ops compared with PyTorch")


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: ops.scatter([[1], [7]], [1.0, 2.0], (4,)), r"scatter: indices\[\.\.\., 0\] must lie .* at \[1\] is 7"),
        (lambda: ops.scatter_update(np.zeros((4, 4)), [[0, 9]], [1.0]), r"scatter_update: indices\[\.\.\., 1\]"),
        (lambda: ops.get_item(np.zeros((4, 4)), ([0, 1], [2, 8])), r"get_item: entry 1 of the key .* at \[1\] is 8"),
    ],
)
def test_an_index_outside_is_named_as_the_user_wrote_it(call, words):
    with pytest.raises(DataError, match=words):
        call()


def test_an_index_outside_is_named_in_a_graph_too():
    indices = Tensor((2, 1), "int32")
    program = Program([indices], [ops.scatter(indices, np.ones(2), (4,))])
    with pytest.raises(DataError, match="an index into several axes: indices must lie in"):
        reference.prepare(program).run([np.array([[0], [5]], "int32")])
