"""Layer normalization of contiguous rows, and its gradient."""

import numpy as np

from refnet_fast.cpu.normalization import slanted, square_distance
from refnet_fast.cpu.rows import SUMS, row_sum
from refnet_fast.kernels import kernel
from refnet_fast.native import njit
from refnet_fast.tables import ELEMENT_NS


def _rows_alone(*positions):
    """Inputs of which a task reads its own row only, where rows are the first axis of the op's arrays."""
    return lambda call: positions if len(call.inputs[0].shape) == 2 and call.attributes["count"] == 1 else None


ROWS = {
    "when": lambda call: call.dtypes in ({"float32"}, {"float64"}),
    "tasks": lambda call: call.form.domain[0],
    "cost": lambda call: 6 * ELEMENT_NS * call.form.inputs[0].shape[1] + 20,
}


@kernel("layer_normalization", rows=_rows_alone(0), **ROWS)
def layer_normalization_rows(x, gamma, beta, epsilon, y, mean, variance, lo, hi):
    """Rows lo..hi; a row stays in the first cache for its three passes."""
    kind = x.dtype.type
    for n in range(lo, hi):
        row, out = x[n], y[n]
        center = kind(row_sum(row) / row.size)
        variance[n] = square_distance(row, center) / row.size
        mean[n] = center
        root = kind(np.sqrt(variance[n] + epsilon))
        for f in range(out.size):
            out[f] = (row[f] - center) / root * gamma[f] + beta[f]


@kernel("layer_normalization_gradient", rows=_rows_alone(0, 1, 2, 3), **ROWS)
def layer_normalization_gradient_rows(dy, x, mean, variance, gamma, epsilon, dx, lo, hi):
    """Rows lo..hi: a pass for the two sums, one for the result."""
    kind = x.dtype.type
    count = kind(x.shape[1])
    for n in range(lo, hi):
        above, row, out = dy[n], x[n], dx[n]
        center, root = mean[n], kind(np.sqrt(variance[n] + epsilon))
        shift = weighted_sum(above, gamma) / count
        tilt = weighted_product(above, gamma, row, center, root) / count
        for f in range(out.size):
            out[f] = (above[f] * gamma[f] - shift - (row[f] - center) / root * tilt) / root


@njit(**SUMS)
def weighted_sum(above, gamma):
    total = above.dtype.type(0)
    for f in range(above.size):
        total += above[f] * gamma[f]
    return total


@njit(**SUMS)
def weighted_product(above, gamma, row, center, root):
    total = above.dtype.type(0)
    for f in range(above.size):
        total += slanted(above[f] * gamma[f], row[f], center, root)
    return total
