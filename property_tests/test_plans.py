"""What a plan makes of any program: carried out in Python by the definitions, it gives the reference's bits.

Drawn programs share values, read and write variables between their nodes, take gradients and update, with several outputs.
"""

import os
from random import Random

import numpy as np
import pytest
from drawn_programs import Drawn
from plan_in_python import PlanInPython

from refnet.engine import get_engine
from refnet_fast.memory import Arena


@pytest.mark.parametrize("seed", range(10_000 if os.environ.get("REFNET_PROFILE") == "deep" else 300))
def test_a_plan_gives_the_bits_of_its_program(seed):
    drawn = Drawn(Random(seed))
    feeds, variables = drawn.feeds, drawn.variables
    before, run = [v.numpy() for v in variables], get_engine("reference").prepare(drawn.program).run
    due = [*run(feeds), *run(feeds), *(v.numpy() for v in variables)]
    for variable, value in zip(variables, before):
        variable.array[...] = value
    planned = PlanInPython(drawn.program, feeds)
    got = [*planned.run(feeds), *planned.run(feeds), *(v.numpy() for v in variables)]
    for number, (one, other) in enumerate(zip(due, got, strict=True)):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert np.array_equal(one, other, equal_nan=True), f"result {number}"
        known = ~np.isnan(one)
        assert np.array_equal(np.signbit(one[known]), np.signbit(other[known])), f"signs of result {number}"


def test_drawn_programs_hold_what_plans_are_made_of():
    """Chains, merged updates, values written in place and poolings before relu are among those that the test above draws."""
    drawn = [Drawn(Random(seed)) for seed in range(150)]
    found = [PlanInPython(d.program, d.feeds) for d in drawn]
    assert sum(plan.chained > 0 for plan in found) >= 15
    assert sum(plan.merged > 0 for plan in found) >= 5
    assert sum(any(unit.commits for unit in plan.plan.units) for plan in found) >= 30
    assert sum(pools_first(plan.plan) for plan in found) >= 15


def test_an_arena_gives_no_memory_twice_and_joins_what_comes_back():
    random, arena, taken = Random(0), Arena(), {}
    for _ in range(500):
        if taken and random.random() < 0.5:
            offset = random.choice(list(taken))
            arena.give(offset, taken.pop(offset))
        else:
            size = 64 * random.randint(1, 5)
            offset = arena.take(size)
            assert all(offset + size <= at or at + extent <= offset for at, extent in taken.items())
            taken[offset] = size
            assert offset + size <= arena.top
        assert sum(arena.holes.values()) + sum(taken.values()) == arena.top
    for offset, size in taken.items():
        arena.give(offset, size)
    assert arena.holes == {0: arena.top}


def pools_first(plan):
    """Whether a plan rectifies the maxima of windows."""
    nodes = [node for unit in plan.units for node in unit.nodes]
    largest = {node.outputs[0] for node in nodes if node.op.name == "max_pool2d"}
    return any(node.op.name == "relu" and node.inputs[0] in largest for node in nodes)
