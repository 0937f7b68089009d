"""Reductions over (outer, reduced, inner)."""

import numpy as np

from refnet_fast.cpu.rows import row_sum
from refnet_fast.cpu.tile import multiply, strip_for, strips
from refnet_fast.derive import itemsize
from refnet_fast.kernels import as_rows, kernel
from refnet_fast.native import address_of
from refnet_fast.tables import ELEMENT_NS

CHAIN = 1024  # additions in a row; longer sums are sums of sums, so that a million ones do not stand still at 2**24


def _single_float(call):
    return call.dtypes in ({"float32"}, {"float64"})


def along_columns(call):
    return _single_float(call) and call.form.inputs[0].shape[2] > 1


def along_rows(call):
    return _single_float(call) and call.form.inputs[0].shape[2] == 1


def _task_ns(call):
    return call.form.cost * 2 * ELEMENT_NS + 2


def results(call):
    return call.form.domain[0] * call.form.domain[1]


ONES = {"float32": np.ones(1, np.float32), "float64": np.ones(1, np.float64)}


def _matrices(call, inputs, outputs):
    """What multiplies, the address of a 1, the addresses of x and y, and the reduced and the inner extent."""
    (x,), (y,) = inputs, outputs
    _, reduced, inner = x.view.shape
    return [strips(itemsize(y.dtype)), address_of(ONES[y.dtype]), x.address, y.address, reduced, inner]


@kernel("sum", when=along_columns, tasks=results, cost=_task_ns, quantum=16, arguments=_matrices)
def sum_columns(strips, one, x, y, reduced, inner, lo, hi):
    """Results lo..hi: a row of ones times a matrix, on the register tile. Memory is read forwards, sums stay in registers."""
    size = strips[0]
    while lo < hi:
        o = lo // inner
        first, end = lo - o * inner, min(hi - o * inner, inner)
        while first < end:
            strip, some = strip_for(strips, end - first)
            done = 0
            while done < reduced or done == 0:
                count = min(CHAIN, reduced - done)
                rows, to = x + size * ((o * reduced + done) * inner + first), y + size * (o * inner + first)
                multiply(strip, 1, 1, count, one, 0, 0, 0, rows, inner, 0, to, inner, some, done)
                done += max(count, 1)
            first += some
        lo = o * inner + end


@kernel(
    "sum",
    when=along_rows,
    tasks=results,
    cost=_task_ns,
    arguments=as_rows,
)
def sum_rows(x, y, lo, hi):
    """Results lo..hi, each the sum of one contiguous row, in as many partial sums as the vector has lanes."""
    for o in range(lo, hi):
        y[o, 0] = row_sum(x[o])
