"""Copies of views."""

from refnet_fast.kernels import kernel
from refnet_fast.tables import ELEMENT_NS


def _matrix(call):
    view = call.form.inputs[0]
    return len(view.shape) == 2 and view.strides[0] == 1 and view.strides[1] > 1


@kernel(
    "transpose",
    when=_matrix,
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: call.form.domain[1] * 3 * ELEMENT_NS + 5,
    quantum=16,
)
def transpose_matrix(x, y, lo, hi):
    """Rows lo..hi of the result in blocks of 16 by 16: whole cache lines on both sides."""
    for first in range(lo, hi, 16):
        for column in range(0, y.shape[1], 16):
            for i in range(first, min(first + 16, hi)):
                for j in range(column, min(column + 16, y.shape[1])):
                    y[i, j] = x[i, j]
