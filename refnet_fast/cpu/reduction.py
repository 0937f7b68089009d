"""Reductions over (outer, reduced, inner)."""

import numpy as np
from numba import njit

from refnet_fast.kernels import as_rows, kernel
from refnet_fast.tables import ELEMENT_NS

CHAIN = 1024  # additions in a row; longer sums are sums of sums, so that a million ones do not stand still at 2**24


def _single_float(call):
    return call.dtypes in ({"float32"}, {"float64"})


def _along_columns(call):
    return _single_float(call) and call.form.inputs[0].shape[2] > 1


def _along_rows(call):
    return _single_float(call) and call.form.inputs[0].shape[2] == 1


def _task_ns(call):
    return call.form.cost * 2 * ELEMENT_NS + 2


def _results(call):
    return call.form.domain[0] * call.form.domain[1]


@kernel("sum", when=_along_columns, tasks=_results, cost=_task_ns, quantum=16)
def sum_columns(x, y, lo, hi):
    """Results lo..hi, whole rows of x added at a time, so that memory is read forwards and the additions vectorise."""
    inner = x.shape[2]
    while lo < hi:
        o = lo // inner
        first, end = lo - o * inner, min(hi - o * inner, inner)
        out = y[o, first:end]
        out[:] = 0
        if x.shape[1] <= CHAIN:
            add_rows(x[o, :, first:end], out)
        else:
            part = np.empty_like(out)
            for start in range(0, x.shape[1], CHAIN):
                part[:] = 0
                add_rows(x[o, start : start + CHAIN, first:end], part)
                add_row(part, out)
        lo = o * inner + end


@njit(error_model="numpy")
def add_rows(rows, out):
    for r in range(rows.shape[0]):
        add_row(rows[r], out)


@njit(error_model="numpy")
def add_row(row, out):
    for i in range(out.size):
        out[i] += row[i]


@kernel(
    "sum",
    when=_along_rows,
    tasks=_results,
    cost=_task_ns,
    arguments=as_rows,
)
def sum_rows(x, y, lo, hi):
    """Results lo..hi, each the sum of one contiguous row, in as many partial sums as the vector has lanes."""
    for o in range(lo, hi):
        y[o, 0] = row_sum(x[o])


@njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def row_sum(row):
    total = row.dtype.type(0)
    for r in range(row.size):
        total += row[r]
    return total
