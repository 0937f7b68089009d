"""Tuned kernels in the simulator, on shapes that leave partial tiles, held to certificates on sampled tasks."""

import math

import numpy as np
import pytest
from numba import cuda, float64

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import dtypes, ops  # noqa: F401  (declares the ops)
from refnet.definition import Op
from refnet.engine import get_engine
from refnet.testing import hold
from refnet_fast.cuda import calls, contraction, kernels, rounded_product, rows, short_product
from refnet_fast.cuda.calls import LARGE, TINY, USUAL
from refnet_fast.cuda.engine import CudaEngine

generator = np.random.default_rng(4)


def computed(op, arrays, attributes, all_outputs=False):
    """The results of a call, which must have run on a tuned kernel."""
    engine = CudaEngine("cuda-sim")
    results = engine.compute(op, arrays, attributes)
    (running,) = engine.built.values()
    assert all(launch.step for launch in running.launches if launch.what != "check")
    return results if all_outputs else results[0]


@pytest.mark.parametrize("name", list(TINY))
def test_certified(name):
    """Every kernel, on a call that leaves blocks, rows and chunks incomplete; the same bits twice."""
    call = TINY[name]
    found, _ = calls.launches(call)
    assert found.name == name
    op, arrays = Op.named[call.op], calls.arrays(call)
    results = computed(op, arrays, call.attributes, all_outputs=True)
    sampled = None
    if name == "sum_of_pieces":
        sampled = [(0, 0)]
    if name.startswith("resize"):
        sampled = [(o, j, (o + 2 * j) % 11) for o in range(4) for j in range(results[0].shape[2])]
    assert hold(op, get_engine("cuda-sim"), arrays, call.attributes, results, sampled) <= 1
    for y, again in zip(results, computed(op, arrays, call.attributes, all_outputs=True)):
        np.testing.assert_array_equal(y, again)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["max", "argmax", "logsumexp", "softmax", "log_softmax"])
def test_what_is_no_number_in_columns(name, dtype):
    """NaN, infinities and equals, in rows of different threads; 19 rows are no multiple of a column's eight threads."""
    x = generator.standard_normal((2, 19, 6)).astype(dtype)
    x[0, 11, 0] = x[1, 9, 5] = x[1, 3, 5] = np.nan
    x[0, 4, 1], x[:, :, 2], x[0, 0, 3] = np.inf, -np.inf, -np.inf
    x[0, (18, 7, 13), 4] = 9.0
    attributes = {"axis": 1} if name.endswith("softmax") else {"start": 1, "count": 1, "keepdims": False}
    y = computed(Op.named[name], [x], attributes)
    (due,) = get_engine("reference").compute(Op.named[name], [x], attributes)
    if name in ("max", "argmax"):
        np.testing.assert_array_equal(y, due)
    else:
        assert hold(Op.named[name], get_engine("cuda-sim"), [x], attributes, [y]) <= 1
        np.testing.assert_array_equal(np.isnan(y), np.isnan(due))
        np.testing.assert_array_equal(np.isinf(y), np.isinf(due))


def test_every_kernel_has_a_call():
    kernels.load()
    assert {k.name for found in kernels.tuned.values() for k in found} == set(TINY) == set(USUAL) == set(LARGE)


@pytest.mark.parametrize("transpose1, transpose2", [(False, False), (True, False), (False, True)])
def test_matmul_by_tiles(transpose1, transpose2):
    rows, inner, columns = 33, 18, 13
    a = generator.standard_normal((inner, rows) if transpose1 else (rows, inner)).astype("float32")
    b = generator.standard_normal((columns, inner) if transpose2 else (inner, columns)).astype("float32")
    attributes = {"transpose1": transpose1, "transpose2": transpose2}
    op, engine = Op.named["matmul"], get_engine("cuda-sim")
    y = computed(op, [a, b], attributes)
    assert 0 < hold(op, engine, [a, b], attributes, [y]) <= 1


@pytest.mark.parametrize(
    "transpose1, transpose2, dtype",
    [(False, False, "float16"), (True, False, "bfloat16"), (False, True, "float16")],
)
def test_matmul_on_tensor_cores_in_runs_of_eight(transpose1, transpose2, dtype, monkeypatch):
    """What the fragments of two warps hold, side by side or one below the other, as the matrices lie and turned; two sets of terms."""
    warps = (2, 1) if transpose1 else (1, 2)
    monkeypatch.setattr(short_product, "SIMULATED", short_product.WarpTile(*warps, 1, 2, 32, 2))
    rows, inner, columns = (24, 40, 16) if transpose1 else (16, 40, 24)
    a = generator.standard_normal((inner, rows) if transpose1 else (rows, inner)).astype(dtypes.as_numpy(dtype))
    b = generator.standard_normal((columns, inner) if transpose2 else (inner, columns)).astype(dtypes.as_numpy(dtype))
    attributes = {"transpose1": transpose1, "transpose2": transpose2}
    op = Op.named["matmul"]
    y = computed(op, [a, b], attributes)
    tasks = [(0, i, j) for i in range(rows) for j in range(i % 3, columns, 3)]
    assert 0 < hold(op, get_engine("cuda-sim"), [a, b], attributes, [y], tasks) <= 1


def tiles(module, kind):
    """Every tile that a module has."""
    found = [value for value in vars(module).values() if isinstance(value, kind)]
    assert module.LARGE in found and module.SIMULATED in found
    return found


def test_tiles_divide_evenly_among_threads():
    """Every thread copies as many elements, or runs of eight, as any other; hardware's tiles never run in the simulator."""
    for tile in tiles(contraction, contraction.Tile):
        assert tile.rows * tile.depth % tile.threads == tile.columns * tile.depth % tile.threads == 0
    for tile in tiles(short_product, short_product.WarpTile):
        for run in (1, short_product.RUN):
            assert (
                tile.rows * tile.depth % (run * tile.threads) == tile.columns * tile.depth % (run * tile.threads) == 0
            )


def test_stages_fit_what_a_block_may_have_without_asking():
    """48 KB of shared memory: a kernel with more is refused when it is assembled."""

    def taken(tile, left, right, size):
        # and the tables of rows and of two stages' terms
        return (left + right) * size + (tile.rows + 2 * tile.depth) * 5 * 8

    for name, tile in vars(contraction).items():
        if isinstance(tile, contraction.Tile):
            rooms = tile.constants(np.float32)
            size = 8 if name.endswith("64") else 4
            assert taken(tile, rooms["LEFT_ROOM"], rooms["RIGHT_ROOM"], size) <= 48 * 1024
    for tile in tiles(short_product, short_product.WarpTile):
        rooms = [
            max(tile.side("OF", length, along, run)["OF_ROOM"] for along in (False, True) for run in (1, 8))
            for length in (tile.rows, tile.columns)
        ]
        assert taken(tile, *rooms, 2) <= 48 * 1024
    for tile in tiles(rounded_product, short_product.WarpTile):
        rooms = [tile.stages * tile.depth * (length + 8) for length in (tile.rows, tile.columns)]
        assert taken(tile, *rooms, 4) <= 48 * 1024


def test_a_window_over_the_edge_meets_an_infinite_filter():
    """Padding multiplies nothing: 0 times infinity is not in the sum."""
    x, kernel = np.ones((1, 4, 3, 2), "float32"), np.ones((3, 3, 2, 9), "float32")
    kernel[0, :, :, 4] = np.inf  # the taps that the first row's windows lay over the edge
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (1, 1), "extents": (4, 3)}
    y = computed(Op.named["conv2d"], [x, kernel], attributes)
    assert np.isfinite(y[:, 0]).all() and np.isposinf(y[:, 1:, :, 4]).all()
    assert hold(Op.named["conv2d"], get_engine("cuda-sim"), [x, kernel], attributes, [y]) == 0


@pytest.mark.parametrize("name, kernel", [("simple_rnn", 2), ("lstm", 5), ("gru", 6)])
def test_a_masked_step_leaves_infinite_weights_alone(name, kernel):
    """Its slopes are 0, but 0 times an infinite weight is not: the rows count no step, the first one, the second one."""
    call, op = TINY[f"{name}_gradient_rows"], Op.named[f"{name}_gradient"]
    arrays = calls.arrays(call)
    arrays[kernel][0, 0] = np.inf
    arrays[-2] = np.array([[False, False], [True, False], [False, True]])
    results = computed(op, arrays, call.attributes, all_outputs=True)
    for y, due in zip(results, get_engine("reference").compute(op, arrays, call.attributes), strict=True):
        np.testing.assert_array_equal(np.isfinite(y), np.isfinite(due))
        assert np.isfinite(y[0]).all()
    assert 0 < hold(op, get_engine("cuda-sim"), arrays, call.attributes, results) <= 1


@pytest.mark.parametrize("name", ["layer_normalization", "batch_normalization_training"])
def test_gradients_where_nothing_varies_and_epsilon_is_0(name):
    """0 / 0 is NaN, in the rows or channels where it stands, and an error nowhere."""
    ending = "rows" if name.startswith("layer") else "channels"
    call, op = TINY[f"{name}_gradient_{ending}"], Op.named[f"{name}_gradient"]
    arrays, attributes = calls.arrays(call), {**call.attributes, "epsilon": 0.0}
    x = arrays[1] if ending == "rows" else arrays[1].T
    x[2], arrays[2][2], arrays[3][2] = 0.5, 0.5, 0
    results = computed(op, arrays, attributes, all_outputs=True)
    assert np.isnan(results[0] if ending == "rows" else results[0].T).all(axis=1).nonzero()[0].tolist() == [2]
    assert 0 < hold(op, get_engine("cuda-sim"), arrays, attributes, results) <= 1


@pytest.mark.parametrize("axes", [(1, 0), (0, 2, 1)])
def test_a_transpose_of_more_tiles_than_a_grid_has_along_y(axes):
    """65,535 blocks lie along y and z, 2**31 - 1 along x; no device tells before it is launched."""
    shape = (8, 2**21 + 32) if axes == (1, 0) else (2, 8, 2**21 + 32)
    found, launches = calls.launches(calls.Call("transpose", (calls.floats(*shape),), {"axes": axes}))
    assert found.name == "transpose_tiles"
    across, down, deep = launches[0].grid
    assert max(down, deep) < 2**16 <= across


def test_softmax_of_long_rows():
    x = generator.standard_normal((4, 131)).astype("float32")
    x[1, 130], x[2, 7], x[3, :] = np.nan, np.inf, -np.inf
    op, attributes = Op.named["softmax"], {"axis": 1}
    y = computed(op, [x], attributes)
    assert np.isnan(y[1:]).all()
    assert hold(op, get_engine("cuda-sim"), [x[:1]], attributes, [y[:1]]) <= 1


def test_sum_of_long_rows():
    x = generator.standard_normal((3, 5, 29)).astype("float32")
    op, attributes = Op.named["sum"], {"start": 1, "count": 2, "keepdims": False}
    y = computed(op, [x], attributes)
    assert hold(op, get_engine("cuda-sim"), [x], attributes, [y]) <= 1
    np.testing.assert_array_equal(y, computed(op, [x], attributes))
    x[1, 0, 28], x[2, 4, 28] = np.nan, np.inf
    y = computed(op, [x], attributes)
    assert np.isfinite(y[0]) and np.isnan(y[1]) and np.isposinf(y[2])


SPECIAL = ["sum_of_rows", "sum_of_columns", "max_of_rows", "argmax_of_rows", "logsumexp_of_rows", "log_softmax_rows"]
SPECIAL += ["layer_normalization_rows", "batch_normalization_training_channels", "sparse_softmax_cross_entropy_rows"]


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name):
    """NaN, infinities, and ties of 0.0 and -0.0, in rows or channels of their own."""
    call = TINY[name]
    op, arrays = Op.named[call.op], calls.arrays(call)
    x = arrays[0] if "column" not in name and "channels" not in name else arrays[0].T
    x[0, 40], x[1, 3], x[2, :], x[3, 0], x[3, 5] = np.nan, np.inf, -np.inf, -np.inf, np.inf
    x[4, :], x[4, 7], x[5, 0] = -0.0, 0.0, -np.inf
    results = computed(op, arrays, call.attributes, all_outputs=True)
    assert hold(op, get_engine("cuda-sim"), arrays, call.attributes, results) <= 1


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["sum_of_rows", "softmax_rows", "layer_normalization_rows"])
def test_other_floats(name, dtype):
    call = TINY[name]
    op, arrays = Op.named[call.op], [a.astype(dtypes.as_numpy(dtype)) for a in calls.arrays(call)]
    results = computed(op, arrays, call.attributes, all_outputs=True)
    assert results[0].dtype.name == dtype
    assert hold(op, get_engine("cuda-sim"), arrays, call.attributes, results) <= 1


def test_a_table_of_more_rows_than_a_digit_tells():
    """Two passes, the last rows never picked, negative numbers, one row picked by most."""
    indices = generator.integers(-300, 290, 40).astype("int32")
    indices[5:20] = 7
    dy = generator.standard_normal((40, 3)).astype("float32")
    op, attributes = Op.named["take_x_gradient"], {"axis": 0, "length": 300}
    dx = computed(op, [dy, indices], attributes)
    assert 0 < hold(op, get_engine("cuda-sim"), [dy, indices], attributes, [dx]) <= 1


class Warps:
    """`cuda` with shuffles, for functions that use them: every thread leaves its value, all meet, each takes another's."""

    def __init__(self):
        self.left = {}

    def __getattr__(self, name):
        return getattr(rows.inside(), name)

    def shfl_xor_sync(self, mask, value, offset):
        here = rows.inside()
        place = here.threadIdx.y * here.blockDim.x + here.threadIdx.x
        self.left[place] = value
        here.syncthreads()
        other = self.left[place ^ offset]
        here.syncthreads()
        return other


@pytest.mark.parametrize("threads", [(32, 4), (128, 1)])
def test_rows_by_shuffles(threads, monkeypatch):
    """What a device runs in the place of the simulator's form."""
    monkeypatch.setattr(rows, "cuda", Warps())
    values = generator.standard_normal((threads[1], threads[0])).cumsum(axis=1)
    values[-1, 37 % threads[0]] = np.nan
    sums, largest = np.zeros_like(values), np.zeros_like(values)

    @cuda.jit
    def kernel(values, sums, largest):
        room = cuda.shared.array(128, float64)
        x, y = cuda.threadIdx.x, cuda.threadIdx.y
        sums[y, x] = rows.sum_by_shuffles(values[y, x], room)
        largest[y, x] = rows.largest_by_shuffles(values[y, x], room)

    kernel[1, threads](values, sums, largest)
    for y, row in zip(sums[:-1], values):  # n terms in any order: n roundings of at most the sum of their sizes
        assert (abs(y - math.fsum(row)) <= row.size * 2**-53 * math.fsum(abs(row))).all()
    assert np.isnan(sums[-1]).all()
    np.testing.assert_array_equal(largest, np.repeat(values.max(axis=1)[:, None], threads[0], 1))
