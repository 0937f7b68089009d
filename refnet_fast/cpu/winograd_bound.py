"""How far a result of Winograd's convolution may be from the exact one: `winograd.py` sums other terms than the definition.

A result is A^T [sum of (G g G^T) * (B^T d B)] A. Computed with roundings in any order, it is within gamma(k) of what the same formula
gives for the absolute values of its matrices and arguments (k: the most roundings that a term passes through), and within a least
number for each product and each halved tap that underflows.

Of whole numbers, every term and sum is a multiple of 1/4, and none is larger than that value for the absolute ones. While 4 times this
value is below 2**24 (in float64 2**53) nothing rounds, and the bound is 0.
"""

import functools
import math

import numpy as np

from refnet_fast.cpu.winograd import STEPS, products_of, tiles_at_hand
from refnet_fast.cpu.winograd_gradient import BLOCKS
from refnet_fast.cpu.winograd_transforms import OF_DATA, OF_KERNEL, OF_RESULTS, OF_SLOPES, OF_TAPS, filtering

SLACK = 1 + 2.0**-30  # for the roundings of this computation itself


@functools.cache
def largest(taps, which):
    """A transform's matrix, of the absolute values of its factors."""
    sizes = (np.abs(np.array(matrix)) for matrix in filtering(taps).factors(which))
    return functools.reduce(lambda before, matrix: matrix @ before, sizes)


def sandwich(extents, which, grid):
    """The same on both sides of (down, across, channels)."""
    return np.einsum("ap,bq,pqc->abc", *(largest(n, which) for n in extents), grid)


def factors(extents, which):
    """All that a number meets in a transform, down and across."""
    return [matrix for n in extents for matrix in filtering(n).factors(which)]


def additions(extents, *transforms):
    """The most roundings that a term passes through in transforms: those of the additions in the longest row of each matrix."""
    return sum(max(sum(map(bool, row)) - 1 for row in matrix) for t in transforms for matrix in factors(extents, t))


def halved(extents, which):
    """Least numbers that a transform's result may be off, at most, because halves underflow: each is off by half of one."""
    off = 0.0
    for matrix in factors(extents, which):
        off = max(sum(map(abs, row)) * off + 0.5 * row.count(0.5) + 0.5 * row.count(-0.5) for row in matrix)
    return math.floor(off) + 1  # roundings make it larger, but not by as much


def tile(images, row, column, down, across):
    """The absolute values of down x across places of (..., height, width, channels), 0 outside, in float64."""
    height, width = images.shape[-3:-1]
    found = np.zeros((*images.shape[:-3], down, across, images.shape[-1]))
    rows, columns = range(max(0, row), min(height, row + down)), range(max(0, column), min(width, column + across))
    if rows and columns:
        part = images[..., rows.start : rows.stop, columns.start : columns.stop, :]
        place = rows.start - row, columns.start - column
        found[..., place[0] : place[0] + len(rows), place[1] : place[1] + len(columns), :] = np.abs(part)
    return found


def radius(magnitude, underflows, roundings, dtype, whole):
    """gamma(roundings) * magnitude, and a least number for each product that may have underflowed; 0 where whole numbers do not round."""
    kind = np.finfo(dtype)
    if whole and 4 * magnitude < 2 / float(kind.eps):
        return 0.0
    share = roundings * float(kind.eps) / 2
    return SLACK * (share / (1 - share) * magnitude + float(kind.smallest_subnormal) * underflows)


def of_result(x, taps, padding, index, whole=False):
    """The bound of one element of a convolution; taps are those of its filter, (rows, columns, channels); whole: all are whole numbers."""
    n, i, j, _ = index
    extents, channels = taps.shape[:2], taps.shape[-1]
    (p, high, _), (q, broad, _) = (filtering(n).shape for n in extents)
    d = tile(x[n], i // high * high - padding[0], j // broad * broad - padding[1], high + p - 1, broad + q - 1)
    v, u = sandwich(extents, OF_DATA, d), sandwich(extents, OF_TAPS, np.abs(taps.astype("float64")))
    at = lambda m: float(sandwich(extents, OF_RESULTS, m)[i % high, j % broad].sum())
    roundings = min(channels, STEPS) + (channels - 1) // STEPS + additions(extents, OF_DATA, OF_TAPS, OF_RESULTS)
    with np.errstate(invalid="ignore"):  # no bound, where 0 meets what is not finite: the definition's holds
        return radius(at(u * v), at(halved(extents, OF_TAPS) * v + 1), roundings, x.dtype, whole)


def of_inputs(dy, k, padding, index, whole=False):
    around = (k.shape[0] - 1 - padding[0], k.shape[1] - 1 - padding[1])
    return of_result(dy, k[::-1, ::-1, index[3], :], around, index, whole)


def of_kernel(x, dy, extents, padding, index, whole=False):
    """The bound of one element of a kernel's gradient: all tiles of all images are in it."""
    p, q, c, f = index
    (tall, high, down), (wide, broad, across) = (filtering(n).shape for n in extents)
    total, count = np.zeros((down, across, 1)), 0
    for i in range(0, dy.shape[1], high):
        for j in range(0, dy.shape[2], broad):
            d = tile(x[..., c : c + 1], i - padding[0], j - padding[1], high + tall - 1, broad + wide - 1)[..., 0]
            slopes = tile(dy[..., f : f + 1], i, j, high, broad)[..., 0]
            v, w = (
                sandwich(extents, *of)
                for of in ((OF_DATA, np.moveaxis(d, 0, 2)), (OF_SLOPES, np.moveaxis(slopes, 0, 2)))
            )
            total, count = total + (v * w).sum(-1, keepdims=True), count + len(x)
    at = lambda m: float(sandwich(extents, OF_KERNEL, m)[p, q, 0])
    size = x.dtype.itemsize * products_of(extents)
    at_once = tiles_at_hand.py_func(size, x.shape[-1], dy.shape[-1], count)
    blocks = -(-count // at_once)
    roundings = at_once + min(blocks, BLOCKS) - 1 + (blocks - 1) // BLOCKS
    roundings += additions(extents, OF_DATA, OF_SLOPES, OF_KERNEL)
    underflows = at(np.full_like(total, count)) + halved(extents, OF_KERNEL)
    return radius(at(total), underflows, roundings, x.dtype, whole)


KERNELS = ("conv2d_in_tiles", "conv2d_inputs_gradient_in_tiles", "conv2d_kernel_gradient_in_tiles")


def bound_of(kernel, arrays, attributes):
    """A function from the index of a result to its bound, for the kernels whose results have one of their own; else None."""
    if kernel not in KERNELS:
        return None
    (a, b), padding = arrays, attributes["padding"]
    whole = all((array == np.rint(array)).all() for array in arrays)
    return {
        "conv2d_in_tiles": lambda index: of_result(a, b[..., index[3]], padding, index, whole),
        "conv2d_inputs_gradient_in_tiles": lambda index: of_inputs(a, b, padding, index, whole),
        "conv2d_kernel_gradient_in_tiles": lambda index: of_kernel(a, b, attributes["extents"], padding, index, whole),
    }[kernel]
