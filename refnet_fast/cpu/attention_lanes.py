"""A block of attention, 32 queries or keys side by side in vectors: how it is read, met with other places, and masked. See `attention.py`."""

from refnet_fast.cpu.contraction import panels, product
from refnet_fast.cpu.rows import MACHINE, fill_row
from refnet_fast.native import njit

LANES = 32  # queries, or keys, of a block
CHUNK = 256  # places of the other kind whose logits the gradients hold at a time


@njit(error_model="numpy")
def block_of(task, heads, places):
    """(batch, head, first place, end) of a task: blocks of nearly equal length."""
    blocks = (places + LANES - 1) // LANES
    block, outer = task % blocks, task // blocks
    return outer // heads, outer % heads, places * block // blocks, places * (block + 1) // blocks


@njit(error_model="numpy")
def address(x, b, place, head):
    return x.ctypes.data + b * x.strides[0] + place * x.strides[1] + head * x.strides[2]


@njit(error_model="numpy")
def turn(x, b, first, end, head, turned):
    """turned[feature, lane] = the features of places first..end of a head."""
    for place in range(first, end):
        row = x[b, place, head]
        for h in range(row.size):
            turned[h, place - first] = row[h]


@njit(error_model="numpy")
def meet(strips, x, b, first, end, head, turned, lanes, out):
    """out[place, lane] = dot products of places first..end of a head with the lanes of a block."""
    features, row = x.shape[3], x.strides[1] // x.itemsize
    start, side = address(x, b, first, head), turned.shape[1]
    product(
        strips, start, row, 1, turned.ctypes.data, side, out.ctypes.data, out.shape[1], lanes, features, end - first
    )


@njit(error_model="numpy")
def gather(strips, weights, x, b, first, end, head, lanes, out, out_row, add):
    """out[lane] = (with `add` +=) the sum over places first..end of weights[place, lane] * x[place]; at most 512 places."""
    start, row, side = address(x, b, first, head), x.strides[1] // x.itemsize, weights.shape[1]
    panels(strips, weights.ctypes.data, 1, side, start, row, out, out_row, x.shape[3], end - first, lanes, add)


@njit(error_model="numpy")
def scatter(strips, weights, x, b, first, head, lanes, places, out, out_row):
    """out[place] += the sum over the lanes, which are places from `first` on, of weights[place, lane] * x[lane]."""
    start, row, side = address(x, b, first, head), x.strides[1] // x.itemsize, weights.shape[1]
    panels(strips, weights.ctypes.data, side, 1, start, row, out, out_row, x.shape[3], lanes, places, 1)


# Blocks are worked on in whole rows of 32 lanes. Lanes past the block's end hold what they hold. Where the compiler is told the number
# of lanes it has no remainder to care for, which pays where exponentials are computed. Simple loops it would unroll then, and put
# rows instead of lanes into vectors: those ask the row for its size.


@njit(**MACHINE)
def scaled_row(row, factor, number):
    for j in range(row.size):
        row[j] = row[j] * factor + number


@njit(error_model="numpy")
def scaled(rows, factor, number):
    """rows * factor + one number."""
    for i in range(rows.shape[0]):
        scaled_row(rows[i], factor, number)


@njit(**MACHINE)
def scaled_lanes(row, factor, bias):
    """row * factor + bias."""
    for j in range(bias.size):
        row[j] = row[j] * factor + bias[j]


@njit(error_model="numpy")
def is_one_number(x):
    """Whether a head of logits gets the same from a view everywhere."""
    return x.strides[2] == 0 and x.strides[3] == 0


@njit(error_model="numpy")
def hide(row, mask, value):
    """Writes the value where the mask is False."""
    if mask.strides[0] == 0:
        if not mask[0]:
            fill_row(row, value)
        return
    for j in range(row.size):
        row[j] = row[j] if mask[j] else value


@njit(error_model="numpy")
def hides(mask, b, n, causal):
    """Whether a head of the mask may be False somewhere."""
    return causal or not (is_one_number(mask) and mask[b, n, 0, 0])


@njit(error_model="numpy", fastmath={"reassoc", "nsz"})
def all_finite(x, b, head):
    """Whether all places of a head hold finite numbers."""
    for place in range(x.shape[1]):
        row, total = x[b, place, head], x.dtype.type(0)
        for h in range(row.size):
            total += row[h] * x.dtype.type(0)  # NaN, once infinity or NaN is among them
        if total != total:
            return False
    return True
