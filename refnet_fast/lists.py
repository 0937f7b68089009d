"""Multi-hot inputs as lists of the places of their ones, found by one scan: of all samples when they come together, else of each batch.

An input serves if it is a float32 matrix of zeros and ones, at most SHARE of them ones, and if all that the program does with it are
products of its rows with a variable, and the gradients of those. Then neither batches are gathered nor zeros multiplied. What a
result may be is what the product's certificate says, nan and infinity included; which sum is rounded first is decided by the data.
REFNET_INDEX_LISTS=0 in the environment leaves such inputs as they are.
"""

import functools
import os
import weakref

import numpy as np

from refnet.graph import Variable
from refnet.keeping import Kept
from refnet.program import specialize
from refnet_fast.build import load
from refnet_fast.plan import Plan
from refnet_fast.vm import workers

WIDTH = 128  # columns that x has at least
LOOKED_AT = 8  # samples, before all of them are scanned
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


_serving: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # of a program: {shapes: numbers of inputs}


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
    """Whether an array looks like one, from a few samples: those that do not are not scanned at every step."""
    if array.ndim != 2 or array.shape[1] < WIDTH or array.dtype != np.float32 or not array.flags.c_contiguous:
        return False
    few = array[:: -(-len(array) // LOOKED_AT) or 1]
    ones = np.count_nonzero(few)
    return len(few) > 0 and ones <= 2 * SHARE * few.size and np.count_nonzero(few == 1) == ones


def serving(program, shapes):
    """The numbers of a program's inputs that may be lists where they have these shapes; looked up once."""
    with workers.lock:
        known = _serving.setdefault(program, Kept())
        found = known.found(shapes)
        if found is None:
            plan = Plan(specialize(program, shapes))
            wide = [(n, x) for n, x in enumerate(plan.concrete.inputs) if len(x.shape) == 2 and x.dtype == "float32"]
            found = known[shapes] = {number for number, x in wide if any(uses(plan, x) or ())}
        return found


def fed(program, data, shapes):
    """The data of a program that runs at these shapes, with lists in place of the arrays that can be read so."""
    likely = [number for number, array in enumerate(data) if candidate(array)]
    if not likely or os.environ.get("REFNET_INDEX_LISTS") == "0":
        return data
    served = serving(program, shapes)
    found = {number: listed(data[number]) for number in likely if number in served}
    if not any(found.values()):
        return data
    return type(data)(found.get(number) or array for number, array in enumerate(data))
