"""What the attention kernels share: blocks of SIDE queries and SIDE keys, whose logits are made in registers and never stored.

A block has SIDE / 4 x SIDE / 4 threads; one of them holds four rows and four columns of the block's logits. Every sum over features or
places is a product of two rooms of shared memory on the register tile (`tile.multiply_add`).

What is masked has a weight of -0.0, which nothing else has. Where it would meet an infinity or NaN, the product is made by a loop that
leaves such weights out.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import cuda, float64, int32, int64

from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.cuda.tile import NOWHERE, afresh, clear, commit, copy, multiply_add, read, wait

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

CHAIN = 4096  # additions in a row; in longer sums those of a block of places are made apart
SIMULATED_CHAIN = CHAIN
ENOUGH = 264  # blocks that keep every multiprocessor of a large device busy twice


class Cut(NamedTuple):
    """How a call is cut.

    Args:
        batch, heads, places: of what the blocks own: queries, or keys.
        others: places of the other kind that they visit.
        width: features of what they add up.
        real: the type of all floats.
        forward: whether a thread has logits and one array of sums alone; in the gradients it has more.
    """

    batch: int
    heads: int
    places: int
    others: int
    width: int
    real: type
    forward: bool

    @property
    def side(self):
        if simulated():
            return 8
        large = self.real is np.float32 and self.places > 32 and self._blocks(64) * -(-self.width // 64) >= ENOUGH
        return 64 if large else 32

    @property
    def wide(self):
        """Features that a block adds up: those of a thread's sums have to stay in registers, beside its logits."""
        if simulated() or self.real is np.float64 or not self.forward:
            return self.side
        return 128 if self.side == 64 and self.width > 64 else 64

    def _blocks(self, side):
        return -(-self.places // side) * self.batch * self.heads

    @property
    def grid(self):
        """Blocks of places, and those that share their logits, each for a part of the features."""
        return self._blocks(self.side), -(-self.width // self.wide)

    @property
    def block(self):
        return self.side // 4, self.side // 4

    def constants(self):
        side, wide, depth, threads = self.side, self.wide, 4 if simulated() else 16, self.side**2 // 16
        long = self.others > (SIMULATED_CHAIN if simulated() else CHAIN)
        once = side if long else wide  # features added up at once: a long sum's part takes registers of its own
        run = min(threads, once)  # neighbours that threads read together
        return {
            **{"LONG": long, "RUN": run, "RUNS": once // run, "ONCE": once, "ONCE_PITCH": once + 4},
            **{"SIDE": side, "PITCH": side + 4, "ROOM": side * (side + 4), "THREADS": threads, "DEPTH": depth},
            **{"WIDE": wide, "PARTS": wide // once, "ACROSS": once // side, "ONCE_LANES": 4 * once // side},
            **{"LANES": 4 * wide // side, "EACH": 16 * wide // side, "ONCE_EACH": 16 * once // side},
            **{"LEFT": depth * (side + 4), "RIGHT": depth * (once + 4), "REAL": self.real},
            "BOUNDS": (threads, 2 if side == 64 else 4),  # 128 registers a thread, or as many as there are
        }


@inlined
def corner(number, heads, places):
    """(batch, head, first place) of a block."""
    blocks = (places + SIDE - 1) // SIDE
    lead = number // blocks
    return lead // heads, lead % heads, number % blocks * SIDE


@inlined
def turn(room, x, at, places, features, thread):
    """Asks for room[h, place], DEPTH features of SIDE places of a head; 0 where there are none. Neighbouring threads read neighbours.

    Args:
        at: the index of the first element.
        places, features: how many there are from there on.
    """
    thread, step = afresh(thread), afresh(x.shape[2] * x.shape[3])
    h = thread % DEPTH
    for load in range(SIDE * DEPTH // THREADS):
        place = thread // DEPTH + load * (THREADS // DEPTH)
        copy(room, h * PITCH + place, x, at + place * step + h if h < features and place < places else NOWHERE)


@inlined
def index_of(x, b, place, head):
    """The index of a place's first feature."""
    return ((afresh(b) * x.shape[1] + place) * x.shape[2] + head) * x.shape[3]


@inlined
def meet(total, left, right, x, x_head, x_first, z, z_head, z_first, b, thread):
    """total[i, j], four rows and columns of it a thread = dot products of SIDE places of x with SIDE places of z."""
    clear(total, 16)
    for feature in range(0, x.shape[3], DEPTH):
        cuda.syncthreads()  # what the rooms held has been read
        features = x.shape[3] - feature
        turn(left, x, index_of(x, b, x_first, x_head) + feature, x.shape[1] - x_first, features, thread)
        turn(right, z, index_of(z, b, z_first, z_head) + feature, z.shape[1] - z_first, features, thread)
        commit()
        wait(0)
        cuda.syncthreads()
        for h in range(DEPTH):
            column, line = h * PITCH + 4 * cuda.threadIdx.y, h * PITCH + 4 * cuda.threadIdx.x
            multiply_add(total, left, column, 4, right, line, 4, 1, 1)


@inlined
def add_gathered(total, weights, right, x, b, head, first, start, thread):
    """As `gather`; a long sum in parts, whose registers are those of SIDE features."""
    if LONG:
        part = cuda.local.array(ONCE_EACH, REAL)
        for number in unrolled(PARTS):
            clear(part, ONCE_EACH)
            gather(part, weights, right, x, b, head, first, start + number * ONCE, thread)
            for n in unrolled(ONCE_EACH):
                total[n // ONCE_LANES * LANES + number * ONCE_LANES + n % ONCE_LANES] += part[n]
    else:
        gather(total, weights, right, x, b, head, first, start, thread)


@inlined
def gather(total, weights, right, x, b, head, first, start, thread):
    """Adds to total[i, j] the sum over SIDE places of weights[place, i] * x[place, start + j]: four rows and ONCE_LANES columns a thread."""
    for s in range(0, SIDE, DEPTH):
        cuda.syncthreads()  # the weights stand there, and what the room held has been read
        odd = int32(0)
        h, step = thread % RUN, afresh(x.shape[2] * x.shape[3])
        at, places = index_of(x, b, first + s, head) + start + h, x.shape[1] - first - s
        for load in range(DEPTH * RUN // THREADS):
            place = thread // RUN + load * (THREADS // RUN)
            for part in unrolled(RUNS):
                value = REAL(0)
                if start + h + part * RUN < x.shape[3] and place < places:
                    value = read(x, at + place * step + part * RUN)
                    if value - value != 0:
                        odd = int32(1)
                right[place * ONCE_PITCH + h + part * RUN] = value
        if cuda.syncthreads_or(odd):
            add_visible(total, weights, right, s)
        else:
            for place in range(DEPTH):
                column, line = (s + place) * PITCH + 4 * cuda.threadIdx.y, place * ONCE_PITCH + 4 * cuda.threadIdx.x
                multiply_add(total, weights, column, 4, right, line, SIDE, 1, ACROSS)


@inlined
def add_visible(total, weights, right, s):
    """As `gather` does for DEPTH places, but without those whose weight is -0.0."""
    for place in range(DEPTH):
        for p in unrolled(4):
            weight = weights[(s + place) * PITCH + 4 * cuda.threadIdx.y + p]
            if weight != 0 or math.copysign(1.0, weight) > 0:
                add_row(total, int64(p), weight, right, place * ONCE_PITCH + 4 * cuda.threadIdx.x)


@inlined
def add_row(total, p, weight, right, line):
    for j in unrolled(ONCE_LANES):
        total[p * ONCE_LANES + j] += weight * right[line + j // 4 * SIDE + j % 4]


@inlined
def mean_of_places(x, b, head, h):
    """What a query that sees nothing gets of the values."""
    total = float64(0)
    for place in range(x.shape[1]):
        total += float64(x[b, place, head, h])
    return total / x.shape[1]


@inlined
def sees(mask, causal, b, n, t, s):
    """Whether query t may see key s, and both exist."""
    if t >= mask.shape[2] or s >= mask.shape[3] or (causal and s > t):
        return False
    return mask[b, n, t, s]


@inlined
def place_of(e, by_query, by_key):
    """Where a thread's product e, of 16, lies in the room of the weights: SIDE x SIDE numbers at by_query * query + by_key * key."""
    return (4 * cuda.threadIdx.y + e // 4) * by_query + (4 * cuda.threadIdx.x + e % 4) * by_key


@inlined
def see(logits, weights, scale, bias, mask, causal, b, n, t, s):
    """A thread's 16 products, of queries t, t + 1, ... and keys s, s + 1, ..., become logits. Gives a bit for each that is seen.

    They pass through their places among the weights, one at a time: written out, the loop would keep the indices of 16 biases and masks
    in registers.
    """
    visible = int32(0)
    for p in unrolled(4):
        for r in unrolled(4):
            weights[place_of(int64(4 * p + r), 1, PITCH)] = logits[4 * p + r]
    for number in range(16):
        e = afresh(number)
        at, place, key = place_of(e, 1, PITCH), t + e // 4, s + e % 4
        if sees(mask, causal, b, n, place, key):
            weights[at] = weights[at] * REAL(scale) + bias[b, n, place, key]
            visible |= int32(1) << int32(e)
    for p in unrolled(4):
        for r in unrolled(4):
            logits[4 * p + r] = weights[place_of(int64(4 * p + r), 1, PITCH)]
    return visible
