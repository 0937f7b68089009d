"""Arrays end to end."""

from refnet.definition import size_of
from refnet_fast.derive import itemsize
from refnet_fast.kernels import kernel
from refnet_fast.native import move_bytes
from refnet_fast.tables import ELEMENT_NS


def _runs(call, inputs, outputs):
    """The parts' addresses, the bytes that each puts into a row of the result, the result's address, the bytes of its row."""
    size = itemsize(call.outputs[0].dtype)
    widths = tuple(size_of(x.view.shape[1:]) * size for x in inputs)
    return [tuple(x.address for x in inputs), widths, outputs[0].address, sum(widths)]


@kernel(
    "concatenate",
    tasks=lambda call: call.form.domain[0],
    cost=lambda call: size_of(call.form.outputs[0].shape[1:]) * ELEMENT_NS + 10 * len(call.inputs),
    arguments=_runs,
)
def concatenate_rows(parts, widths, y, row, lo, hi):
    """Rows lo..hi of what stands before the axis: each part's piece is one run of bytes."""
    for o in range(lo, hi):
        to = y + o * row
        for k in range(len(parts)):
            move_bytes(to, parts[k] + o * widths[k], widths[k])
            to += widths[k]
