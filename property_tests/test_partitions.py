"""A kernel cut into 1, 2, 7 or 64 pieces, run in any order, gives the same bits: threads cannot change a result.

It gives them whatever stood in its memory before, and writes nothing else.
"""

import ctypes
import inspect
import os

import numpy as np
import pytest

from refnet.definition import Op
from refnet.engine import get_engine, spec_of
from refnet.testing.draw import Seeded
from refnet.testing.strategies import case, primitives
from refnet_fast import kernels
from refnet_fast.build import build_all
from refnet_fast.chains import rows_of
from refnet_fast.engine import single
from refnet_fast.plan import Plan

KERNEL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
# glibc fills memory that is given back with this byte and new memory with its complement: 3.0 and -1.5 in float32.
M_PERTURB, SPOILED = -6, 0x40


@pytest.fixture(autouse=True)
def memory_that_was_used_before():
    """What kernels take as scratch is full of numbers, where the C library can be asked to fill it."""
    found = getattr(ctypes.CDLL(None), "mallopt", lambda *given: 0) if os.name == "posix" else lambda *given: 0
    found(M_PERTURB, SPOILED)
    yield
    found(M_PERTURB, 0)


def run_in_pieces(running, feeds, pieces):
    """One run of a program as `pieces` threads would divide it, one piece after the other, the last first."""
    memory = running.memory
    memory.room[:] = pieces + 60
    for buffer, array in zip(running.inputs, feeds):
        buffer[...] = array
    before = memory.room.copy()
    for group in running.groups_of_rows:
        head = group[0]
        units = -(-head.tasks // head.quantum)
        count = 1 if any(row.serial for row in group) else pieces
        compiled = [KERNEL(build_all([row.kernel])[row.kernel]) for row in group]
        frames = [np.array(row.frame, np.int64) for row in group]
        for piece in reversed(range(count)):
            low = min(head.tasks, units * piece // count * head.quantum)
            high = min(head.tasks, units * (piece + 1) // count * head.quantum)
            if low < high:
                for kernel, frame in zip(compiled, frames):
                    assert kernel(frame.ctypes.data, low, high) == 0, "a kernel raised"
        for start, end in (interval for row in group for interval in row.writes):
            before[start - memory.start : end - memory.start] = memory.room[start - memory.start : end - memory.start]
    assert np.array_equal(memory.room, before), "a kernel wrote what is not its result"
    return [np.array(running.memory.array(y)) for y in running.plan.outputs]


@pytest.mark.parametrize("name", primitives())
def test_pieces_give_the_same_bits(native_engine, name):
    op = Op.named[name]
    for number in range(4):
        drawn = case(name, Seeded((name, number), large=number == 3))
        specs = [spec_of(a) for a in drawn.arrays]
        running = get_engine(native_engine).build(single(op, specs, drawn.attributes))
        whole = [y.tobytes() for y in running.run(drawn.arrays)]
        for pieces in (1, 2, 7, 64):
            assert [y.tobytes() for y in run_in_pieces(running, drawn.arrays, pieces)] == whole, f"{pieces} pieces"


ALL_ROWS = inspect.signature(kernels.kernel).parameters["rows"].default
kernels.load()
ROW_BY_ROW = [name for name in primitives() if any(k.rows is not ALL_ROWS for k in kernels.tuned.get(name, ()))]


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_a_row_is_made_of_its_own_rows_alone(name):
    """Of inputs that a kernel says it reads row by row: a chain goes block by block, before the rows of later blocks are there."""
    op, cpu, held = Op.named[name], get_engine("cpu"), 0
    for number in range(200):
        drawn = case(name, Seeded((name, number)))
        (unit,) = Plan(single(op, [spec_of(a) for a in drawn.arrays], drawn.attributes)).units
        rows, positions = rows_of(unit) or (0, ())
        if held == 12:
            break
        if rows < 2:
            continue
        held += 1
        due = cpu.compute(op, drawn.arrays, drawn.attributes)
        for kept in (np.arange(rows) < rows // 2, np.arange(rows) >= rows // 2):
            arrays = [np.array(a) for a in drawn.arrays]
            for position in positions:
                arrays[position][~kept] = arrays[position][kept][0]
            for y, before in zip(cpu.compute(op, arrays, drawn.attributes), due, strict=True):
                ours, theirs = (result.reshape(rows, -1)[kept] for result in (y, before))
                assert ours.tobytes() == theirs.tobytes()
    assert held >= 3


@pytest.mark.parametrize("name", [name + end for name in ("simple_rnn", "lstm", "gru") for end in ("", "_gradient")])
def test_masks_that_drop_in_the_last_rows_alone(native_engine, name):
    """A share whose masks are all 1 adds up in the same order as one that drops."""
    gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[name.removesuffix("_gradient")]
    cases = (case(name, Seeded((name, number), large=True)) for number in range(100))
    drawn = next(c for c in cases if c.arrays[-1].shape[0] == gates and c.arrays[-1].shape[1] >= 14)
    rng, arrays = np.random.default_rng(0), list(drawn.arrays)
    for place, array in enumerate(arrays):
        if array.dtype != bool:
            arrays[place] = rng.uniform(0.1, 0.9, array.shape).astype(array.dtype)
    arrays[-1][:, :12], arrays[-1][:, 12:] = 1, 0.5
    running = get_engine(native_engine).build(single(Op.named[name], [spec_of(a) for a in arrays], drawn.attributes))
    whole = [y.tobytes() for y in running.run(arrays)]
    for pieces in (2, 64):
        assert [y.tobytes() for y in run_in_pieces(running, arrays, pieces)] == whole, f"{pieces} pieces"


@pytest.mark.parametrize("pieces", [2, 7, 64])
def test_a_larger_product_in_pieces(native_engine, pieces):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((130, 67)).astype("float32"), rng.standard_normal((67, 90)).astype("float32")]
    op, attributes = Op.named["matmul"], {"transpose1": False, "transpose2": False}
    running = get_engine(native_engine).build(single(op, [spec_of(a) for a in arrays], attributes))
    whole = running.run(arrays)[0].tobytes()
    assert run_in_pieces(running, arrays, pieces)[0].tobytes() == whole
