"""Matrix products: register tiles over panels of columns; dot products where the second matrix is transposed."""

from refnet.definition import View
from refnet_fast.cpu.rows import row_dot
from refnet_fast.cpu.tile import TALL, multiply, strip_for, strips
from refnet_fast.derive import Placed, itemsize
from refnet_fast.kernels import kernel
from refnet_fast.native import njit

STEPS = 512  # of the inner axis at a time: a panel of b stays in the second-level cache, and no long sum is one chain
FEW_STEPS = 16  # where a is read down its columns for a narrow result: so many streams the prefetchers can follow


@njit(error_model="numpy")
def product(strips, a, a_row, a_step, b, b_row, c, c_row, columns, steps, rows):
    """c = a * b for `rows` rows; addresses, and strides in elements: a's are any, rows of b and c are contiguous."""
    size, vector = strips[0], strips[1]
    at_once = FEW_STEPS if columns <= vector and a_row == 1 else STEPS
    done = 0
    while done < steps or done == 0:
        count, add = min(at_once, steps - done), 1 if done else 0
        a_done, b_done = a + size * done * a_step, b + size * done * b_row
        panels(strips, a_done, a_row, a_step, b_done, b_row, c, c_row, columns, count, rows, add)
        done += max(count, 1)


@njit(error_model="numpy")
def panels(strips, a, a_row, a_step, b, b_row, c, c_row, columns, steps, rows, add):
    """c = a * b, or with `add` c += a * b, one panel of columns after the other."""
    size, j = strips[0], 0
    while j < columns:
        strip, some = strip_for(strips, columns - j)
        b_j, c_j = b + size * j, c + size * j
        multiply(strip, rows, 1, steps, a, a_row, a_step, 0, b_j, b_row, 0, c_j, c_row, some, add)
        j += some


def _matrices(call, inputs, outputs):
    """Addresses and strides, in elements: all that the kernels need, so that one compiled kernel serves every shape."""
    a, b = inputs
    (y,) = outputs
    rows, columns, steps = y.view.shape[1], y.view.shape[2], a.view.shape[2]
    a_strides, b_strides = a.view.strides, b.view.strides
    found = strips(itemsize(y.dtype))
    return [found, a.address, *a_strides, b.address, *b_strides, y.address, rows, columns, steps]


def _float(call):
    return call.dtypes in ({"float32"}, {"float64"}) and len(call.form.domain) == 3


def _rows(call):
    return call.form.domain[0] * call.form.domain[1]


def _row_ns(call):
    size = itemsize(call.outputs[0].dtype)
    return call.form.domain[2] * call.form.cost * size * 0.005 + 5


def _row_inputs(call):
    single = call.form.domain[0] == 1 and len(call.inputs[0].shape) == 2
    return (0,) if single and not call.attributes["transpose1"] else None


@kernel(
    "matmul",
    when=lambda call: _float(call) and not call.attributes["transpose2"],
    tasks=_rows,
    cost=_row_ns,
    quantum=TALL,
    arguments=_matrices,
    rows=_row_inputs,
)
def matmul_tiled(strips, a, a_lead, a_row, a_step, b, b_lead, b_row, b_step, c, rows, columns, steps, lo, hi):
    """Rows lo..hi of all batches, 6 rows by 64 columns of float32 at a time (with AVX-512) in 24 vector registers.

    a is read in place, element by element, so any strides will do; a panel of 64 columns of b streams from the second-level
    cache, 512 steps of it at a time. Nothing is copied.
    """
    size = strips[0]
    while lo < hi:
        n = lo // rows
        first, end = lo - n * rows, min(hi - n * rows, rows)
        a_n, b_n = a + size * (n * a_lead + first * a_row), b + size * n * b_lead
        c_n = c + size * (n * rows + first) * columns
        product(strips, a_n, a_row, a_step, b_n, b_row, c_n, columns, columns, steps, end - first)
        lo = n * rows + end


def _dots(call):
    return call.attributes["transpose2"] and not call.attributes["transpose1"] and _float(call)


def _both_by_rows(call, inputs, outputs):
    """The second matrix as it lies in memory, rows of columns."""
    a, b = inputs
    lead, inner, columns = b.view.shape
    turned = View((lead, columns, inner), (b.view.strides[0], inner, 1))
    return [a, Placed(b.address, turned, b.dtype), *outputs]


@kernel(
    "matmul",
    when=_dots,
    arguments=_both_by_rows,
    tasks=_rows,
    cost=lambda call: 2 * _row_ns(call),
    rows=_row_inputs,
)
def matmul_dots(a, b, y, lo, hi):
    """Rows lo..hi as dot products along the rows of both matrices: for few rows, turning b around would cost more."""
    for task in range(lo, hi):
        n, i = task // y.shape[1], task % y.shape[1]
        for j in range(y.shape[2]):
            y[n, i, j] = row_dot(a[n, i], b[n, j])
