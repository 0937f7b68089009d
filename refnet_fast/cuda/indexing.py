"""Rows of a table picked by number, and the gradient of that: a stable sort of the numbers, then one sum for each row.

No two threads ever add to one place, so the gradient has the same bits in every run.
"""

from numba import cuda, float64, int64

from refnet.ops.indexing import row_of as definition_of_row
from refnet_fast.cuda import rows
from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import kernel, then
from refnet_fast.cuda.target import simulated


def bisected(numbers, least):
    """Where the first of sorted numbers stands that is not below `least`."""
    first, end = 0, numbers.shape[0]
    while first < end:
        middle = (first + end) // 2
        if numbers[middle] < least:
            first = middle + 1
        else:
            end = middle
    return first


row_of, first_not_below = device(definition_of_row), device(bisected)

WIDE, HIGH = (4, 2) if simulated() else (32, 4)  # threads of a block: neighbouring ones on neighbouring columns
EACH = 8  # rows of a table that a block sums up
BINS = 256  # digits of a number, and numbers that a block sorts


# ---- picking


def picks_rows(call):
    """Rows long enough for neighbouring threads to read neighbours."""
    outer, _, inner = call.form.inputs[0].shape
    return inner >= 8 and 0 < outer < 65536


@kernel(
    "take",
    when=picks_rows,
    grid=lambda call: (-(-call.form.outputs[0].shape[1] // HIGH), call.form.outputs[0].shape[0]),
    block=(WIDE, HIGH),
)
def take_rows(x, indices, y):
    """One row a warp."""
    j, o = cuda.blockIdx.x * HIGH + cuda.threadIdx.y, cuda.blockIdx.y
    if j < y.shape[1]:
        row = row_of(indices[j], x.shape[1])
        for i in range(cuda.threadIdx.x, y.shape[2], WIDE):
            y[o, j, i] = x[o, row, i]


# ---- the gradient: a radix sort by 8 bits at a time, each number with the place it came from


def worth_sorting(call):
    """More than one thread should go through, and few enough rows for three digits."""
    outer, length, inner = call.form.outputs[0].shape
    count = call.form.inputs[1].shape[0]
    return rows.floating(call, 0) and count > 0 and count + length >= 256 and length <= BINS**3 and 0 < outer < 65536


def chunks(call):
    return (-(-call.form.inputs[1].shape[0] // BINS),)


def sorting_rooms(call):
    """Numbers and their places, before and after a pass; ranks within a chunk; digits of each chunk, and where they go."""
    count, (blocks,) = call.form.inputs[1].shape[0], chunks(call)
    return [((2, count), "int64")] * 2 + [((count,), "int64")] + [((blocks, BINS), "int64")] * 2


@kernel("take_x_gradient", when=worth_sorting, grid=chunks, block=(BINS,), rooms=sorting_rooms, more=(0,))
def take_x_gradient_sorted(dy, indices, dx, numbers, places, ranks, counts, starts, turn):
    """How many of a chunk have each digit, and how many of the same digit come before each."""
    digits = cuda.shared.array(BINS, int64)
    thread, chunk = cuda.threadIdx.x, cuda.blockIdx.x
    j, digit, number = cuda.grid(1), int64(-1), int64(0)
    if j < indices.shape[0]:
        if turn == 0:
            number = int64(row_of(indices[j], dx.shape[1]))
            numbers[0, j] = number
            places[0, j] = j
        else:
            number = numbers[turn % 2, j]
        digit = (number >> (8 * turn)) % BINS
    digits[thread] = digit
    counts[chunk, thread] = 0
    cuda.syncthreads()
    if digit >= 0:
        before, total = int64(0), int64(0)
        for k in range(BINS):
            if digits[k] == digit:
                total += 1
                if k < thread:
                    before += 1
        ranks[j] = before
        if before == total - 1:
            counts[chunk, digit] = total


def starts_of_digits(dy, indices, dx, numbers, places, ranks, counts, starts, turn):
    """Where each chunk's numbers of each digit go: one digit a thread, the chunks in order."""
    before = cuda.shared.array(BINS, int64)
    digit = cuda.threadIdx.x
    total = int64(0)
    for chunk in range(counts.shape[0]):
        total += counts[chunk, digit]
    before[digit] = total
    cuda.syncthreads()
    start = int64(0)
    for k in range(digit):
        start += before[k]
    for chunk in range(counts.shape[0]):
        starts[chunk, digit] = start
        start += counts[chunk, digit]


def numbers_in_place(dy, indices, dx, numbers, places, ranks, counts, starts, turn):
    """Each number to where the pass puts it."""
    j = cuda.grid(1)
    if j < indices.shape[0]:
        number = numbers[turn % 2, j]
        place = starts[cuda.blockIdx.x, (number >> (8 * turn)) % BINS] + ranks[j]
        numbers[(turn + 1) % 2, place] = number
        places[(turn + 1) % 2, place] = places[turn % 2, j]


def _passes():
    for turn in range(3):

        def needed(call, turn=turn):
            return turn == 0 or call.form.outputs[0].shape[1] > BINS**turn

        every = {"needed": needed, "more": (turn,), "block": (BINS,)}
        if turn > 0:
            then(take_x_gradient_sorted, grid=chunks, **every)(take_x_gradient_sorted)
        then(take_x_gradient_sorted, grid=lambda call: (1,), **every)(starts_of_digits)
        then(take_x_gradient_sorted, grid=chunks, **every)(numbers_in_place)


_passes()


@then(
    take_x_gradient_sorted,
    grid=lambda call: (-(-call.form.outputs[0].shape[1] // EACH), call.form.outputs[0].shape[0]),
    block=(WIDE, HIGH),
    more=(0,),
)
def sums_of_rows(dy, indices, dx, numbers, places, ranks, counts, starts, turn):
    """Eight rows of the table a block: it finds a row's numbers by bisection and adds up what came from them, a share a lane."""
    room = cuda.shared.array((HIGH, WIDE), float64)
    column, lane, o = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.y
    last = 1 if dx.shape[1] <= BINS or dx.shape[1] > BINS * BINS else 0  # which half the last pass wrote
    for row in range(cuda.blockIdx.x * EACH, min((cuda.blockIdx.x + 1) * EACH, dx.shape[1])):
        first = first_not_below(numbers[last], row)
        end = first_not_below(numbers[last], row + 1)
        for left in range(0, dx.shape[2], WIDE):
            i, total = left + column, float64(0)
            if i < dx.shape[2]:
                for k in range(first + lane, end, HIGH):
                    total += float64(dy[o, places[last, k], i])
            room[lane, column] = total
            cuda.syncthreads()
            if lane == 0 and i < dx.shape[2]:
                for k in range(1, HIGH):
                    total += room[k, column]
                dx[o, row, i] = total
            cuda.syncthreads()
