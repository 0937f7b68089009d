"""Depthwise convolution, filters that see one channel each, and its gradients: bound by memory, so every row is read once.

A block owns a few neighbouring channels and a strip of columns and walks down the rows. A ring in shared memory holds the rows of the
image that a row's windows lie on, and those that are on their way; neighbouring threads work on neighbouring channels.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import cuda

from refnet.definition import size_of
from refnet.ops.convolution import conv2d_inputs_gradient_loop, conv2d_kernel_gradient_loop, conv2d_loop
from refnet_fast.cuda import rows
from refnet_fast.cuda.contraction import BLOCKS, MOST
from refnet_fast.cuda.kernels import Kernel, Step, tuned
from refnet_fast.cuda.target import capable, simulated
from refnet_fast.cuda.text import inlined, unrolled
from refnet_fast.cuda.tile import NOWHERE, commit, copy, put_one, read, wait

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

AHEAD = 3  # steps down for which rows are asked before they are needed
ACROSS = 4  # neighbouring columns of a thread
SHARED = 48 * 1024  # bytes of shared memory that a block may have
HELD = 64  # taps of a window, whose weights or sums a thread holds in registers


@inlined
def fetch(room, to, image, n, row, left, first, repeats, pixels, wide, thread):
    """A row of an image on its way to the ring: `wide` channels of `pixels` places, 0 where there is none.

    Args:
        to: where it goes.
        n, row, left, first: the image, the row, the first column, the first channel; there are SPREAD - 1 rows and columns of
            zeros between those of the image, and it looks as if each channel were there `repeats` times.
    """
    inside = row >= 0 and row // SPREAD_DOWN * SPREAD_DOWN == row and row // SPREAD_DOWN < image.shape[1]
    start = (n * image.shape[1] + row // SPREAD_DOWN) * image.shape[2]
    for number in range(thread, pixels * wide, THREADS):
        column, channel = left + number // wide, (first + number % wide) // repeats
        place = column // SPREAD_OVER
        there = inside and column >= 0 and place * SPREAD_OVER == column
        there = there and place < image.shape[2] and channel < image.shape[3]
        copy(room, to + number, image, (start + place) * image.shape[3] + channel if there else NOWHERE)


def depthwise(x, kernel, y, padding, cuts, given):
    """ROWS of y at most in a block, ACROSS columns of a channel a thread; the weights of its channel stay in registers.

    The inputs' gradient is the convolution of dy, spread by the strides, with the filters turned around. What a window covers outside
    the image is read as 0, which is right unless a weight is not finite: then a thread's elements are computed once more, by the definition.

    Args:
        padding: rows and columns before the image.
        cuts: blocks over channels, columns and rows; rows of a block.
        given: the attributes of the definition.
    """
    ring = cuda.shared.array(RING_ROOM, REAL)
    weights = cuda.local.array(WEIGHTS, REAL)
    total = cuda.local.array(ACROSS, REAL)
    thread = cuda.threadIdx.x
    lane, line = thread % LANES, thread // LANES
    tile, rest = cuda.blockIdx.x % cuts[0], cuda.blockIdx.x // cuts[0]
    start, rest = rest % cuts[1] * COLUMNS, rest // cuts[1]
    top, n = rest % cuts[2] * cuts[3], rest // cuts[2]
    channel = tile * LANES + lane
    for tap in unrolled(TAPS):
        for o in unrolled(EACH):
            weights[tap * EACH + o] = 0
            if channel < y.shape[3]:
                at = TAPS - 1 - tap if TURNED else tap
                weights[tap * EACH + o] = read(kernel, (at * y.shape[3] + channel) * EACH + o)
    count, finite = min(cuts[3], y.shape[1] - top), True
    for step in range(-AHEAD, count):
        if step >= 0:
            wait(AHEAD - 1)
        cuda.syncthreads()
        if step + AHEAD < count:
            end = (step + AHEAD) * DOWN + SPAN
            for row in range(end - DOWN if step > -AHEAD else 0, end):
                to, above, left = row % RING * PIXELS * WIDE, top * DOWN + row - padding[0], start * OVER - padding[1]
                fetch(ring, to, x, n, above, left, tile * WIDE, REPEATS, PIXELS, WIDE, thread)
        commit()
        if step >= 0:
            for w in unrolled(ACROSS):
                total[w] = 0
            for p in unrolled(DOWN_TAPS):
                at = ((step * DOWN + p * GAP_DOWN) % RING * PIXELS + line * ACROSS * OVER) * WIDE + lane * EACH
                for q in unrolled(ACROSS_TAPS):
                    for o in unrolled(EACH):
                        for w in unrolled(ACROSS):
                            value = ring[at + (w * OVER + q * GAP_OVER) * WIDE + o]
                            total[w] += value * weights[(p * ACROSS_TAPS + q) * EACH + o]
            for w in unrolled(ACROSS):
                i, j = top + step, start + line * ACROSS + w
                if channel < y.shape[3] and j < y.shape[2]:
                    put_one(y, ((n * y.shape[1] + i) * y.shape[2] + j) * y.shape[3] + channel, total[w])
                    finite = finite and total[w] - total[w] == 0
    if not finite:
        for i in range(top, top + count):
            for j in range(start + line * ACROSS, min(start + line * ACROSS + ACROSS, y.shape[2])):
                definition(((n, i, j, channel),), x, kernel, given[0], given[1], given[2], y)


def depthwise_taps(x, dy, dkernel, padding, cuts, given, partial):
    """The kernel's gradient: every sum of a filter's window in registers, while the block walks over strips of images, one after
    the other. Its threads' sums are added in a fixed order, and so are those of blocks, by `sum_of_strips`.

    Args:
        cuts: blocks over channels, columns and rows of an image; rows of a strip; strips; blocks that share them.
        partial: sums of blocks.
    """
    ring = cuda.shared.array(RING_ROOM, REAL)
    above = cuda.shared.array(ABOVE_ROOM, REAL)
    total = cuda.local.array(TAPS, REAL)
    slope = cuda.local.array(ACROSS, REAL)
    thread = cuda.threadIdx.x
    lane, line = thread % LANES, thread // LANES
    tile, part = cuda.blockIdx.x % cuts[0], cuda.blockIdx.x // cuts[0]
    channel, each = tile * LANES + lane, (cuts[4] + cuts[5] - 1) // cuts[5]
    for tap in unrolled(TAPS):
        total[tap] = 0
    for strip in range(part * each, min((part + 1) * each, cuts[4])):
        start, rest = strip % cuts[1] * COLUMNS, strip // cuts[1]
        top, n = rest % cuts[2] * cuts[3], rest // cuts[2]
        count = min(cuts[3], dy.shape[1] - top)
        for step in range(-AHEAD, count):
            if step >= 0:
                wait(AHEAD - 1)
            cuda.syncthreads()
            if step + AHEAD < count:
                end = (step + AHEAD) * DOWN + SPAN
                for row in range(end - DOWN if step > -AHEAD else 0, end):
                    to, high, left = (
                        row % RING * PIXELS * WIDE,
                        top * DOWN + row - padding[0],
                        start * OVER - padding[1],
                    )
                    fetch(ring, to, x, n, high, left, tile * WIDE, REPEATS, PIXELS, WIDE, thread)
                to = (step + AHEAD) % (AHEAD + 1) * COLUMNS * LANES
                high = top + step + AHEAD
                fetch(above, to, dy, n, high, start, tile * LANES, 1, COLUMNS, LANES, thread)
            commit()
            if step >= 0:
                for w in unrolled(ACROSS):
                    slope[w] = above[(step % (AHEAD + 1) * COLUMNS + line * ACROSS + w) * LANES + lane]
                for p in unrolled(DOWN_TAPS):
                    at = ((step * DOWN + p * GAP_DOWN) % RING * PIXELS + line * ACROSS * OVER) * WIDE + lane
                    for q in unrolled(ACROSS_TAPS):
                        for w in unrolled(ACROSS):
                            total[p * ACROSS_TAPS + q] += ring[at + (w * OVER + q * GAP_OVER) * WIDE] * slope[w]
    for tap in unrolled(TAPS):
        cuda.syncthreads()
        above[thread] = total[tap]
        cuda.syncthreads()
        if line == 0 and channel < dy.shape[3]:
            whole = above[lane]
            for k in range(1, LINES):
                whole += above[k * LANES + lane]
            partial[(part * TAPS + tap) * dy.shape[3] + channel] = whole


def sum_of_strips(x, dy, dkernel, padding, cuts, given, partial):
    """One element of the kernel's gradient a thread: the blocks' sums, always in the same order."""
    at = cuda.grid(1)
    if at < dkernel.size:
        total = partial[at]
        for part in range(1, cuts[5]):
            total += partial[part * dkernel.size + at]
        put_one(dkernel, at, total)
        if total - total != 0:
            f, tap = at % dkernel.shape[3], at // dkernel.shape[3]
            task = (tap // dkernel.shape[1], tap % dkernel.shape[1], 0, f)
            definition((task,), x, dy, given[0], given[1], given[2], dkernel)


# ---- how a call is cut


class Windows(NamedTuple):
    """Windows on images, a filter for each channel, and how blocks share them.

    Args:
        results: the shape of what has a place for each window.
        taps: extents of a window.
        strides, dilation, padding: of the windows.
        real, short: what is computed in; whether what is read are 16-bit floats.
        spread, repeats: what lies between the image's rows and columns, and how often each channel is read: see `fetch`.
        each: channels of the image that a channel of the results takes together.
        turned: whether the kernel is turned around.
    """

    results: tuple
    taps: tuple
    strides: tuple
    dilation: tuple
    padding: tuple
    real: type
    short: bool
    spread: tuple = (1, 1)
    repeats: int = 1
    each: int = 1
    turned: bool = False

    @property
    def lanes(self):
        return 2 if simulated() else min(32, 1 << (self.results[3] - 1).bit_length())

    @property
    def lines(self):
        return 2 if simulated() else min(128 // self.lanes, -(-self.results[2] // ACROSS))

    @property
    def columns(self):
        return self.lines * ACROSS

    @property
    def across(self):
        """Blocks over channels, and over columns."""
        return -(-self.results[3] // self.lanes), -(-self.results[2] // self.columns)

    @property
    def rows(self):
        """Rows of a block: all of an image, or fewer where there would be few blocks."""
        blocks, height = self.results[0] * size_of(self.across), self.results[1]
        wanted, least = (2, 2) if simulated() else (4 * BLOCKS, 4)
        return min(height, max(least, -(-height // -(-wanted // blocks))))

    @property
    def cuts(self):
        return *self.across, -(-self.results[1] // self.rows), self.rows

    @property
    def span(self):
        return (self.taps[0] - 1) * self.dilation[0] + 1

    @property
    def pixels(self):
        return (self.columns - 1) * self.strides[1] + (self.taps[1] - 1) * self.dilation[1] + 1

    def constants(self):
        ring, wide = self.span + AHEAD * self.strides[0], self.lanes * self.each
        return {
            **{"LANES": self.lanes, "LINES": self.lines, "COLUMNS": self.columns, "THREADS": self.lanes * self.lines},
            **{"DOWN_TAPS": self.taps[0], "ACROSS_TAPS": self.taps[1], "TAPS": size_of(self.taps)},
            **{"WEIGHTS": size_of(self.taps) * self.each, "DOWN": self.strides[0], "OVER": self.strides[1]},
            **{"GAP_DOWN": self.dilation[0], "GAP_OVER": self.dilation[1], "SPAN": self.span, "RING": ring},
            **{"PIXELS": self.pixels, "WIDE": wide, "RING_ROOM": ring * self.pixels * wide},
            **{"ABOVE_ROOM": (AHEAD + 1) * self.columns * self.lanes, "REPEATS": self.repeats, "EACH": self.each},
            **{
                "SPREAD_DOWN": self.spread[0],
                "SPREAD_OVER": self.spread[1],
                "TURNED": self.turned,
                "AHEAD": AHEAD,
                "ACROSS": ACROSS,
                "REAL": self.real,
            },
            "BOUNDS": (self.lanes * self.lines, self.blocks),
        }

    @property
    def blocks(self):
        """Blocks for which a multiprocessor is to have registers."""
        return 4 if size_of(self.taps) * self.each <= 25 and not self.short else 3

    @property
    def possible(self):
        """Whether a block's rows fit into shared memory, a thread's weights into registers, and there is something to do."""
        constants, size = self.constants(), np.dtype(self.real).itemsize
        fits = (constants["RING_ROOM"] + constants["ABOVE_ROOM"]) * size <= SHARED
        fits = fits and 0 < constants["WEIGHTS"] * size <= 4 * HELD
        return fits and 0 not in self.results and self.results[0] * size_of(self.cuts[:3]) < MOST


def forward(call):
    x, kernel = (view.shape for view in call.form.inputs)
    strides, dilation, padding = call.form.attributes
    results = call.form.outputs[0].shape
    return Windows(results, kernel[:2], strides, dilation, padding, *real(call), repeats=kernel[3] // x[3])


def backward(call):
    dy, kernel = (view.shape for view in call.form.inputs)
    strides, dilation, padding = call.form.attributes
    results = call.form.outputs[0].shape
    before = tuple((n - 1) * d - p for n, d, p in zip(kernel, dilation, padding))
    each = dy[3] // results[3]
    return Windows(results, kernel[:2], (1, 1), dilation, before, *real(call), strides, each=each, turned=True)


def to_kernel(call):
    x, dy = (view.shape for view in call.form.inputs)
    strides, dilation, padding = call.form.attributes
    taps = call.form.outputs[0].shape[:2]
    return Windows(dy, taps, strides, dilation, padding, *real(call), repeats=dy[3] // x[3])


def parts(windows):
    """Among how many blocks the strips of the kernel's gradient are shared."""
    strips = windows.results[0] * windows.cuts[1] * windows.cuts[2]
    return strips, min(strips, max(1, (4 if simulated() else 4 * BLOCKS) // windows.cuts[0]))


def real(call):
    """What is computed in; whether it is wider than what is read."""
    return (np.float64 if "float64" in call.dtypes else np.float32), not call.dtypes & {"float32", "float64"}


def single_channels(call):
    """Whether these are floats of one kind, and every filter sees one channel out of several."""
    groups, full = call.attributes["groups"], 0 not in (size_of(s.shape) for s in (*call.inputs, *call.outputs))
    kernel = call.outputs[0] if call.op.name.endswith("kernel_gradient") else call.inputs[1]
    return full and groups > 1 and kernel.shape[2] == 1 and rows.floating(call) and len(call.dtypes) == 1


def declare(op_name, name, windows_of, definition):
    """Declares the kernel of an op: `windows_of(call)` gives its Windows."""

    def when(call):
        return single_channels(call) and capable((8, 0)) and windows_of(call).possible

    def constants(call):
        return {**windows_of(call).constants(), "definition": definition}

    def blocks(call):
        windows = windows_of(call)
        among = parts(windows)[1] if sums else windows.results[0] * size_of(windows.cuts[1:3])
        return (windows.cuts[0] * among,)

    def arguments(call, inputs, outputs):
        windows = windows_of(call)
        cuts = (*windows.cuts, *parts(windows)) if sums else windows.cuts
        return [*inputs, *outputs, windows.padding, cuts, call.form.attributes]

    def rooms(call):
        count = parts(windows_of(call))[1] * size_of(call.outputs[0].shape)
        return [((count,), real(call)[0].__name__)] if sums else []

    sums = op_name.endswith("kernel_gradient")
    first = Step(
        depthwise_taps if sums else depthwise,
        blocks,
        lambda call: (windows_of(call).lanes * windows_of(call).lines,),
        constants=constants,
    )
    made = Kernel(first, when, arguments, rooms)
    if sums:
        threads = 4 if simulated() else 128
        over = lambda call: (math.ceil(size_of(call.outputs[0].shape) / threads),)
        given = lambda call: {"definition": definition}
        made.steps.append(Step(sum_of_strips, over, (threads,), constants=given))
    made.name = first.name = name
    tuned.setdefault(op_name, []).insert(0, made)


declare("conv2d", "depthwise_windows", forward, conv2d_loop)
declare("conv2d_inputs_gradient", "depthwise_inputs_gradient_windows", backward, conv2d_inputs_gradient_loop)
declare("conv2d_kernel_gradient", "depthwise_kernel_gradient_taps", to_kernel, conv2d_kernel_gradient_loop)
