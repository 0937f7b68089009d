"""A stable sort of whole numbers by their digits, as steps of any kernel that adds to places which its data name.

A digit takes three launches: how many of a chunk have each digit; a running sum of that over the chunks, a digit a block; each number
to its place. What is left to the kernel is to write the numbers first, and to add up what stands side by side afterwards: one thread for
each place, in a fixed order, so no float is ever added atomically.
"""

from numba import cuda, int32

from refnet_fast.cuda.derive import device
from refnet_fast.cuda.kernels import then
from refnet_fast.cuda.target import simulated

BITS = 2 if simulated() else 8  # of a digit
BINS = 1 << BITS  # digits, and numbers that a block sorts
MOST = 2**31 - 1  # what numbers, and how many there are, lie below


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


first_not_below = device(bisected)


def chunks(count):
    return -(-count // BINS)


def rooms(count):
    """Numbers and what each came from, before and after a digit; ranks within a chunk; digits of each chunk, and of all."""
    return [((2, count), "int32")] * 2 + [((count,), "int32"), ((BINS, chunks(count)), "int32"), ((BINS,), "int32")]


def turns(below):
    """How many digits numbers below this have."""
    return max(1, -(-(below - 1).bit_length() // BITS))


def sort_by_digits(first, given, count, below):
    """Declares the sort as steps of the kernel that begins with `first`. It ends in half `turns(below) % 2` of the rooms.

    Args:
        given: how many arguments the kernel has before those of `rooms`; its first step wrote half 0 of the first two.
        count: `count(call)`, how many numbers there are.
        below: `below(call)`, what they lie below.
    """
    blocks, place = (lambda call: (chunks(count(call)),)), slice(given, None)
    for turn in range(-(-31 // BITS)):

        def needed(call, turn=turn):
            return turn < turns(below(call))

        every = {"needed": needed, "more": (turn,), "block": (BINS,), "given": place}
        then(first, grid=blocks, **every)(digits_of_chunks)
        then(first, grid=lambda call: (BINS,), **every)(starts_of_chunks)
        then(first, grid=blocks, **every)(numbers_in_place)


def digits_of_chunks(numbers, places, ranks, counts, totals, turn):
    """How many of a chunk have each digit, and how many of the same digit come before each."""
    digits = cuda.shared.array(BINS, int32)
    thread, chunk, j = cuda.threadIdx.x, cuda.blockIdx.x, cuda.grid(1)
    digit = -1
    if j < ranks.shape[0]:
        digit = (numbers[turn % 2, j] >> (BITS * turn)) % BINS
    digits[thread] = digit
    counts[thread, chunk] = 0
    cuda.syncthreads()
    if digit >= 0:
        before, total = 0, 0
        for k in range(BINS):
            if digits[k] == digit:
                total += 1
                if k < thread:
                    before += 1
        ranks[j] = before
        if before == total - 1:
            counts[digit, chunk] = total


def starts_of_chunks(numbers, places, ranks, counts, totals, turn):
    """How many of a digit stand in earlier chunks, a digit a block: each thread adds up its share of the chunks, then the threads' sums
    become sums of 2, 4, 8, ... threads, and each goes through its share once more."""
    sums = cuda.shared.array(BINS, int32)
    thread, digit = cuda.threadIdx.x, cuda.blockIdx.x
    share = (counts.shape[1] + BINS - 1) // BINS
    first, end = thread * share, min((thread + 1) * share, counts.shape[1])
    total = 0
    for chunk in range(first, end):
        total += counts[digit, chunk]
    sums[thread] = total
    cuda.syncthreads()
    apart = 1
    while apart < BINS:
        more = 0
        if thread >= apart:
            more = sums[thread - apart]
        cuda.syncthreads()
        sums[thread] += more
        cuda.syncthreads()
        apart *= 2
    earlier = sums[thread] - total
    for chunk in range(first, end):
        here = counts[digit, chunk]
        counts[digit, chunk] = earlier
        earlier += here
    if thread == BINS - 1:
        totals[digit] = sums[thread]


def numbers_in_place(numbers, places, ranks, counts, totals, turn):
    """Each number to where the digit puts it: behind all smaller digits, behind the same one of earlier chunks."""
    smaller = cuda.shared.array(BINS, int32)
    thread, j, total = cuda.threadIdx.x, cuda.grid(1), 0
    for digit in range(thread):
        total += totals[digit]
    smaller[thread] = total
    cuda.syncthreads()
    if j < ranks.shape[0]:
        number = numbers[turn % 2, j]
        digit = (number >> (BITS * turn)) % BINS
        place = smaller[digit] + counts[digit, cuda.blockIdx.x] + ranks[j]
        numbers[(turn + 1) % 2, place] = number
        places[(turn + 1) % 2, place] = places[turn % 2, j]
