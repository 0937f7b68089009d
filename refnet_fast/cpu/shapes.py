"""Copies of views."""

from refnet.definition import View, size_of
from refnet_fast.cpu.rows import fill_row
from refnet_fast.derive import Placed, itemsize
from refnet_fast.kernels import kernel
from refnet_fast.native import move_bytes, njit
from refnet_fast.rewrite import SHORT
from refnet_fast.tables import ELEMENT_NS

OUTER_AXES = 4  # of a copy in runs: one compiled kernel for all ranks up to there, and all dtypes
DOWN = 1024  # rows of a matrix: a page of memory for each is what a processor has at hand
LEAST_RUN = 16  # bytes for which a copy in runs pays


def in_runs(call):
    """Whether the view's last axis is one run of memory."""
    view, size = call.form.inputs[0], itemsize(call.outputs[0].dtype)
    rank = len(view.shape)
    return 1 <= rank <= OUTER_AXES + 1 and view.strides[-1] == 1 and view.shape[-1] * size >= LEAST_RUN


def _geometry(call, inputs, outputs):
    """Addresses, the outer extents and the source's strides over them in bytes, the bytes of a run."""
    (x,), (y,) = inputs, outputs
    size, missing = itemsize(y.dtype), OUTER_AXES + 1 - len(x.view.shape)
    outer = (1,) * missing + tuple(x.view.shape[:-1])
    strides = (0,) * missing + tuple(s * size for s in x.view.strides[:-1])
    return [x.address, y.address, outer, strides, x.view.shape[-1] * size]


@kernel(
    ("slice", "broadcast_to", "transpose"),
    when=in_runs,
    tasks=lambda call: size_of(call.form.domain[:-1]),
    cost=lambda call: call.form.domain[-1] * itemsize(call.outputs[0].dtype) * ELEMENT_NS / 4 + 6,
    arguments=_geometry,
)
def copy_runs(source, target, outer, strides, run, lo, hi):
    """Runs lo..hi, in row-major order of the axes before the last, `run` bytes each."""
    _, n1, n2, n3 = outer
    s0, s1, s2, s3 = strides
    for task in range(lo, hi):
        rest, i3 = task // n3, task % n3
        rest, i2 = rest // n2, rest % n2
        i0, i1 = rest // n1, rest % n1
        move_bytes(target + task * run, source + i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3, run)


def _of_one(call):
    """Whether all elements are one, of a dtype that kernels know."""
    view = call.form.inputs[0]
    return view.strides is not None and not any(view.strides) and call.outputs[0].dtype not in SHORT


@kernel(
    "broadcast_to",
    when=_of_one,
    tasks=lambda call: size_of(call.form.domain),
    cost=lambda call: ELEMENT_NS,
    quantum=16,
    arguments=lambda call, inputs, outputs: [
        Placed(a.address, View((n,)), a.dtype) for a, n in ((inputs[0], 1), (outputs[0], outputs[0].size))
    ],
)
def fill_with_one(x, y, lo, hi):
    """Elements lo..hi."""
    fill_row(y[lo:hi], x[0])


def _matrices(call):
    """Whether the result's columns lie side by side in the source, of one matrix or of several."""
    view = call.form.inputs[0]
    return len(view.shape) in (2, 3) and view.strides[-2] == 1 and view.strides[-1] > 1


def _several(call, inputs, outputs):
    """One matrix as several, and the source as it lies: its last axis is one run of memory."""
    (x,), (y,) = inputs, outputs
    missing, shape, strides = 3 - len(call.form.domain), x.view.shape, x.view.strides
    source = View((*shape[:-2], shape[-1], shape[-2]), (*strides[:-2], strides[-1], strides[-2]))
    views = [View((1,) * missing + tuple(v.shape), v.strides and (0,) * missing + v.strides) for v in (source, y.view)]
    return [Placed(a.address, view, a.dtype) for a, view in zip((x, y), views)]


@kernel(
    "transpose",
    when=_matrices,
    tasks=lambda call: size_of(call.form.domain[:-1]),
    cost=lambda call: call.form.domain[-1] * 3 * ELEMENT_NS + 5,
    quantum=16,
    arguments=_several,
)
def transpose_matrices(x, y, lo, hi):
    """Rows lo..hi of all matrices of the result: of one, or of images whose channels come before or after the pixels."""
    rows = y.shape[1]
    while lo < hi:
        n, first = lo // rows, lo % rows
        end = min(rows, first + hi - lo)
        turn(x[n], y[n], first, end)
        lo += end - first


@njit(error_model="numpy")
def turn(x, y, lo, hi):
    """Rows lo..hi of y, columns of x, in blocks of 16 by 16: whole cache lines on both sides.

    The blocks go down some rows before they go on to the next columns, so that what is read is near what was read.
    """
    for start in range(lo, hi, DOWN):
        end = min(start + DOWN, hi)
        for column in range(0, y.shape[1], 16):
            for first in range(start, end, 16):
                last = min(first + 16, end)
                source, target = x[column : column + 16, first:last], y[first:last, column : column + 16]
                for i in range(target.shape[0]):
                    for j in range(target.shape[1]):
                        target[i, j] = source[j, i]
