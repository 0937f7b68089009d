"""Pieces of arrays put back where they were taken."""

from refnet_fast.cpu.rows import copy_row, fill_row
from refnet_fast.kernels import kernel
from refnet_fast.tables import ELEMENT_NS


@kernel(
    "spread",
    when=lambda call: call.form.attributes[1] == 1,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: call.form.domain[1] * call.form.domain[2] * ELEMENT_NS + 10,
)
def spread_rows(x, start, step, value, y, lo, hi):
    """Rows lo..hi of what stands before the axis: x in one piece, from `start` on, the value before and after it."""
    for o in range(lo, hi):
        first, end = min(max(start, 0), y.shape[1]), min(max(start + x.shape[1], 0), y.shape[1])
        for place in range(first):
            fill_row(y[o, place], value)
        for place in range(first, end):
            copy_row(x[o, place - start], y[o, place])
        for place in range(end, y.shape[1]):
            fill_row(y[o, place], value)
