"""The largest and the smallest element along an axis: as many lanes at once as vectors have, or whole rows of columns.

A lane keeps the first of equal numbers and the first NaN, as the definition does. Lanes of one row then meet; which of 0.0 and -0.0
came first is looked up, where that is the answer. A gradient finds the best once more, and goes to the first that equals it.
"""

from refnet_fast.cpu.intrinsics import select
from refnet_fast.cpu.reduction import along_columns, along_rows, results
from refnet_fast.cpu.rows import copy_row, fill_row
from refnet_fast.cpu.windows import floats
from refnet_fast.kernels import as_rows, kernel
from refnet_fast.native import Separate, njit
from refnet_fast.outcomes import scratch
from refnet_fast.tables import ELEMENT_NS

LANES = 64
BLOCK = 1024  # results that are kept at once


def _task_ns(call):
    return call.form.cost * ELEMENT_NS + 4


@njit(error_model="numpy")
def beats(value, best, largest):
    """Whether a number takes the place of the best before it: the larger or the smaller one does, and the first NaN."""
    return ((not value <= best) if largest else (not value >= best)) & (best == best)


@njit(error_model="numpy", pipeline_class=Separate)
def meet(row, best, largest):
    for i in range(best.size):
        best[i] = select(beats(row[i], best[i], largest), row[i], best[i])


@njit(error_model="numpy")
def first_zero(row):
    for i in range(row.size):
        if row[i] == 0:
            return row[i]
    return row[0]


@njit(error_model="numpy")
def extreme_of(row, kept, largest):
    """The best of a contiguous row; `kept` is where its lanes are kept."""
    n = row.size
    if n < kept.size // 2:
        best = row[0]
        for i in range(1, n):
            best = select(beats(row[i], best, largest), row[i], best)
        return best
    lanes = min(kept.size, n)
    whole = n - n % lanes
    copy_row(row[:lanes], kept[:lanes])
    for r in range(lanes, whole, lanes):
        meet(row[r : r + lanes], kept[:lanes], largest)
    meet(row[whole:], kept[: n - whole], largest)
    while lanes > 1:
        half = (lanes + 1) // 2
        meet(kept[half:lanes], kept[: lanes - half], largest)
        lanes = half
    return first_zero(row) if kept[0] == 0 else kept[0]


@njit(error_model="numpy")
def extremes_of(x, y, lo, hi, largest):
    """The best of columns lo..hi, row by row; a part of a row of results stays in the first cache."""
    inner = x.shape[2]
    while lo < hi:
        o = lo // inner
        first = lo - o * inner
        end = min(hi - o * inner, inner, first + BLOCK)
        best = y[o, first:end]
        copy_row(x[o, 0, first:end], best)
        for r in range(1, x.shape[1]):
            meet(x[o, r, first:end], best, largest)
        lo = o * inner + end


@njit(error_model="numpy")
def place_of(row, best):
    """Where an element equal to the best first stands; the first NaN if that is it."""
    for i in range(row.size):
        if row[i] == best or (best != best and row[i] != row[i]):
            return i
    return 0


def _floating_rows(call):
    return call.inputs[0].dtype in ("float32", "float64") and call.form.inputs[0].shape[2] == 1


PLACES = {"when": _floating_rows, "tasks": results, "cost": _task_ns, "arguments": as_rows}
ROWS = {"when": along_rows, "tasks": results, "cost": _task_ns, "arguments": as_rows}
COLUMNS = {"when": along_columns, "tasks": results, "cost": _task_ns, "quantum": 16}


@kernel("max", **ROWS)
def max_rows(x, y, lo, hi):
    kept = scratch(LANES, x.dtype)
    for o in range(lo, hi):
        y[o, 0] = extreme_of(x[o], kept, True)


@kernel("min", **ROWS)
def min_rows(x, y, lo, hi):
    kept = scratch(LANES, x.dtype)
    for o in range(lo, hi):
        y[o, 0] = extreme_of(x[o], kept, False)


@kernel("max", **COLUMNS)
def max_columns(x, y, lo, hi):
    extremes_of(x, y, lo, hi, True)


@kernel("min", **COLUMNS)
def min_columns(x, y, lo, hi):
    extremes_of(x, y, lo, hi, False)


@kernel("argmax", **PLACES)
def argmax_rows(x, y, lo, hi):
    kept = scratch(LANES, x.dtype)
    for o in range(lo, hi):
        y[o, 0] = place_of(x[o], extreme_of(x[o], kept, True))


@kernel("argmin", **PLACES)
def argmin_rows(x, y, lo, hi):
    kept = scratch(LANES, x.dtype)
    for o in range(lo, hi):
        y[o, 0] = place_of(x[o], extreme_of(x[o], kept, False))


# ---- gradients


def some_floats(call):
    """The best of no elements is not defined, but their slopes are: none."""
    return floats(call) and call.form.outputs[0].shape[1] > 0


ALONG_ROWS = ROWS | {"when": lambda call: some_floats(call) and call.form.outputs[0].shape[2] == 1}
ALONG_COLUMNS = COLUMNS | {"when": some_floats}


@njit(error_model="numpy", pipeline_class=Separate)
def give(row, best, left, out):
    """Gives what is left of each column's slope to an element that equals its best; then nothing is left."""
    nothing = out.dtype.type(0)
    for i in range(out.size):
        wins = (row[i] == best[i]) | ((best[i] != best[i]) & (row[i] != row[i]))
        out[i] = select(wins, left[i], nothing)
        left[i] = select(wins, nothing, left[i])


@njit(error_model="numpy")
def give_columns(dy, x, dx, lo, hi, largest):
    """Columns lo..hi of the gradient, row by row: their best is found, then the slopes go to it."""
    inner = x.shape[2]
    kept, slopes = scratch(BLOCK, x.dtype), scratch(BLOCK, x.dtype)
    while lo < hi:
        o = lo // inner
        first = lo - o * inner
        end = min(hi - o * inner, inner, first + BLOCK)
        best, left = kept[: end - first], slopes[: end - first]
        copy_row(x[o, 0, first:end], best)
        for r in range(1, x.shape[1]):
            meet(x[o, r, first:end], best, largest)
        copy_row(dy[o, first:end], left)
        for r in range(x.shape[1]):
            give(x[o, r, first:end], best, left, dx[o, r, first:end])
        lo = o * inner + end


@njit(error_model="numpy")
def give_rows(dy, x, dx, lo, hi, largest):
    kept = scratch(LANES, x.dtype)
    for o in range(lo, hi):
        fill_row(dx[o], 0)
        dx[o, place_of(x[o], extreme_of(x[o], kept, largest))] = dy[o, 0]


@kernel("max_gradient", **ALONG_COLUMNS)
def max_gradient_columns(dy, x, dx, lo, hi):
    give_columns(dy, x, dx, lo, hi, True)


@kernel("min_gradient", **ALONG_COLUMNS)
def min_gradient_columns(dy, x, dx, lo, hi):
    give_columns(dy, x, dx, lo, hi, False)


@kernel("max_gradient", **ALONG_ROWS)
def max_gradient_rows(dy, x, dx, lo, hi):
    give_rows(dy, x, dx, lo, hi, True)


@kernel("min_gradient", **ALONG_ROWS)
def min_gradient_rows(dy, x, dx, lo, hi):
    give_rows(dy, x, dx, lo, hi, False)
