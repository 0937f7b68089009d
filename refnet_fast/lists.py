"""Multi-hot inputs as lists of the places of their ones, found by one scan when fit begins.

An input serves if it is a float32 matrix of zeros and ones, at most SHARE of them ones, and if all that the program does with it are
products of its rows with a variable, and the gradients of those. Then neither batches are gathered nor zeros multiplied. What a
result may be is what the product's certificate says, nan and infinity included; which sum is rounded first is decided by the data.
REFNET_INDEX_LISTS=0 in the environment leaves such inputs as they are.
"""

import functools
import os

import numpy as np

from refnet.graph import Variable
from refnet.program import specialize
from refnet_fast.build import load
from refnet_fast.plan import Plan

WIDTH = 128  # columns that x has at least
SHARE = 1 / 32  # of the elements: with more ones, the dense product is as fast

SCAN = """from numba import njit, types
from refnet_fast.cpu.index_lists import scan as scan_lists


@njit(
    types.int64(types.Array(types.float32, 2, "C", readonly=True), types.int64[::1], types.int32[::1]),
    nogil=True, cache=True, error_model="numpy",
)
def scan(x, starts, places):
    return scan_lists(x, starts, places)
"""


class IndexLists:
    """A matrix of zeros and ones, and where its ones are.

    Attributes:
        dense: the matrix itself.
        starts, places: sample i's ones are in the columns places[starts[i]:starts[i + 1]], rising.
    """

    def __init__(self, dense, starts, places):
        self.dense, self.starts, self.places = dense, starts, places
        self.shape, self.dtype = dense.shape, dense.dtype

    def __len__(self):
        return len(self.dense)


@functools.cache
def compiled_scan():
    return load(SCAN).scan


def listed(array):
    """The lists of a float32 matrix, or None where it is not sparse and multi-hot. Ends at the first element that says so."""
    starts = np.empty(len(array) + 1, np.int64)
    places = np.empty(int(array.size * SHARE), np.int32)  # memory that is not written is not taken
    count = compiled_scan()(array, starts, places)
    return None if count < 0 else IndexLists(array, starts, places[:count].copy())


def uses(plan, x):
    """The instructions that multiply with input x, as (products, gradients); None where anything else reads or keeps it."""
    products, gradients = [], []
    for instruction in plan.instructions:
        if not any(plan.base(given) is x for given in instruction.inputs):
            continue
        first, *others = instruction.inputs
        plain = instruction.op.name == "matmul" and first is x and not any(plan.base(other) is x for other in others)
        if not plain or instruction.attributes["transpose2"] or len(others[0].shape) != 2:
            return None
        if instruction.attributes["transpose1"]:
            gradients.append(instruction)
        elif isinstance(plan.base(others[0]), Variable):  # its zero products are the same for a whole step
            products.append(instruction)
        else:
            return None
    kept = [*plan.outputs, *plan.commits.values()]
    return None if any(plan.base(y) is x for y in kept) else (products, gradients)


def candidate(array):
    """Whether an array looks like one, from its first sample."""
    wide = array.ndim == 2 and array.dtype == np.float32 and array.shape[1] >= WIDTH and len(array) > 0
    return wide and bool(np.isin(array[0], (0, 1)).all()) and array.flags.c_contiguous


def fed(program, data, batch_size):
    """The data of a fit with lists in place of the arrays that can be read so."""
    if os.environ.get("REFNET_INDEX_LISTS") == "0" or not any(map(candidate, data)) or len(data[0]) < batch_size:
        return data
    plan = Plan(specialize(program, [(batch_size, *array.shape[1:]) for array in data]))
    result = list(data)
    for place, (x, array) in enumerate(zip(plan.concrete.inputs, data)):
        found = uses(plan, x) if candidate(array) and x.dtype == "float32" else None
        if found is not None and any(found):
            result[place] = listed(array) or array
    return result
