"""Products with a matrix of zeros and ones that is given as lists: for each sample the places of its ones.

`lists` is eight words: the addresses of `starts` (where each sample's list begins in `places`, int64), of `places` (int32, rising), of
the order of the samples and of the number of the step; then how many samples, places and entries of the order there are (none: the
samples come as they are), and the samples of a batch. So a program's frames stay as they are from one fit to the next.

A number that is not finite makes nan of a product with 0, and stays what it is where a one meets it. `rest`, the sums of 0 * w, is
nan in the columns that have such numbers: their results are made of those alone, for they outweigh whatever is finite.
"""

import numpy as np

from refnet_fast.cpu.indexing import CHAIN
from refnet_fast.cpu.rows import add_row, copy_row, fill_row
from refnet_fast.native import njit, row_at
from refnet_fast.outcomes import scratch

WORDS = 8


@njit(error_model="numpy")
def batch_of(lists):
    """starts, places and order as arrays, and the first place of this step's batch in the order."""
    step = row_at(lists[3], 1, np.int64)[0]
    starts = row_at(lists[0], lists[4] + 1, np.int64)
    places = row_at(lists[1], lists[5], np.int32)
    order = row_at(lists[2], lists[6], np.int64)
    return starts, places, order, step * lists[7]


@njit(error_model="numpy")
def zero_products(w, rest, lo, hi):
    """rest[j] = sum of 0 * w[k, j]: 0, or nan. One pass over w, a row at a time in vectors."""
    rest[:] = 0
    for k in range(w.shape[0]):
        for j in range(w.shape[1]):
            rest[j] += w.dtype.type(0) * w[k, j]


@njit(error_model="numpy")
def odd_columns(rest):
    """Where the zero products are nan."""
    odd, count = scratch(rest.size, np.int64), 0
    for j in range(rest.size):
        if np.isnan(rest[j]):
            odd[count] = j
            count += 1
    return odd[:count]


@njit(error_model="numpy")
def listed_product(lists, w, rest, y, lo, hi):
    """Rows lo..hi of x w: each the sum of the rows of w that its list names. Bound: a row of w read for each one in x."""
    starts, places, order, first = batch_of(lists)
    odd = odd_columns(rest)
    for i in range(lo, hi):
        sample = order[first + i] if order.size else first + i
        list_ = places[starts[sample] : starts[sample + 1]]
        copy_row(rest, y[i])
        for place in list_:
            add_row(w[place], y[i])
        for j in odd:
            y[i, j] = odd_product(list_, w[:, j])


@njit(error_model="numpy")
def odd_product(list_, column):
    """The product of a list's sample and a column, of which some number is not finite."""
    total, at = column.dtype.type(0), 0
    for k in range(column.size):
        one = at < list_.size and list_[at] == k
        if one:
            at += 1
        if not np.isfinite(column[k]):
            total += column[k] if one else column.dtype.type(0) * column[k]
            if np.isnan(total):
                break
    return total


@njit(error_model="numpy")
def listed_gradient(lists, dy, dw, lo, hi):
    """Rows lo..hi of x^T dy: row i of dy is added to the rows that list i names, list after list. Bound: dw written, and a row of
    it read and written for each one in x. The sums of all CHAIN samples but the first ones are made apart, and then added."""
    starts, places, order, first = batch_of(lists)
    samples, result = dy.shape[0], dw[lo:hi]
    apart = scratch((hi - lo if samples > CHAIN else 0, dw.shape[1]), dw.dtype)
    for block in range(0, max(samples, 1), CHAIN):
        part = result if block == 0 else apart
        for k in range(hi - lo):
            fill_row(part[k], 0)
        for i in range(block, min(block + CHAIN, samples)):
            sample = order[first + i] if order.size else first + i
            list_ = places[starts[sample] : starts[sample + 1]]
            at = np.searchsorted(list_, lo) if lo > 0 else 0
            while at < list_.size and list_[at] < hi:
                add_row(dy[i], part[list_[at] - lo])
                at += 1
        for k in range(hi - lo if block > 0 else 0):
            add_row(part[k], result[k])
    rest = scratch(dw.shape[1], dw.dtype)
    zero_products(dy, rest, 0, 1)
    for j in odd_columns(rest):
        odd_gradient(starts, places, order, first, dy[:, j], result[:, j], lo)


@njit(error_model="numpy")
def odd_gradient(starts, places, order, first, slopes, column, lo):
    """column = its elements of x^T dy from row lo on, where some of the slopes are not finite."""
    column[:] = 0
    for i in range(slopes.size):
        if np.isnan(slopes[i]):
            column[:] = slopes[i]
            break
        if np.isfinite(slopes[i]):
            continue
        sample = order[first + i] if order.size else first + i
        list_ = places[starts[sample] : starts[sample + 1]]
        at = np.searchsorted(list_, lo)
        for k in range(column.size):
            one = at < list_.size and list_[at] == lo + k
            if one:
                at += 1
            column[k] += slopes[i] if one else slopes.dtype.type(0) * slopes[i]


@njit(error_model="numpy")
def scan(x, starts, places):
    """Writes the lists of x's ones; returns how many there are, or -1 if an element is neither 0 nor 1 or `places` is full."""
    count = 0
    for i in range(x.shape[0]):
        starts[i] = count
        for k in range(x.shape[1]):
            value = x[i, k]
            if value != 0:
                if value != 1 or count == places.size:
                    return -1
                places[count] = k
                count += 1
    starts[x.shape[0]] = count
    return count
