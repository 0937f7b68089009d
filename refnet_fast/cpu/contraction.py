"""Matrix products: register tiles over panels of columns; dot products where the second matrix is transposed."""

from numba import njit

from refnet.definition import View
from refnet_fast.cpu.tile import NARROW_ROWS, TALL, WIDE, lanes, tile
from refnet_fast.derive import Placed, itemsize
from refnet_fast.kernels import kernel
from refnet_fast.native import named

STEPS = 512  # of the inner axis at a time: a panel of b stays in the second-level cache, and no long sum is one chain
FEW_STEPS = 16  # where a is read down its columns for a narrow result: so many streams the prefetchers can follow


def _product(size):
    """Rows lo..hi of c = a * b for elements of `size` bytes; a of any strides, rows of b and c contiguous."""
    vector = lanes(size)
    wide = WIDE * vector

    def product(a, a_row, a_step, b, b_row, c, c_row, columns, steps, lo, hi):
        done = 0
        at_once = FEW_STEPS if columns <= vector and a_row == 1 else STEPS
        while done < steps or done == 0:
            count, add = min(at_once, steps - done), 1 if done else 0
            a0, b0 = a + size * done * a_step, b + size * done * b_row
            j = 0
            while j < columns:
                left, bj, cj, i = columns - j, b0 + size * j, c + size * j, lo
                if left > wide - vector:
                    while i + TALL <= hi:
                        at = a0 + size * i * a_row
                        tile(
                            size,
                            TALL,
                            WIDE,
                            count,
                            at,
                            a_row,
                            a_step,
                            bj,
                            b_row,
                            cj + size * i * c_row,
                            c_row,
                            left,
                            add,
                        )
                        i += TALL
                    while i < hi:
                        at = a0 + size * i * a_row
                        tile(
                            size, 1, WIDE, count, at, a_row, a_step, bj, b_row, cj + size * i * c_row, c_row, left, add
                        )
                        i += 1
                    j += wide
                else:
                    some = min(left, vector)
                    while i + NARROW_ROWS <= hi:
                        at = a0 + size * i * a_row
                        to = cj + size * i * c_row
                        tile(size, NARROW_ROWS, 1, count, at, a_row, a_step, bj, b_row, to, c_row, some, add)
                        i += NARROW_ROWS
                    while i < hi:
                        at = a0 + size * i * a_row
                        tile(size, 1, 1, count, at, a_row, a_step, bj, b_row, cj + size * i * c_row, c_row, some, add)
                        i += 1
                    j += vector
            done += max(count, 1)

    return njit(error_model="numpy")(named(product, f"product_of_{size}_bytes"))


PRODUCT32, PRODUCT64 = _product(4), _product(8)


def _matrices(call, inputs, outputs):
    """Addresses and strides, in elements: all that the kernels need, so that one compiled kernel serves every shape."""
    a, b = inputs
    (y,) = outputs
    rows, columns, steps = y.view.shape[1], y.view.shape[2], a.view.shape[2]
    a_strides, b_strides = a.view.strides, b.view.strides
    return [a.address, *a_strides, b.address, *b_strides, y.address, rows, columns, steps]


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


def _of_size(size):
    return lambda call: _float(call) and itemsize(call.outputs[0].dtype) == size


def _plain(size):
    return lambda call: _of_size(size)(call) and not call.attributes["transpose2"]


TILED = {"tasks": _rows, "cost": _row_ns, "quantum": TALL, "arguments": _matrices, "rows": _row_inputs}


@kernel("matmul", when=_plain(4), **TILED)
def matmul_float32(a, a_lead, a_row, a_step, b, b_lead, b_row, b_step, c, rows, columns, steps, lo, hi):
    """Rows lo..hi of all batches, 6 rows by 64 columns at a time (with AVX-512) in 24 vector registers.

    a is read in place, element by element, so any strides will do; a panel of 64 columns of b streams from the second-level
    cache, 512 steps of it at a time. Nothing is copied.
    """
    batched(4, PRODUCT32, a, a_lead, a_row, a_step, b, b_lead, b_row, c, rows, columns, steps, lo, hi)


@kernel("matmul", when=_plain(8), **TILED)
def matmul_float64(a, a_lead, a_row, a_step, b, b_lead, b_row, b_step, c, rows, columns, steps, lo, hi):
    """As matmul_float32, with half as many columns in a tile."""
    batched(8, PRODUCT64, a, a_lead, a_row, a_step, b, b_lead, b_row, c, rows, columns, steps, lo, hi)


@njit(error_model="numpy", inline="always")
def batched(size, product, a, a_lead, a_row, a_step, b, b_lead, b_row, c, rows, columns, steps, lo, hi):
    """Cuts a range of rows of all batches into a range of each batch."""
    while lo < hi:
        n = lo // rows
        first, end = lo - n * rows, min(hi - n * rows, rows)
        a_n, b_n, c_n = a + size * n * a_lead, b + size * n * b_lead, c + size * n * rows * columns
        product(a_n, a_row, a_step, b_n, b_row, c_n, columns, columns, steps, first, end)
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
            y[n, i, j] = dot(a[n, i], b[n, j])


@njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def dot(x, y):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] * y[i]
    return total
