"""One short row: the channels of a pixel, the units of a state, the features of a sample.

Rows that are written never overlap those that are read (`native.Separate` tells the compiler), so each loop runs in vectors without
checking first. The sums come in as many partial sums as a vector has lanes.
"""

from refnet_fast.native import Separate, njit

MACHINE = {"error_model": "numpy", "fastmath": {"contract"}, "pipeline_class": Separate}
SUMS = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


@njit(error_model="numpy", pipeline_class=Separate)
def fill_row(row, value):
    for i in range(row.size):
        row[i] = value


@njit(error_model="numpy", pipeline_class=Separate)
def copy_row(row, to):
    for i in range(to.size):
        to[i] = row[i]


@njit(error_model="numpy", pipeline_class=Separate)
def add_row(row, to):
    for i in range(to.size):
        to[i] += row[i]


@njit(error_model="numpy", pipeline_class=Separate)
def multiply_rows(a, b, to):
    for i in range(to.size):
        to[i] = a[i] * b[i]


@njit(error_model="numpy", pipeline_class=Separate)
def scale_row(row, by):
    for i in range(row.size):
        row[i] *= by[i]


@njit(**MACHINE)
def add_products(a, b, to):
    for i in range(to.size):
        to[i] += a[i] * b[i]


@njit(**SUMS)
def row_sum(row):
    total = row.dtype.type(0)
    for i in range(row.size):
        total += row[i]
    return total


@njit(**SUMS)
def row_dot(a, b):
    total = a.dtype.type(0)
    for i in range(a.size):
        total += a[i] * b[i]
    return total
