"""Products of 16-bit floats on tensor cores, summed in float32: matrix products and convolutions, as `cuda/contraction.py` has them."""

from typing import NamedTuple

import numpy as np
from numba import cuda, float32, int64, uint16, uint32

from refnet_fast.cuda.contraction import Product, add_stages, declare, matrices, share
from refnet_fast.cuda.convolution import IMAGES, worth_tiles
from refnet_fast.cuda.convolution3d import VOLUMES
from refnet_fast.cuda.matrix_units import copy_run, load_matrices, multiply_add_matrices
from refnet_fast.cuda.target import capable, simulated
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.cuda.tile import NOWHERE, clear, element, fill, finite, put, read

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

RUN = 8  # 16-bit floats that are copied at a time


def short_product(a, b, y, sizes, leads, steps, rows_of, terms_of, image, given, partial, more):
    """ROWS x COLUMNS elements of y a block, 16 * DOWN x 8 * ACROSS of them a warp, its threads' parts in registers.

    The stages are those of `contraction.product`, whose arguments it takes. Runs of eight neighbours go to shared memory as they lie;
    where they lie down a column of a, or across a row of b, the matrices are turned on their way to the tensor cores.
    """
    left = cuda.shared.array(LEFT_ROOM, uint16, alignment=16)
    right = cuda.shared.array(RIGHT_ROOM, uint16, alignment=16)
    origin = cuda.shared.array((ROWS, 5), int64)
    term = cuda.shared.array((TERMS, 5), int64)
    total = cuda.local.array(EACH, float32)
    thread, lane, warp = cuda.threadIdx.x, cuda.threadIdx.x % 32, cuda.threadIdx.x // 32
    down, across = warp // WARPS_ACROSS * 16 * DOWN, warp % WARPS_ACROSS * 8 * ACROSS
    top, start = cuda.blockIdx.x * ROWS, cuda.blockIdx.y * COLUMNS
    rows, columns, terms, parts = sizes
    lead, part, first, count = share(terms, parts)
    clear(total, EACH)
    fill(origin, 0, top, ROWS, rows, thread, THREADS, AXES, image[0], rows_of, lead * leads[0], 0)
    at = first, count, thread, start, lead * leads[1]
    add_stages(total, left, right, a, b, origin, term, at, sizes, steps, terms_of, image)
    row, column = top + down + lane // 4, start + across + lane % 4 * 2
    store_pairs(y, partial, more, total, row, column, rows, columns, lead * leads[2], steps, part)
    if AGAIN_HERE and not finite(total, EACH):
        again_pairs(a, b, y, given, more, row, column, rows, columns, lead * leads[2], steps)


@inlined
def multiply_runs(total, left, right, stage, thread):
    """Adds the products of a stage to a warp's sums, 16 terms at a time."""
    xs = cuda.local.array(LEFT_WORDS, uint32)
    ys = cuda.local.array(RIGHT_WORDS, uint32)
    lane, warp = thread % 32, thread // 32
    down, across = warp // WARPS_ACROSS * 16 * DOWN, warp % WARPS_ACROSS * 8 * ACROSS
    for k in range(0, DEPTH, 16):
        load_left(xs, left, stage * LEFT_STAGE, k, down, lane)
        load_right(ys, right, stage * RIGHT_STAGE, k, across, lane)
        for p in unrolled(DOWN):
            for q in unrolled(ACROSS):
                multiply_add_matrices(total, (p * ACROSS + q) * 4, xs, 4 * p, ys, 2 * q, BRAIN)


@inlined
def copy_left_runs(left, a, origin, term, ahead, thread, image, steps):
    """Asks for a stage of a, (ROWS, DEPTH), as it lies: runs along its rows, or down its columns."""
    for number in range(LEFT_LOADS):
        load = thread + number * THREADS
        if LEFT_DOWN:
            i, k = load % LEFT_RUNS * LEFT_RUN, load // LEFT_RUNS
            to = ahead % STAGES * LEFT_STAGE + k * LEFT_PITCH + i
        else:
            i, k = load // LEFT_RUNS, load % LEFT_RUNS * LEFT_RUN
            to = ahead % STAGES * LEFT_STAGE + i * LEFT_PITCH + k
        at = element(origin, i, term, ahead % 2 * DEPTH + k, AXES, image[1], image[2], STRIDED, steps[2])
        copy_run(left, to, a, at, LEFT_RUN)


@inlined
def copy_right_runs(right, b, term, ahead, thread, start, columns, steps):
    """Asks for a stage of b, (DEPTH, COLUMNS), as it lies: runs along its rows, or down its columns."""
    for number in range(RIGHT_LOADS):
        load = thread + number * THREADS
        if RIGHT_ACROSS:
            j, k = load % RIGHT_RUNS * RIGHT_RUN, load // RIGHT_RUNS
            to = ahead % STAGES * RIGHT_STAGE + k * RIGHT_PITCH + j
        else:
            j, k = load // RIGHT_RUNS, load % RIGHT_RUNS * RIGHT_RUN
            to = ahead % STAGES * RIGHT_STAGE + j * RIGHT_PITCH + k
        at = term[ahead % 2 * DEPTH + k, 4] + (start + j) * steps[1]
        copy_run(right, to, b, at if start + j < columns else NOWHERE, RIGHT_RUN)


@inlined
def load_left(xs, left, at, k, down, lane):
    """A warp's rows of a, 16 terms from k on, from shared memory to registers: four matrices of 8 x 8 an instruction."""
    for p in unrolled(DOWN):
        i, upper = down + 16 * p + lane // 8 % 2 * 8, k + lane // 16 * 8
        if LEFT_DOWN:
            load_matrices(xs, 4 * p, left, at + (upper + lane % 8) * LEFT_PITCH + i, True)
        else:
            load_matrices(xs, 4 * p, left, at + (i + lane % 8) * LEFT_PITCH + upper, False)


@inlined
def load_right(ys, right, beside, k, across, lane):
    """A warp's columns of b, as `load_left`."""
    for q in unrolled(PAIRS):
        j, upper = across + 16 * q + lane // 16 * 8, k + lane // 8 % 2 * 8
        if RIGHT_ACROSS:
            load_matrices(ys, 4 * q, right, beside + (upper + lane % 8) * RIGHT_PITCH + j, True)
        else:
            load_matrices(ys, 4 * q, right, beside + (j + lane % 8) * RIGHT_PITCH + upper, False)


@inlined
def store_pairs(y, partial, more, total, row, column, rows, columns, lead, steps, part):
    """A thread's sums to y, or to its part of them, two neighbours at a time; `lead` is where the product begins."""
    for p in unrolled(LINES):
        for q in unrolled(ACROSS):
            i, j = row + 8 * p, column + 8 * q
            if i < rows and j < columns:
                at = lead + i * steps[0] + j
                if CUT:
                    at += part * y.size
                    put(partial, at, min(2, columns - j), total, (p // 2 * ACROSS + q) * 4 + p % 2 * 2, 2)
                elif FINISH:
                    for r in unrolled(2):
                        if j + r < columns:
                            finish(at + r, total[(p // 2 * ACROSS + q) * 4 + p % 2 * 2 + r], y, more)
                else:
                    put(y, at, min(2, columns - j), total, (p // 2 * ACROSS + q) * 4 + p % 2 * 2, 2)


@inlined
def again_pairs(a, b, y, given, more, row, column, rows, columns, lead, steps):
    """A thread's elements of y once more, by the definition."""
    for p in range(LINES):
        for q in range(2 * ACROSS):
            i, j = row + 8 * p, column + q // 2 * 8 + q % 2
            if i < rows and j < columns:
                at = lead + i * steps[0] + j
                definition((index_of(at, y.shape),), a, b, given[0], given[1], given[2], y)
                if FINISH:
                    finish(at, read(y, at), y, more)


# ---- how a call is cut


class WarpTile(NamedTuple):
    """Warps of a block, down and across; blocks of 16 rows and of 8 columns of a warp; terms at a time, sets of them."""

    warps_down: int
    warps_across: int
    down: int
    across: int
    depth: int
    stages: int

    @property
    def rows(self):
        return 16 * self.warps_down * self.down

    @property
    def columns(self):
        return 8 * self.warps_across * self.across

    @property
    def threads(self):
        return 32 * self.warps_down * self.warps_across

    def side(self, name, length, along, run):
        """The constants of a factor: where its runs lie in shared memory. along: whether neighbours do along `length`."""
        lines, line = (self.depth, length) if along else (length, self.depth)
        pitch = line + RUN  # eight rows of a matrix then lie in different banks
        return {
            f"{name}_RUN": run,
            f"{name}_RUNS": line // run,
            f"{name}_LOADS": lines * line // run // self.threads,
            f"{name}_PITCH": pitch,
            f"{name}_STAGE": lines * pitch,
            f"{name}_ROOM": self.stages * lines * pitch,
        }


SIMULATED = WarpTile(1, 1, 1, 2, 16, 3)
LARGE, MIDDLE = WarpTile(2, 4, 4, 4, 32, 2), WarpTile(2, 2, 2, 4, 32, 3)


class ShortProduct(Product):
    """A Product of 16-bit floats."""

    @property
    def tile(self):
        if simulated():
            return SIMULATED
        return LARGE if self._blocks(LARGE) >= 64 else MIDDLE

    def constants(self):
        tile, options = self.tile, self.options
        return {
            **{"ROWS": tile.rows, "COLUMNS": tile.columns, "DEPTH": tile.depth, "STAGES": tile.stages},
            **{"DOWN": tile.down, "ACROSS": tile.across, "LINES": 2 * tile.down, "PAIRS": tile.across // 2},
            **{"EACH": 4 * tile.down * tile.across, "LEFT_WORDS": 4 * tile.down, "RIGHT_WORDS": 2 * tile.across},
            **{"THREADS": tile.threads, "WARPS_ACROSS": tile.warps_across, "TERMS": 2 * tile.depth},
            **tile.side("LEFT", tile.rows, options["LEFT_DOWN"], RUN if self.runs_of_a() else 1),
            **tile.side("RIGHT", tile.columns, options["RIGHT_ACROSS"], RUN if self.runs_of_b() else 1),
            **{"BOUNDS": (tile.threads, 2), "CUT": self.parts > 1, "copy_left": copy_left_runs},
            **{"copy_right": copy_right_runs, "multiply_stage": multiply_runs},
            **{"AGAIN_HERE": options["AGAIN"] and self.parts == 1},
            **options,
        }

    def runs_of_a(self):
        """Whether a can be copied in runs of eight: neighbours begin at multiples of eight and none is cut."""
        along, others = (self.rows_of, self.terms_of) if self.options["LEFT_DOWN"] else (self.terms_of, self.rows_of)
        count = self.rows if self.options["LEFT_DOWN"] else self.terms
        last, *_, lead = along[:4]
        inside = last % RUN == 0 and lead % RUN == 0 if last > 1 else lead == 1 and not self.options["AXES"]
        return inside and others[0] == 1 and all(n % RUN == 0 for n in (count, others[3], self.steps[2], self.leads[0]))

    def runs_of_b(self):
        """As `runs_of_a`."""
        last, between, within = self.terms_of[0], self.terms_of[4], self.terms_of[5]
        if self.options["RIGHT_ACROSS"]:
            begin = (self.columns, between, within if last > 1 else 0)
            return self.steps[1] == 1 and all(n % RUN == 0 for n in (*begin, self.leads[1]))
        inside = within == 1 and last % RUN == 0 and between % RUN == 0 if last > 1 else between == 1
        return inside and all(n % RUN == 0 for n in (self.terms, self.steps[1], self.leads[1]))


def short(call):
    """Whether all arrays are of one 16-bit floating dtype."""
    return call.dtypes in ({"float16"}, {"bfloat16"}) and capable((8, 0))


def shortened(product_of):
    """`product_of` for calls with 16-bit floats; parts of sums are float32."""

    def made(call):
        found = ShortProduct(*product_of(call))
        return found._replace(options={**found.options, "BRAIN": call.dtypes == {"bfloat16"}}, real=np.float32)

    return made


declare(
    "matmul",
    "matmul_short",
    shortened(matrices),
    lambda call: short(call) and len(call.form.domain) == 3,
    short_product,
)
for name, product_of in {**IMAGES, **VOLUMES}.items():
    declare(
        name,
        f"{name}_short",
        shortened(product_of),
        lambda call, of=product_of: short(call) and worth_tiles(call, of),
        short_product,
    )
