"""How far a result of Winograd's convolution may be from the exact one: `winograd.py` sums other terms than the definition.

A result is A^T [sum of (G g G^T) * (B^T d B)] A. Computed with roundings in any order, it is within gamma(k) of what the same formula
gives for the absolute values of its matrices and arguments (k: the most roundings that a term passes through), and within a least
number for each product and each halved tap that underflows.

Of whole numbers, every term and sum is a multiple of 1/4, and none is larger than that value for the absolute ones. While 4 times this
value is below 2**24 (in float64 2**53) nothing rounds, and the bound is 0.
"""

import numpy as np

from refnet_fast.cpu.winograd import DATA, RESULTS, STEPS, TAPS, tiles_at_hand
from refnet_fast.cpu.winograd_gradient import BLOCKS

B, G, A = (np.abs(np.array(matrix)) for matrix in (DATA, TAPS, RESULTS))
AROUND = 2 + 4 + 4  # roundings of a term in the transforms: additions of an image, a kernel, a result, on both sides
AROUND_KERNEL = 2 + 2 + 4  # and of an image, slopes, a kernel's gradient
SLACK = 1 + 2.0**-30  # for the roundings of this computation itself


def tile(images, row, column, side):
    """The absolute values of side x side places of (..., height, width, channels), 0 outside, in float64."""
    height, width = images.shape[-3:-1]
    found = np.zeros((*images.shape[:-3], side, side, images.shape[-1]))
    rows, columns = range(max(0, row), min(height, row + side)), range(max(0, column), min(width, column + side))
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
    """The bound of one element of a convolution; taps are those of its filter, (3, 3, channels); whole: all are whole numbers."""
    n, i, j, _ = index
    d = tile(x[n], i // 2 * 2 - padding[0], j // 2 * 2 - padding[1], 4)
    v, u = np.einsum("ap,bq,pqc->abc", B, B, d), np.einsum("ap,bq,pqc->abc", G, G, np.abs(taps.astype("float64")))
    channels = taps.shape[-1]
    at = lambda m: float(A[i % 2] @ m @ A[j % 2])
    roundings = min(channels, STEPS) + (channels - 1) // STEPS + AROUND
    return radius(at((u * v).sum(-1)), at((4 * v + 1).sum(-1)), roundings, x.dtype, whole)


def of_inputs(dy, k, padding, index, whole=False):
    return of_result(dy, k[::-1, ::-1, index[3], :], (2 - padding[0], 2 - padding[1]), index, whole)


def of_kernel(x, dy, padding, index, whole=False):
    """The bound of one element of a kernel's gradient: all tiles of all images are in it."""
    p, q, c, f = index
    total, count = np.zeros((4, 4)), 0
    underflows = np.zeros((4, 4))
    for i in range(0, dy.shape[1], 2):
        for j in range(0, dy.shape[2], 2):
            d = tile(x[..., c : c + 1], i - padding[0], j - padding[1], 4)[..., 0]
            slopes = tile(dy[..., f : f + 1], i, j, 2)[..., 0]
            v, w = np.einsum("ap,bq,npq->nab", B, B, d), np.einsum("pa,qb,npq->nab", A, A, slopes)
            total, count = total + (v * w).sum(0), count + len(x)
            underflows = underflows + len(x)
    at = lambda m: float(G[:, p] @ m @ G[:, q])
    at_once = tiles_at_hand.py_func(x.dtype.itemsize, x.shape[-1], dy.shape[-1], count)
    blocks = -(-count // at_once)
    roundings = at_once + min(blocks, BLOCKS) - 1 + (blocks - 1) // BLOCKS + AROUND_KERNEL
    return radius(at(total), at(underflows + 4), roundings, x.dtype, whole)


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
        "conv2d_kernel_gradient_in_tiles": lambda index: of_kernel(a, b, padding, index, whole),
    }[kernel]
