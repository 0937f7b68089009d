"""Fourier's transforms in n log n steps, in float64 whatever the signals' dtype.

A signal of n = n1 n2 numbers is a matrix (n1, n2). Its columns are transformed, the results multiplied by roots of unity and written as
rows of a second matrix (n2, n1), whose columns are transformed in turn: these are the frequencies, in order. So many columns go through
their passes (`fourier_passes.py`) at a time that they stay in the nearer caches. Lengths of other factors than 2, 3 and 5 go by
Bluestein's algorithm (`fourier_tables.py`).

Real signals of even length are taken for signals of half as many complex numbers: their even and odd places are told apart afterwards.
What comes out are sums of other terms than the definition's; `fourier_bound.py` says how far off they are. A signal that holds what is
not finite is computed as it is defined, from these places alone, which decide every frequency.
"""

import math

import numpy as np

from refnet.ops.fourier import TURN
from refnet_fast.cpu.fourier_passes import (
    last_pass_of_eight,
    last_pass_of_four,
    last_pass_of_two,
    met_by_roots,
    pass_of_eight,
    pass_of_five,
    pass_of_four,
    pass_of_three,
    times,
    turned,
)
from refnet_fast.cpu.fourier_tables import of_length, radices
from refnet_fast.cpu.rows import MACHINE, SUMS
from refnet_fast.kernels import kernel
from refnet_fast.native import array_at, njit
from refnet_fast.outcomes import scratch

COLUMNS = 24  # that are transformed at a time; all, of fewer than 2 * COLUMNS: three vectors, so that rows lie in different places of the cache
APART = 8  # numbers between rows, or parts: a cache holds few lines whose addresses are powers of 2 apart
LEAST = 5  # places: below, the sum as it stands takes no longer
LEAST_OF_CHIRP = 14  # the same where the length has other factors
# Signals whose absolute values add up to more, or less, are multiplied by a power of 2 and the results divided by it: nothing between
# overflows, or underflows by an amount that counts beside the roundings.
LARGE, SMALL, BY = 2.0**900, 2.0**-900, 2.0**500


# ---- a transform of a length of few factors, in place


@njit(error_model="numpy")
def planes_at(address, plane, shape):
    """Real and imaginary parts; `plane` bytes lie between them."""
    return array_at(address, shape, np.float64), array_at(address + plane, shape, np.float64)


@njit(error_model="numpy")
def transformed_columns(numbers, at, roots, source, plane, pitch, columns, here, there):
    """The transforms of some columns of a matrix whose rows are `pitch` numbers long, `source` the first one's address.

    Args:
        numbers: the passes from `at` on, then 0.
        roots: the address of those of the passes.
        here, there: room for the columns, twice.
    Returns:
        Where the columns lie, the bytes between their parts, and the length of their rows.
    """
    length, k, inner = 1, at, columns
    while numbers[k] != 0:
        length *= numbers[k]
        k += 1
    size, left, k = 8 * (length * columns + APART), length, at
    while numbers[k] != 0:
        r = numbers[k]
        m = left // r
        x_re, x_im = planes_at(source, plane, (r, m, pitch))
        y_re, y_im = planes_at(here, size, (m, r, inner))
        w = array_at(roots, (m, r - 1, 2), np.float64)
        if r == 8 and m == 1:
            last_pass_of_eight(x_re, x_im, y_re, y_im)
        elif r == 8:
            pass_of_eight(x_re, x_im, w, y_re, y_im)
        elif r == 4 and m == 1:
            last_pass_of_four(x_re, x_im, y_re, y_im)
        elif r == 4:
            pass_of_four(x_re, x_im, w, y_re, y_im)
        elif r == 2:
            last_pass_of_two(x_re, x_im, y_re, y_im)
        elif r == 3:
            pass_of_three(x_re, x_im, w, y_re, y_im)
        else:
            pass_of_five(x_re, x_im, w, y_re, y_im)
        roots += 16 * (r - 1) * m
        source, plane, pitch = here, size, inner * r
        here, there = there, here
        left, inner, k = m, inner * r, k + 1
    return source, plane, pitch if left == length else columns


@njit(error_model="numpy")
def columns_at_once(count):
    return count if count < 2 * COLUMNS else COLUMNS


@njit(error_model="numpy")
def room_for(numbers):
    """Numbers that `transform` works in: a second matrix, and twice the columns at hand."""
    n1, n2 = numbers[1], numbers[2]
    return 2 * n2 * (n1 + APART) + 4 * (max(n1 * columns_at_once(n2), n2 * columns_at_once(n1)) + APART)


@njit(error_model="numpy")
def transform(numbers, table, z, plane, room):
    """The transform of the numbers at z, whose imaginary parts lie `plane` bytes behind the real ones.

    Returns:
        The same of the result, which is there or in `room`.
    """
    n, n1, n2 = numbers[0], numbers[1], numbers[2]
    roots, between = table.ctypes.data, table.ctypes.data + 16 * (n1 + n2 - 2)
    second = 4
    while numbers[second - 1] != 0:
        second += 1
    step, at_once = n1 + APART, columns_at_once(n2)
    matrix, of_matrix, here = room, 8 * n2 * step, room + 16 * n2 * step
    for first in range(0, n2, at_once):
        some = min(at_once, n2 - first)
        there = here + 16 * (n1 * some + APART)
        x, apart, pitch = transformed_columns(numbers, 3, roots, z + 8 * first, plane, n2, some, here, there)
        x_re, x_im = planes_at(x, apart, (n1, pitch))
        w_re, w_im = planes_at(between + 8 * first, 8 * n, (n1, n2))
        y_re, y_im = planes_at(matrix + 8 * first * step, of_matrix, (some, step))
        met_by_roots(x_re, x_im, w_re, w_im, some)
        turned(x_re, y_re)
        turned(x_im, y_im)
    at_once = columns_at_once(n1)
    roots += 16 * (n1 - 1)
    for first in range(0, n1, at_once):
        some = min(at_once, n1 - first)
        there = here + 16 * (n2 * some + APART)
        x, apart, pitch = transformed_columns(
            numbers, second, roots, matrix + 8 * first, of_matrix, step, some, here, there
        )
        if some == n1:
            return x, apart
        x_re, x_im = planes_at(x, apart, (n2, pitch))
        y_re, y_im = planes_at(z + 8 * first, plane, (n2, n1))
        copied(x_re, y_re, some)
        copied(x_im, y_im, some)
    return z, plane


@njit(**MACHINE)
def copied(x, y, columns):
    for k in range(y.shape[0]):
        for j in range(columns):
            y[k, j] = x[k, j]


# ---- signals and frequencies


@njit(**SUMS)
def size_of_row(row):
    """The sum of the absolute values: not finite if one of them is not."""
    total = 0.0
    for j in range(row.size):
        total += abs(np.float64(row[j]))
    return total


@njit(**MACHINE)
def scaled(row, scale, z):
    for j in range(row.size):
        z[j] = row[j] * scale


@njit(**MACHINE)
def told_apart(pairs, scale, even, odd):
    for j in range(even.size):
        even[j], odd[j] = pairs[j, 0] * scale, pairs[j, 1] * scale


@njit(**MACHINE)
def stored(z, scale, y):
    for k in range(y.size):
        y[k] = z[k] * scale


@njit(**MACHINE)
def of_real(z_re, z_im, w_re, w_im, scale, sign, y_re, y_im):
    """The frequencies of a real signal of n numbers from the transform of its n / 2 pairs, those between 0 and n / 2: what is symmetrical
    in z is the even places' transform, and the rest the odd ones'."""
    half = z_re.size
    for k in range(1, min(y_re.size, half)):
        away = np.uint64(half - k)  # no negative index, so that the loop runs in vectors
        even_re, even_im = z_re[k] + z_re[away], z_im[k] - z_im[away]
        odd_re, odd_im = z_im[k] + z_im[away], z_re[away] - z_re[k]
        off_re, off_im = times(odd_re, odd_im, w_re[k], w_im[k])
        y_re[k] = 0.5 * (even_re + off_re) * scale
        y_im[k] = 0.5 * (even_im + off_im) * scale * sign


@njit(error_model="numpy")
def at_the_ends(z_re, z_im, scale, y_re, y_im):
    """The same for 0 and n / 2: the sum, and that with alternating signs."""
    half = z_re.size
    y_re[0], y_im[0] = (z_re[0] + z_im[0]) * scale, 0.0
    if half < y_re.size:
        y_re[half], y_im[half] = (z_re[0] - z_im[0]) * scale, 0.0


@njit(**MACHINE)
def mirrored(y_re, y_im, n):
    """The frequencies above n / 2."""
    for k in range(n // 2 + 1, y_re.size):
        y_re[k], y_im[k] = y_re[n - k], -y_im[n - k]


@njit(**MACHINE)
def with_chirp(re, im, c, s, before, after, y_re, y_im):
    for j in range(y_re.size):
        a, b = times(re[j] * before, im[j] * before, c[j], s[j])
        y_re[j], y_im[j] = a * after, b * after


@njit(error_model="numpy")
def by_chirp(numbers, table, turns, re, im, scale, back, y_re, y_im, z, room):
    """Bluestein's algorithm."""
    n, count, first = re.size, numbers[0], y_re.size
    c, s = turns[:n], turns[n : 2 * n]
    z_re, z_im = planes_at(z, 8 * count, (count,))
    with_chirp(re, im, c, s, scale, 1.0, z_re[:n], z_im[:n])
    z_re[n:] = 0
    z_im[n:] = 0
    z_re, z_im = planes_at(*transform(numbers, table, z, 8 * count, room), (1, count))
    of_re, of_im = planes_at(turns.ctypes.data + 16 * n, 8 * count, (1, count))
    met_by_roots(z_re, z_im, of_re, of_im, count)
    if z_re.ctypes.data != z:
        to_re, to_im = planes_at(z, 8 * count, (1, count))
        copied(z_re, to_re, count)
        copied(z_im, to_im, count)
    # Where real and imaginary parts change their places, on both sides, a transform goes the other way round.
    z_im, z_re = planes_at(*transform(numbers, table, z + 8 * count, -8 * count, room), (count,))
    with_chirp(z_re[:first], z_im[:first], c[:first], s[:first], 1.0, back, y_re, y_im)


@njit(error_model="numpy")
def as_defined(re, im, sign, y_re, y_im):
    """The frequencies of a signal that holds what is not finite: what is, does not count beside it."""
    n = re.size
    for k in range(y_re.size):
        total_re, total_im = 0.0, 0.0
        for j in range(n):
            a, b = np.float64(re[j]), np.float64(im[j])
            if not (abs(a) < np.inf and abs(b) < np.inf):
                angle = TURN * ((j * k) % n) / n
                c, s = math.cos(angle), sign * math.sin(angle)
                total_re += a * c - b * s
                total_im += a * s + b * c
                if total_re != total_re and total_im != total_im:
                    break
        y_re[k], y_im[k] = total_re, total_im


def serves(call):
    n = call.form.inputs[0].shape[1]
    least = LEAST_OF_CHIRP if radices(n) is None else LEAST
    return call.dtypes in ({"float32"}, {"float64"}) and n >= least and call.attributes["count"] <= n


def with_tables(call, inputs, outputs):
    return [*inputs, *call.form.attributes, *outputs, *of_length(inputs[0].view.shape[1]).arguments()]


def signal_ns(call):
    n = call.form.inputs[0].shape[1]
    return (1 if radices(n) else 5) * 0.3 * n * math.log2(n)


@kernel("dft", when=serves, tasks=lambda call: call.form.domain[0], cost=signal_ns, arguments=with_tables)
def dft_signals(re, im, sign, y_re, y_im, numbers, table, half_numbers, half_table, turns, lo, hi):
    """Signals lo..hi. With the sign 1, real and imaginary parts change their places on both sides."""
    n = re.shape[1]
    count = numbers[0]
    z_room = scratch(2 * count, np.float64)
    room = scratch(max(room_for(numbers), room_for(half_numbers)), np.float64)
    z, at = z_room.ctypes.data, room.ctypes.data
    for o in range(lo, hi):
        size_re, size_im = size_of_row(re[o]), size_of_row(im[o])
        size, scale = size_re + size_im, 1.0
        if not size < np.inf and holds_odd(re[o], im[o]):
            as_defined(re[o], im[o], sign, y_re[o], y_im[o])
            continue
        if size > LARGE:
            scale = 1 / BY
        elif size < SMALL:
            scale = BY
        if size_im == 0 and half_numbers[0] < count:
            m = half_numbers[0]
            z_re, z_im = planes_at(z, 8 * m, (m,))
            told_apart(re[o].reshape((m, 2)), scale, z_re, z_im)
            z_re, z_im = planes_at(*transform(half_numbers, half_table, z, 8 * m, at), (m,))
            at_the_ends(z_re, z_im, 1 / scale, y_re[o], y_im[o])
            of_real(z_re, z_im, turns[:m], turns[m + 1 :], 1 / scale, -sign, y_re[o], y_im[o])
            mirrored(y_re[o], y_im[o], n)
            continue
        x_re, x_im, to_re, to_im = (re[o], im[o], y_re[o], y_im[o]) if sign < 0 else (im[o], re[o], y_im[o], y_re[o])
        if count > n:
            by_chirp(numbers, table, turns, x_re, x_im, scale, 1 / scale, to_re, to_im, z, at)
            continue
        z_re, z_im = planes_at(z, 8 * n, (n,))
        scaled(x_re, scale, z_re)
        scaled(x_im, scale, z_im)
        z_re, z_im = planes_at(*transform(numbers, table, z, 8 * n, at), (n,))
        stored(z_re, 1 / scale, to_re)
        stored(z_im, 1 / scale, to_im)
    z_room[0] = room[0] = 0  # they live until here


@njit(error_model="numpy")
def holds_odd(re, im):
    """Whether a signal holds what is not finite; its sum may be infinite without."""
    odd = False
    for j in range(re.size):
        odd |= not (abs(re[j]) < np.inf and abs(im[j]) < np.inf)
    return odd
