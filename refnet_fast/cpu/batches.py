"""Rows of the machine that no op defines: gathering a batch, checking indices, copying commits and outputs."""

from refnet_fast.native import njit


@njit(error_model="numpy")
def gather_rows(source, order, step, batch, width, target, lo, hi):
    """Rows lo..hi of a batch: sample order[step * batch + i] of `source`, `width` elements each, converted to target's dtype."""
    first = step[0] * batch
    for i in range(lo, hi):
        sample = order[first + i] if order.size else first + i
        row = source[sample * width : (sample + 1) * width]
        out = target[i * width : (i + 1) * width]
        for j in range(out.size):
            out[j] = row[j]


@njit(error_model="numpy")
def copy_bytes(source, target, lo, hi):
    """Bytes lo..hi."""
    part, out = source[lo:hi], target[lo:hi]
    for i in range(out.size):
        out[i] = part[i]


@njit(error_model="numpy")
def copy_out(source, step, target, lo, hi):
    """Bytes lo..hi of a step's output to its place among all steps' outputs."""
    first = step[0] * source.size
    part, out = source[lo:hi], target[first + lo : first + hi]
    for i in range(out.size):
        out[i] = part[i]


@njit(error_model="numpy")
def check_range(indices, low, high, number, flag, lo, hi):
    """Writes number * 2**40 + position to the flag for the first index outside low..high-1, unless it is taken."""
    for i in range(lo, hi):
        if (indices[i] < low or indices[i] >= high) and flag[0] < 0:
            flag[0] = number * 2**40 + i
