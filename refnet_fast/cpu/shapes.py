"""Copies of views."""

from numba import njit

from refnet.definition import View, size_of
from refnet_fast.derive import Placed, itemsize
from refnet_fast.kernels import kernel
from refnet_fast.native import move_bytes
from refnet_fast.tables import ELEMENT_NS

OUTER_AXES = 4  # of a copy in runs: one compiled kernel for all ranks up to there, and all dtypes
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


def _matrices(call):
    """Whether the result's columns lie side by side in the source, of one matrix or of several."""
    view = call.form.inputs[0]
    return len(view.shape) in (2, 3) and view.strides[-2] == 1 and view.strides[-1] > 1


def _several(call, inputs, outputs):
    """One matrix as several."""
    missing = 3 - len(call.form.domain)
    views = [
        View((1,) * missing + tuple(v.shape), v.strides and (0,) * missing + tuple(v.strides))
        for v in (inputs[0].view, outputs[0].view)
    ]
    return [Placed(a.address, view, a.dtype) for a, view in zip((*inputs, *outputs), views)]


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
    """Rows lo..hi of y = x, whose columns lie side by side, in blocks of 16 by 16: whole cache lines on both sides."""
    for first in range(lo, hi, 16):
        for column in range(0, y.shape[1], 16):
            for i in range(first, min(first + 16, hi)):
                for j in range(column, min(column + 16, y.shape[1])):
                    y[i, j] = x[i, j]
