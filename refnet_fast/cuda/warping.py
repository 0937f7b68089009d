"""Images read between their pixels: a channel of a point a thread.

By the definition a thread goes through all channels of a point, and neighbouring threads write far from each other. Here the definition
sees one channel, so that they read and write neighbours; the weights, made once for each channel, cost less than that.

In the gradients the points may lead anywhere. The pixels that they lead to are sorted, each with the corner of a point that it came from;
then each pixel adds up what is its own, in the definition's order.
"""

from numba import cuda, float64

from refnet.definition import size_of
from refnet.ops import warping as definitions
from refnet.ops.warping import sample_bilinear_loop, sample_nearest_loop
from refnet_fast.cuda import digits
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.digits import first_not_below
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.rows import floating
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined
from refnet_fast.cuda.tile import indices_of, quotient

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

THREADS = 4 if simulated() else 256
bilinear, nearest = device(sample_bilinear_loop), device(sample_nearest_loop)
near, folded, whole_place, nearest_place, takes_part = map(
    device,
    (
        definitions.near,
        definitions.folded,
        definitions.whole_place,
        definitions.nearest_place,
        definitions.takes_part,
    ),
)


def elements(call):
    return size_of(call.form.outputs[0].shape)


CALLS = {
    "when": lambda call: call.form.outputs[0].shape[3] > 1 and 0 < elements(call) < 2**31,
    "grid": lambda call: (-(-elements(call) // THREADS),),
    "block": (THREADS,),
}


@inlined
def places_of(at, y):
    """(n, i, j, channel) of an element."""
    pixel = quotient(at, y.shape[3])
    line = quotient(pixel, y.shape[2])
    n = quotient(line, y.shape[1])
    return n, line - n * y.shape[1], pixel - line * y.shape[2], at - pixel * y.shape[3]


@kernel("sample_bilinear", **CALLS)
def sample_bilinear_elements(x, rows, cols, mode, fill, y):
    """Four pixels' channels, neighbours of the four that the next thread reads."""
    at = cuda.grid(1)
    if at < y.size:
        n, i, j, c = places_of(at, y)
        bilinear(((n, i, j),), x[:, :, :, c : c + 1], rows, cols, mode, fill, y[:, :, :, c : c + 1])


@kernel("sample_nearest", **CALLS)
def sample_nearest_elements(x, rows, cols, mode, fill, y):
    """One pixel's channel."""
    at = cuda.grid(1)
    if at < y.size:
        n, i, j, c = places_of(at, y)
        nearest(((n, i, j),), x[:, :, :, c : c + 1], rows, cols, mode, fill, y[:, :, :, c : c + 1])


# ---- gradients


def corners(call):
    """Pixels around a point that take part."""
    return 1 if "nearest" in call.op.name else 4


def points(call):
    return size_of(call.form.inputs[1].shape)


def pixels(call):
    return size_of(call.form.outputs[0].shape[:3])


GRADIENTS = {
    "when": lambda call: (
        floating(call)
        and points(call) >= 8
        and max(corners(call) * points(call), elements(call), pixels(call) + 1) < digits.MOST
        and elements(call) > 0
    ),
    "grid": lambda call: (-(-points(call) // THREADS),),
    "block": (THREADS,),
    "rooms": lambda call: digits.rooms(corners(call) * points(call)),
}
SUMS = {
    "grid": lambda call: (-(-elements(call) // THREADS),),
    "block": (THREADS,),
    "constants": lambda call: {"LAST": digits.turns(pixels(call) + 1) % 2, "NEAREST": corners(call) == 1},
}


@kernel("sample_bilinear_x_gradient", **GRADIENTS)
def sample_bilinear_x_gradient_sorted(dy, rows, cols, mode, dx, numbers, places, ranks, counts, totals):
    """Which pixel each corner of a point adds to: a point a thread. The number after the last pixel's is nobody's."""
    at = cuda.grid(1)
    if at < rows.size:
        n, i, j = indices_of(at, rows)
        row, col = float64(rows[n, i, j]), float64(cols[n, i, j])
        for corner in range(4):
            number, p, q = dx.shape[0] * dx.shape[1] * dx.shape[2], corner // 2, corner % 2
            if near(row) and near(col) and takes_part(row - whole_place(row), col - whole_place(col), p, q):
                r = folded(whole_place(row) + p, dx.shape[1], mode)
                s = folded(whole_place(col) + q, dx.shape[2], mode)
                if r >= 0 and s >= 0:
                    number = (n * dx.shape[1] + r) * dx.shape[2] + s
            numbers[0, 4 * at + corner] = number
            places[0, 4 * at + corner] = 4 * at + corner


@kernel("sample_nearest_x_gradient", **GRADIENTS)
def sample_nearest_x_gradient_sorted(dy, rows, cols, mode, dx, numbers, places, ranks, counts, totals):
    """Which pixel a point adds to."""
    at = cuda.grid(1)
    if at < rows.size:
        n, i, j = indices_of(at, rows)
        row, col, number = float64(rows[n, i, j]), float64(cols[n, i, j]), dx.shape[0] * dx.shape[1] * dx.shape[2]
        if near(row) and near(col):
            r = folded(nearest_place(row), dx.shape[1], mode)
            s = folded(nearest_place(col), dx.shape[2], mode)
            if r >= 0 and s >= 0:
                number = (n * dx.shape[1] + r) * dx.shape[2] + s
        numbers[0, at] = number
        places[0, at] = at


for _first in (sample_bilinear_x_gradient_sorted, sample_nearest_x_gradient_sorted):
    digits.sort_by_digits(_first, 5, lambda call: corners(call) * points(call), lambda call: pixels(call) + 1)


@then(sample_nearest_x_gradient_sorted, **SUMS)
@then(sample_bilinear_x_gradient_sorted, **SUMS)
def sums_of_pixels(dy, rows, cols, mode, dx, numbers, places, ranks, counts, totals):
    """A channel of a pixel a thread: it finds what the pixel takes part in by bisection, and adds that up."""
    at = cuda.grid(1)
    if at < dx.size:
        n, r, s, c = places_of(at, dx)
        pixel, total = quotient(at, dx.shape[3]), float64(0)
        for k in range(first_not_below(numbers[LAST], pixel), first_not_below(numbers[LAST], pixel + 1)):
            corner = places[LAST, k]
            if NEAREST:
                n, i, j = indices_of(corner, rows)
                total += float64(dy[n, i, j, c])
            else:
                n, i, j = indices_of(corner // 4, rows)
                row, col = float64(rows[n, i, j]), float64(cols[n, i, j])
                f, g = row - whole_place(row), col - whole_place(col)
                down, across = f if corner % 4 >= 2 else 1 - f, g if corner % 2 == 1 else 1 - g
                total += down * across * float64(dy[n, i, j, c])
        dx[n, r, s, c] = total
