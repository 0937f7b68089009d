"""Picking rows by number, its gradient (the embedding table's), and rows made of numbers."""

import numpy as np

from refnet.ops import indexing
from refnet_fast.cpu.rows import add_row, copy_row, fill_row
from refnet_fast.derive import compiled
from refnet_fast.kernels import as_rows, kernel
from refnet_fast.native import njit
from refnet_fast.outcomes import cleared_scratch, scratch
from refnet_fast.tables import ELEMENT_NS

CHAIN = 2048  # additions in a row, at most, before a sum becomes one term of another


row_of = compiled(indexing.row_of)


def _floats(call):
    return call.outputs[0].dtype in ("float32", "float64")


def as_rows_of_elements(call, inputs, outputs):
    """x and y without their last axis, of one element."""
    x, indices = inputs
    (y,) = outputs
    return as_rows(call, [x], []) + [indices] + as_rows(call, [y], [])


def _columns(call):
    return call.form.domain[0] * call.form.domain[1]


@kernel(
    "take",
    when=lambda call: call.form.inputs[0].shape[2] >= 8,
    tasks=lambda call: call.form.domain[0] * call.form.domain[1],
    cost=lambda call: call.form.cost * ELEMENT_NS + 10,
)
def take_rows(x, indices, y, lo, hi):
    """Picks lo..hi: whole rows are copied."""
    count = y.shape[1]
    for task in range(lo, hi):
        o, j = task // count, task % count
        copy_row(x[o, row_of(indices[j], x.shape[1])], y[o, j])


@kernel(
    "take",
    when=lambda call: call.form.inputs[0].shape[2] == 1,
    tasks=_columns,
    cost=lambda call: 1.0,
    quantum=16,
    arguments=as_rows_of_elements,
)
def take_elements(x, indices, y, lo, hi):
    """Picks lo..hi, of one element each."""
    count = y.shape[1]
    while lo < hi:
        o, first = lo // count, lo % count
        end = min(count, first + hi - lo)
        pick_elements(x[o], indices[first:end], y[o, first:end])
        lo += end - first


@njit(error_model="numpy")
def pick_elements(row, indices, out):
    for j in range(out.size):
        out[j] = row[row_of(indices[j], row.size)]


@kernel(
    "take_x_gradient",
    when=_floats,
    tasks=_columns,
    cost=lambda call: call.form.cost * 3 * ELEMENT_NS + 5,
    quantum=16,
)
def take_x_gradient_columns(dy, indices, dx, lo, hi):
    """Columns lo..hi: the picks are put in the order of their rows, so that each row's sum is complete before it is written."""
    length, inner = dx.shape[1], dx.shape[2]
    starts, order = by_row(indices, length)
    while lo < hi:
        o = lo // inner
        first, end = lo - o * inner, min(hi - o * inner, inner)
        part = scratch(end - first, dx.dtype)
        for r in range(length):
            total = dx[o, r, first:end]
            fill_row(total, 0)
            for block in range(starts[r], starts[r + 1], CHAIN):
                fill_row(part, 0)
                for place in range(block, min(block + CHAIN, starts[r + 1])):
                    add_row(dy[o, order[place], first:end], part)
                add_row(part, total)
        lo = o * inner + end


@njit(error_model="numpy")
def by_row(indices, length):
    """Where each row's picks begin in the list of all picks, and that list: by row, then in the order in which they came."""
    starts, order = cleared_scratch(length + 1, np.int64), scratch(indices.size, np.int64)
    for j in range(indices.size):
        starts[row_of(indices[j], length) + 1] += 1
    for r in range(length):
        starts[r + 1] += starts[r]
    at = scratch(starts.size, np.int64)
    copy_row(starts, at)
    for j in range(indices.size):
        r = row_of(indices[j], length)
        order[at[r]] = j
        at[r] += 1
    return starts, order


@kernel(
    "take_along_axis",
    when=lambda call: call.form.domain[2] == 1,
    tasks=_columns,
    cost=lambda call: 2 * ELEMENT_NS,
    arguments=as_rows,
    quantum=16,
)
def take_along_lanes(x, indices, y, lo, hi):
    """Elements lo..hi of all lanes, one after the other."""
    count = y.shape[1]
    while lo < hi:
        o = lo // count
        first, end = lo - o * count, min(hi - o * count, count)
        row, picks, out = x[o], indices[o], y[o]
        for j in range(first, end):
            out[j] = row[row_of(picks[j], row.size)]
        lo = o * count + end


@kernel(
    "one_hot",
    tasks=lambda call: call.form.domain[0] * call.form.domain[1],
    cost=lambda call: call.form.domain[2] * ELEMENT_NS + 4,
)
def one_hot_planes(x, y, lo, hi):
    """Classes lo..hi of what stands before the axis: all labels are compared with one class."""
    classes, labels = y.shape[1], x.shape[1]
    one, zero = y.dtype.type(1), y.dtype.type(0)
    for task in range(lo, hi):
        o, c = task // classes, task % classes
        plane = y[o, c]
        for i in range(labels):
            plane[i] = one if x[o, i] == c else zero


@kernel(
    "one_hot",
    when=lambda call: call.form.domain[2] == 1,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: call.form.domain[1] * ELEMENT_NS / 4 + 2,
    arguments=as_rows,
)
def one_hot_rows(x, y, lo, hi):
    """Labels lo..hi: zeros in one run, then the ones."""
    part, classes = y[lo:hi], y.shape[1]
    fill_row(part.reshape(part.size), y.dtype.type(0))
    for o in range(lo, hi):
        if 0 <= x[o, 0] < classes:
            y[o, x[o, 0]] = y.dtype.type(1)
