"""The logarithm of a sum of exponentials along contiguous rows."""

import numpy as np

from refnet_fast.cpu.activation import exp, log, row_largest
from refnet_fast.kernels import as_rows, kernel
from refnet_fast.native import njit
from refnet_fast.tables import ELEMENT_NS


@kernel(
    "logsumexp",
    when=lambda call: call.dtypes in ({"float32"}, {"float64"}) and call.form.inputs[0].shape[2] == 1,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: 6 * ELEMENT_NS * call.form.inputs[0].shape[1] + 20,
    arguments=as_rows,
)
def logsumexp_rows(x, y, lo, hi):
    """Rows lo..hi: a pass for the largest, one for the sum."""
    for o in range(lo, hi):
        best = row_largest(x[o])
        if not -np.inf < best < np.inf:
            best = x.dtype.type(0)
        y[o, 0] = best + log(exponential_sum(x[o], best))


@njit(error_model="numpy", fastmath={"contract"})  # said, for what is not said comes from the caller
def lifted(x, best):
    """Apart, so that only the additions around it are reordered, and none within exp."""
    return exp(x - best)


@njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def exponential_sum(row, best):
    total = row.dtype.type(0)
    for c in range(row.size):
        total += lifted(row[c], best)
    return total
