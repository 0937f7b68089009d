"""Softmax and its logarithm along contiguous lanes, and their gradients."""

from refnet_fast.cpu.elementary import by_type
from refnet_fast.cpu.intrinsics import maximum
from refnet_fast.cpu.rows import row_dot, row_sum
from refnet_fast.kernels import as_rows, kernel
from refnet_fast.native import njit
from refnet_fast.tables import ELEMENT_NS

exp, log = by_type("exp"), by_type("log")


def _contiguous_lanes(call):
    return call.dtypes in ({"float32"}, {"float64"}) and call.form.inputs[0].shape[2] == 1


LANES = {
    "when": _contiguous_lanes,
    "tasks": lambda call: call.form.domain[0],
    "cost": lambda call: 10 * ELEMENT_NS * call.form.inputs[0].shape[1] + 20,
    "arguments": as_rows,
    "rows": lambda call: tuple(range(len(call.inputs))) if len(call.inputs[0].shape) == 2 else None,
}


@njit(error_model="numpy")
def row_largest(row):
    """The largest element of a row; NaN if there is one."""
    best = row[0]
    for c in range(row.size):
        best = maximum(best, row[c])
    return best


@njit(error_model="numpy")
def exponentials(row, best, out):
    for c in range(row.size):
        out[c] = exp(row[c] - best)


@kernel("softmax", **LANES)
def softmax_lanes(x, y, lo, hi):
    """Lanes lo..hi: one pass for the largest, one for the exponentials, one to sum and one to scale, all in the first cache."""
    for o in range(lo, hi):
        row, out = x[o], y[o]
        exponentials(row, row_largest(row), out)
        total = row_sum(out)
        for c in range(out.size):
            out[c] = out[c] / total


@kernel("softmax_gradient", **LANES)
def softmax_gradient_lanes(dy, y, dx, lo, hi):
    """Lanes lo..hi: a dot product, then one pass."""
    for o in range(lo, hi):
        above, row, out = dy[o], y[o], dx[o]
        total = row_dot(above, row)
        for c in range(out.size):
            out[c] = row[c] * (above[c] - total)


@kernel("log_softmax", **LANES)
def log_softmax_lanes(x, y, lo, hi):
    """Lanes lo..hi: the exponentials are written where the result will stand, summed, and overwritten."""
    for o in range(lo, hi):
        row, out = x[o], y[o]
        best = row_largest(row)
        exponentials(row, best, out)
        total = log(row_sum(out))
        for c in range(out.size):
            out[c] = (row[c] - best) - total


@kernel("log_softmax_gradient", **LANES)
def log_softmax_gradient_lanes(dy, y, dx, lo, hi):
    """Lanes lo..hi: a sum, then one pass."""
    for o in range(lo, hi):
        above, row, out = dy[o], y[o], dx[o]
        total = row_sum(above)
        for c in range(out.size):
            out[c] = above[c] - exp(row[c]) * total
