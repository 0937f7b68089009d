"""Blocks as they are simulated here: one thread works at a time, from barrier to barrier."""

import threading

import numpy as np
import pytest
from numba import cuda

import refnet_fast.cuda.simulator  # noqa: F401  (its blocks take the place of Numba's)

SIZE = 8


def run(function, blocks=1, size=SIZE):
    """What a kernel leaves in an array of zeros, one for each thread."""
    y = np.zeros(blocks * size)
    cuda.jit(function)[blocks, size](y)
    return y


def test_every_thread_of_every_block_runs_once_in_one_python_thread():
    workers = set()

    def numbered(y):
        workers.add(threading.current_thread())
        y[cuda.grid(1)] += cuda.grid(1) + cuda.laneid / 100

    assert np.array_equal(run(numbered, blocks=3), np.arange(24) + np.tile(np.arange(8) / 100, 3))
    assert len(workers) == 3


def test_threads_of_two_axes():
    y = np.zeros((2, 3, 4))

    def places(y):
        here = cuda.threadIdx
        y[here.z, here.y, here.x] = cuda.laneid

    cuda.jit(places)[1, (4, 3, 2)](y)
    assert np.array_equal(y, np.arange(24).reshape(2, 3, 4))  # x is the fastest


@pytest.mark.parametrize("step", [1, SIZE - 1])
@pytest.mark.parametrize("barrier", [True, False])
def test_a_missing_barrier_shows_whichever_neighbour_is_read(step, barrier):
    def handed_on(y):
        thread = cuda.threadIdx.x
        room = cuda.shared.array(SIZE, np.float64)
        room[thread] = -1.0
        cuda.syncthreads()
        room[thread] = thread
        if barrier:
            cuda.syncthreads()
        y[thread] = room[(thread + step) % SIZE]

    due = np.roll(np.arange(SIZE), -step)
    assert np.array_equal(run(handed_on), due) == barrier


@pytest.mark.parametrize("barriers", [0, 1])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_missing_barrier_shows_in_one_of_two_blocks(step, barriers):
    """Where nobody reads around the end, too: in each stretch one block of two goes up and one goes down."""
    rooms = np.full((2, SIZE), -1.0)

    def handed_on(y):
        thread, room = cuda.threadIdx.x, rooms[cuda.blockIdx.x]
        for _ in range(barriers):
            cuda.syncthreads()
        room[thread] = thread
        y[cuda.grid(1)] = room[min(max(thread + step, 0), SIZE - 1)]

    due = np.clip(np.arange(SIZE) + step, 0, SIZE - 1)
    up, down = (np.array_equal(found, due) for found in run(handed_on, blocks=2).reshape(2, SIZE))
    assert up != down


def test_the_order_turns_after_a_barrier():
    """Of two neighbours either is the first at times, so that a barrier that is missing before or after one shows."""
    order = []

    def recorded(y):
        order.append(cuda.threadIdx.x)
        cuda.syncthreads()
        order.append(cuda.threadIdx.x)
        cuda.syncthreads()
        order.append(cuda.threadIdx.x)

    run(recorded, size=3)
    assert order == [0, 1, 2, 2, 1, 0, 0, 1, 2]


def test_threads_that_have_ended_are_not_waited_for():
    def counted(y):
        thread = cuda.threadIdx.x
        for _ in range(thread):
            cuda.syncthreads()
            y[thread] += 1

    assert np.array_equal(run(counted), np.arange(SIZE))


def test_votes():
    def voted(y):
        thread = cuda.threadIdx.x
        y[thread] = 100 * cuda.syncthreads_count(thread < 3) + 10 * cuda.syncthreads_or(thread == 9)
        y[thread] += cuda.syncthreads_and(thread < 9)

    assert np.array_equal(run(voted), np.full(SIZE, 301.0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("failing", [0, 3, SIZE - 1])
def test_what_a_thread_raises_is_raised_and_no_thread_stays(failing):
    before = threading.active_count()

    def failed(y):
        cuda.syncthreads()
        if cuda.threadIdx.x == failing:
            raise ValueError("no such number")
        cuda.syncthreads()

    with pytest.raises(ValueError, match=rf"tid=\[{failing}, 0, 0\] ctaid=\[0, 0, 0\]: no such number"):
        run(failed)
    assert threading.active_count() == before


class OfTwo(Exception):
    """As some of NumPy's, which say what they have to say of two arguments."""

    def __init__(self, one, other):
        super().__init__(one, other)


def test_what_is_raised_may_take_more_than_words():
    """Where Numba makes an exception anew, with the thread in its words, it takes the class for one of a single argument."""

    def failed(y):
        cuda.syncthreads()
        raise OfTwo("no such", "number")

    with pytest.raises(OfTwo):
        run(failed)
