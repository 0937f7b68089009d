"""Matrix products by tiles, and what convolution takes from them: a product whose rows and terms lie scattered over an image."""

from typing import NamedTuple

import numpy as np
from numba import cuda, int64

from refnet.definition import row_major, size_of
from refnet_fast.cuda.kernels import Kernel, Step, tuned
from refnet_fast.cuda.target import capable, simulated
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.cuda.tile import (
    NOWHERE,
    clear,
    commit,
    copy,
    element,
    fill,
    finite,
    multiply_add,
    put,
    put_one,
    read,
    wait,
)

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

BLOCKS = 256  # that a product should have at least, so that no multiprocessor is idle; else its sums are cut
SHORTEST = 64  # terms of a part of a sum that is cut
MOST = 2**31  # rows, columns, terms, coordinates: they are divided as words


def product(a, b, y, sizes, leads, steps, rows_of, terms_of, image, given, partial, more):
    """ROWS x COLUMNS elements of y a block, 4 * DOWN x 4 * ACROSS of them a thread, in registers.

    DEPTH columns of a and rows of b at a time go through shared memory, copied while the ones before are multiplied. A thread
    takes its operands from there four at a time. Neighbouring threads read neighbours of a and b, whichever way those lie.
    Where a is an image, a table says where its rows and terms begin; what a window covers outside the image is read as 0, which
    is right unless the other factor is not finite: such elements are computed once more, by the definition.

    Args:
        sizes: rows, columns and terms; parts that the terms are cut into, each for blocks of its own.
        leads: elements of a, b and y from one product to the next.
        steps: elements from row to row of y, from column to column of b, from pixel to pixel of a.
        rows_of, terms_of: how rows and terms are numbered, as `tile.fill` takes it.
        image: extents that rows and terms count in, extents of a, strides of coordinates.
        given: the attributes of the definition.
        partial: parts of y before they are added.
        more: what `finish`, the epilogue, works with, if there is one: see `cuda/epilogue.py`.
    """
    left = cuda.shared.array(LEFT_ROOM, REAL, alignment=16)
    right = cuda.shared.array(RIGHT_ROOM, REAL, alignment=16)
    origin = cuda.shared.array((ROWS, 5), int64)
    term = cuda.shared.array((TERMS, 5), int64)
    total = cuda.local.array(EACH, REAL)
    thread = cuda.threadIdx.x
    down, across = thread // THREADS_ACROSS, thread % THREADS_ACROSS
    top, start = cuda.blockIdx.x * ROWS, cuda.blockIdx.y * COLUMNS
    rows, columns, terms, parts = sizes
    lead, part, first, count = share(terms, parts)
    clear(total, EACH)
    fill(origin, 0, top, ROWS, rows, thread, THREADS, AXES, image[0], rows_of, lead * leads[0], 0)
    at = first, count, thread, start, lead * leads[1]
    add_stages(total, left, right, a, b, origin, term, at, sizes, steps, terms_of, image)
    store(y, partial, more, total, top + 4 * down, start + 4 * across, rows, columns, lead * leads[2], steps, part)
    if AGAIN_HERE and not finite(total, EACH):
        again(a, b, y, given, more, top + 4 * down, start + 4 * across, rows, columns, lead * leads[2], steps)


@inlined
def share(terms, parts):
    """Which product a block works on, which part of its terms, the first stage of that, and how many stages it has."""
    lead, number = cuda.blockIdx.z // parts, cuda.blockIdx.z % parts
    every = (terms + DEPTH - 1) // DEPTH
    stages = (every + parts - 1) // parts
    first = number * stages
    return lead, number, first, min(stages, every - first)


@inlined
def add_stages(total, left, right, a, b, origin, term, at, sizes, steps, terms_of, image):
    """Adds a block's part of the sums up, stage by stage, for kernels of every kind: constants say how their stages are copied and
    multiplied.

    While a stage is multiplied, those after it are on their way to shared memory, and it is found out where the terms of the next one
    begin: what a step writes lies where no other thread reads before the next barrier.

    Args:
        at: the first stage and how many there are; the thread; the block's first column; where the product begins in b.
    """
    first, count, thread, start, beside = at
    for step in range(-STAGES, count):
        ahead = step + STAGES - 1
        if step >= 0:
            wait(STAGES - 2)
        cuda.syncthreads()
        if 0 <= ahead < count:
            copy_left(left, a, origin, term, ahead, thread, image, steps)
            copy_right(right, b, term, ahead, thread, start, sizes[1], steps)
        commit()
        begin, slot = (first + ahead + 1) * DEPTH, (ahead + 1) % 2 * DEPTH
        fill(term, slot, begin, DEPTH, sizes[2], thread, THREADS, AXES, image[3], terms_of, 0, beside)
        if step >= 0:
            multiply_stage(total, left, right, step % STAGES, thread)


@inlined
def multiply_stage(total, left, right, stage, thread):
    """Adds the products of a stage to a thread's sums."""
    at = stage * DEPTH * LEFT_PITCH + 4 * (thread // THREADS_ACROSS)
    beside = stage * DEPTH * RIGHT_PITCH + 4 * (thread % THREADS_ACROSS)
    for k in range(DEPTH):
        column, line = at + k * LEFT_PITCH, beside + k * RIGHT_PITCH
        multiply_add(total, left, column, LEFT_APART, right, line, RIGHT_APART, DOWN, ACROSS)


@inlined
def copy_left(left, a, origin, term, ahead, thread, image, steps):
    """Asks for a stage of a: DEPTH columns, each with its ROWS elements side by side in shared memory."""
    room = ahead % STAGES * DEPTH
    for number in range(LEFT_LOADS):
        load = thread + number * THREADS
        if LEFT_DOWN:
            i, k = load % ROWS, load // ROWS
        else:
            i, k = load // DEPTH, load % DEPTH
        at = element(origin, i, term, ahead % 2 * DEPTH + k, AXES, image[1], image[2], STRIDED, steps[2])
        copy(left, (room + k) * LEFT_PITCH + i, a, at)


@inlined
def copy_right(right, b, term, ahead, thread, start, columns, steps):
    """Asks for a stage of b: DEPTH rows, each with its COLUMNS elements side by side in shared memory."""
    room = ahead % STAGES * DEPTH
    for number in range(RIGHT_LOADS):
        load = thread + number * THREADS
        if RIGHT_ACROSS:
            j, k = load % COLUMNS, load // COLUMNS
        else:
            j, k = load // DEPTH, load % DEPTH
        at = term[ahead % 2 * DEPTH + k, 4] + (start + j) * steps[1]
        copy(right, (room + k) * RIGHT_PITCH + j, b, at if start + j < columns else NOWHERE)


@inlined
def store(y, partial, more, total, top, start, rows, columns, lead, steps, part):
    """A thread's sums to y, or to its part of them, four neighbours at a time; `lead` is where the product begins."""
    for p in unrolled(LINES):
        for q in unrolled(ACROSS):
            i, j = top + p // 4 * LEFT_APART + p % 4, start + q * RIGHT_APART
            if i < rows and j < columns:
                at = lead + i * steps[0] + j
                if CUT:
                    put(partial, part * y.size + at, min(4, columns - j), total, p * 4 * ACROSS + 4 * q, 4)
                elif FINISH:
                    for r in unrolled(4):
                        if j + r < columns:
                            finish(at + r, total[p * 4 * ACROSS + 4 * q + r], y, more)
                else:
                    put(y, at, min(4, columns - j), total, p * 4 * ACROSS + 4 * q, 4)


@inlined
def again(a, b, y, given, more, top, start, rows, columns, lead, steps):
    """A thread's elements of y once more, by the definition."""
    for p in range(LINES):
        for q in range(4 * ACROSS):
            i, j = top + p // 4 * LEFT_APART + p % 4, start + q // 4 * RIGHT_APART + q % 4
            if i < rows and j < columns:
                at = lead + i * steps[0] + j
                definition((index_of(at, y.shape),), a, b, given[0], given[1], given[2], y)
                if FINISH:
                    finish(at, read(y, at), y, more)


def sum_of_parts(a, b, y, sizes, leads, steps, rows_of, terms_of, image, given, partial, more):
    """One element of y a thread: the parts of its sum, always in the same order."""
    at = cuda.grid(1)
    if at < y.size:
        total = partial[at]
        for part in range(1, sizes[3]):
            total += partial[part * y.size + at]
        put_one(y, at, total)
        if AGAIN and total - total != 0:
            definition((index_of(at, y.shape),), a, b, given[0], given[1], given[2], y)
        if FINISH:
            finish(at, read(y, at), y, more)


def index3(at, shape):
    return at // shape[2] // shape[1], at // shape[2] % shape[1], at % shape[2]


# ---- how a call is cut


class Tile(NamedTuple):
    """How a product is cut: `down` and `across` are the fours of rows and columns of a thread, `blocks` those that a multiprocessor
    is to have room for at a time: it bounds a thread's registers."""

    rows: int
    columns: int
    depth: int
    stages: int
    down: int
    across: int
    blocks: int = 2

    @property
    def threads(self):
        return self.rows // (4 * self.down) * (self.columns // (4 * self.across))

    def constants(self, real):
        """The constants of `product` that the tile decides."""
        left, right = self.rows + 4, self.columns + 4  # rows of shared memory start in different banks
        return {
            **{"ROWS": self.rows, "COLUMNS": self.columns, "DEPTH": self.depth, "STAGES": self.stages},
            **{"DOWN": self.down, "ACROSS": self.across, "LINES": 4 * self.down, "EACH": 16 * self.down * self.across},
            **{"THREADS": self.threads, "THREADS_ACROSS": self.columns // (4 * self.across), "TERMS": 2 * self.depth},
            **{"LEFT_PITCH": left, "LEFT_ROOM": self.stages * self.depth * left, "LEFT_APART": self.rows // self.down},
            **{"RIGHT_PITCH": right, "RIGHT_ROOM": self.stages * self.depth * right},
            **{"RIGHT_APART": self.columns // self.across, "REAL": real},
            "BOUNDS": (self.threads, self.blocks),
            **{"LEFT_LOADS": self.rows * self.depth // self.threads},
            **{"RIGHT_LOADS": self.columns * self.depth // self.threads},
        }


SIMULATED = Tile(16, 8, 4, 3, 2, 1)
LARGE, IMAGES = Tile(128, 128, 8, 3, 2, 2), Tile(128, 64, 16, 2, 2, 1)
MIDDLE, NARROW = Tile(64, 64, 16, 3, 1, 1), Tile(128, 32, 16, 3, 2, 1)
LARGE64, NARROW64 = Tile(64, 64, 16, 2, 1, 1, 1), Tile(64, 32, 16, 3, 1, 1)


class Product(NamedTuple):
    """A call as a product of matrices; see `product` for the parts."""

    rows: int
    columns: int
    terms: int
    lead: int
    leads: tuple
    steps: tuple
    rows_of: tuple
    terms_of: tuple
    image: tuple
    given: tuple
    options: dict  # constants that the tile does not decide
    real: type

    @property
    def tile(self):
        if simulated():
            return SIMULATED
        if self.real is np.float64:
            return NARROW64 if self.columns <= 32 else LARGE64
        if self.columns <= 32:
            return NARROW
        largest = IMAGES if self.options["AXES"] else LARGE
        return largest if self._blocks(largest) >= BLOCKS // 4 else MIDDLE

    def _blocks(self, tile):
        return -(-self.rows // tile.rows) * -(-self.columns // tile.columns) * self.lead

    @property
    def parts(self):
        """Into how many parts the terms are cut, each for blocks of its own. It follows from shapes alone."""
        most, shortest = (4, 8) if simulated() else (BLOCKS, SHORTEST)
        return max(1, min(most // self._blocks(self.tile), -(-self.terms // shortest)))

    @property
    def grid(self):
        tile = self.tile
        return -(-self.rows // tile.rows), -(-self.columns // tile.columns), self.lead * self.parts

    @property
    def possible(self):
        """Whether it fits what a grid may have and what is divided as a word, and there is something to do."""
        counts = (self.rows, self.columns, self.terms, self.lead)
        within = all(0 < n < MOST for n in counts) and all(n < MOST for n in (*self.image[1], *self.image[2]))
        return within and self.grid[1] < 65536 and self.grid[2] < 65536

    def constants(self):
        cut = self.parts > 1
        return {
            **self.tile.constants(self.real),
            **self.options,
            "CUT": cut,
            "AGAIN_HERE": self.options["AGAIN"] and not cut,
        }

    def arguments(self, inputs, outputs):
        sizes = (self.rows, self.columns, self.terms, self.parts)
        numbers = [sizes, self.leads, self.steps, self.rows_of, self.terms_of, self.image, self.given]
        return [*inputs, *outputs, *numbers]


def declare(op_name, name, product_of, when, function=product, among=tuned):
    """Declares a tiled product as a kernel of an op.

    Args:
        name: the kernel's.
        function: `product`, or what takes its arguments.
        product_of: `product_of(call)`, a Product.
        when: `when(call)`, asked before there is a Product.
        among: the kernels that it stands with.
    """

    def rooms(call):
        parts = product_of(call).parts
        return [((parts * size_of(call.outputs[0].shape) if parts > 1 else 1,), product_of(call).real.__name__)]

    first = Step(
        function,
        lambda call: product_of(call).grid,
        lambda call: (product_of(call).tile.threads,),
        constants=lambda call: product_of(call).constants(),
    )
    made = Kernel(
        first,
        lambda call: when(call) and product_of(call).possible,
        lambda call, inputs, outputs: product_of(call).arguments(inputs, outputs),
        rooms,
    )
    made.finishes = True
    threads = 4 if simulated() else 256
    summing = Step(
        sum_of_parts,
        lambda call: (-(-size_of(call.outputs[0].shape) // threads),),
        (threads,),
        needed=lambda call: product_of(call).parts > 1,
        constants=lambda call: {**product_of(call).constants(), "BOUNDS": (threads, 1)},  # not those of a tile
    )
    made.steps.append(summing)
    made.name = first.name = name
    among.setdefault(op_name, []).insert(0, made)


def real(call):
    """Whether all arrays are of float32, or all of float64."""
    return call.dtypes in ({"float32"}, {"float64"}) and capable((8, 0))


def numpy_type(call):
    return np.float64 if call.dtypes == {"float64"} else np.float32


# ---- matrix products


def matrices(call):
    """The Product of a matmul: any strides will do."""
    a, b = call.form.inputs
    lead, rows, columns = call.form.domain
    strides_a, strides_b = (v.strides or row_major(v.shape) for v in (a, b))
    options = {"AXES": 0, "STRIDED": False, "AGAIN": False, "index_of": index3}
    options |= {"LEFT_DOWN": strides_a[1] < strides_a[2], "RIGHT_ACROSS": strides_b[2] <= strides_b[1]}
    return Product(
        rows,
        columns,
        a.shape[2],
        lead,
        (strides_a[0], strides_b[0], rows * columns),
        (columns, strides_b[2], 0),
        (1, (0,), (0,), strides_a[1], 0, 0),
        (1, (0,), (0,), strides_a[2], strides_b[1], 0),
        ((1,), (1,), (1,), (1,)),
        (0,),
        options,
        numpy_type(call),
    )


def three_axes(call):
    return real(call) and len(call.form.domain) == 3


declare("matmul", "matmul_tiled", matrices, three_axes)
