"""Products of float32 on tensor cores, what they read rounded to TF32, 11 significant bits: for the engine `cuda-tf32` alone."""

import numpy as np
from numba import cuda, float32, int64, uint32

from refnet_fast.cuda.contraction import Product, add_stages, copy_left, copy_right, declare, matrices, share
from refnet_fast.cuda.convolution import IMAGES, worth_tiles
from refnet_fast.cuda.convolution3d import VOLUMES
from refnet_fast.cuda.kernels import rounding
from refnet_fast.cuda.matrix_units import load_rounded, multiply_add_rounded
from refnet_fast.cuda.short_product import WarpTile, again_pairs, store_pairs
from refnet_fast.cuda.target import capable, simulated
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.cuda.tile import clear, fill, finite

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

ROUNDOFF = 2.0**-11  # of TF32


def rounded_product(a, b, y, sizes, leads, steps, rows_of, terms_of, image, given, partial, more):
    """ROWS x COLUMNS elements of y a block, 16 * DOWN x 8 * ACROSS of them a warp, its threads' parts in registers.

    Stages, shared memory and arguments are those of `contraction.product`; elements are rounded on their way to registers, sums are
    float32.
    """
    left = cuda.shared.array(LEFT_ROOM, float32, alignment=16)
    right = cuda.shared.array(RIGHT_ROOM, float32, alignment=16)
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
def multiply_rounded(total, left, right, stage, thread):
    """Adds the products of a stage to a warp's sums, eight terms at a time."""
    xs = cuda.local.array(LEFT_WORDS, uint32)
    ys = cuda.local.array(RIGHT_WORDS, uint32)
    lane, warp = thread % 32, thread // 32
    at = warp // WARPS_ACROSS * 16 * DOWN + lane // 4
    beside = warp % WARPS_ACROSS * 8 * ACROSS + lane // 4
    for k in range(0, DEPTH, 8):  # of the same length for all threads, whose instructions are those of a warp
        line = stage * DEPTH + k + lane % 4
        load_rows(ys, right, line * RIGHT_PITCH + beside)
        for p in unrolled(DOWN):
            load_columns(xs, left, line * LEFT_PITCH + at + 16 * p)
            for q in unrolled(ACROSS):
                multiply_add_rounded(total, (p * ACROSS + q) * 4, xs, 0, ys, 2 * q)


@inlined
def load_columns(xs, left, at):
    """A thread's elements of eight columns of a, rounded: of two of them, a row and the eighth below."""
    load_rounded(xs, 0, left, at)
    load_rounded(xs, 1, left, at + 8)
    load_rounded(xs, 2, left, at + 4 * LEFT_PITCH)
    load_rounded(xs, 3, left, at + 4 * LEFT_PITCH + 8)


@inlined
def load_rows(ys, right, beside):
    """A thread's elements of eight rows of b, rounded: of two of them, a column, ACROSS times."""
    for q in unrolled(ACROSS):
        load_rounded(ys, 2 * q, right, beside + 8 * q)
        load_rounded(ys, 2 * q + 1, right, beside + 8 * q + 4 * RIGHT_PITCH)


SIMULATED = WarpTile(1, 1, 1, 2, 8, 3)
LARGE, MIDDLE = WarpTile(2, 4, 4, 2, 16, 3), WarpTile(2, 2, 2, 4, 16, 3)


class RoundedProduct(Product):
    """A Product of float32 as TF32."""

    @property
    def tile(self):
        if simulated():
            return SIMULATED
        return LARGE if self._blocks(LARGE) >= 64 else MIDDLE

    def constants(self):
        tile = self.tile
        left, right = tile.rows + 8, tile.columns + 8  # four rows of eight elements then lie in different banks
        return {
            **{"ROWS": tile.rows, "COLUMNS": tile.columns, "DEPTH": tile.depth, "STAGES": tile.stages},
            **{"DOWN": tile.down, "ACROSS": tile.across, "LINES": 2 * tile.down, "TERMS": 2 * tile.depth},
            **{"EACH": 4 * tile.down * tile.across, "LEFT_WORDS": 4, "RIGHT_WORDS": 2 * tile.across},
            **{"THREADS": tile.threads, "WARPS_ACROSS": tile.warps_across, "BOUNDS": (tile.threads, 2)},
            **{"LEFT_PITCH": left, "LEFT_ROOM": tile.stages * tile.depth * left},
            **{"RIGHT_PITCH": right, "RIGHT_ROOM": tile.stages * tile.depth * right},
            **{"LEFT_LOADS": tile.rows * tile.depth // tile.threads},
            **{"RIGHT_LOADS": tile.columns * tile.depth // tile.threads},
            **{"copy_left": copy_left, "copy_right": copy_right, "multiply_stage": multiply_rounded},
            **{"CUT": self.parts > 1, "AGAIN_HERE": self.options["AGAIN"] and self.parts == 1},
            **self.options,
        }


def single(call):
    """Whether all arrays are of float32."""
    return call.dtypes == {"float32"} and capable((8, 0))


def rounded(product_of):
    """`product_of`, as TF32."""
    return lambda call: RoundedProduct(*product_of(call))._replace(real=np.float32)


PRODUCTS = {"matmul": matrices, **IMAGES, **VOLUMES}
for name, product_of in PRODUCTS.items():
    declare(
        name,
        f"{name}_rounded",
        rounded(product_of),
        lambda call, of=product_of: (
            single(call) and (len(call.form.domain) == 3 if of is matrices else worth_tiles(call, of))
        ),
        rounded_product,
        rounding,
    )
