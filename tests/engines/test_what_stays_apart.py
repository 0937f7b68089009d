"""Programs whose parts look alike to a planner and are not: updates of one kind, calls whose attributes are equal."""

import numpy as np
import pytest

import refnet_fast
from refnet import ops
from refnet.engine import get_engine, use_engine
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.program import Program
from refnet.testing.whole import hold_program


def counted(*shape):
    return np.arange(1, 1 + np.prod(shape), dtype="float32").reshape(shape)


def values_after(assigned, x, feed):
    """What variables hold after a program that assigns to them has run on the cpu engine, held to its certificate."""
    records = [assignment(variable, value) for variable, value in assigned]
    assert 0 <= hold_program(Program([x], [ops.sum(x)], records, Mode(True)), [feed], "cpu") <= 1
    return [variable.numpy() for variable, _ in assigned]


@pytest.mark.parametrize("place", [0, 1])
def test_a_variable_as_the_slope_of_one_of_two_updates(place):
    """Slopes that are computed may lie side by side; a variable that only this update reads stays where it is."""
    weights, rate, fixed = [Variable(counted(3)), Variable(counted(3))], Variable(np.float32(0.5)), Variable(counted(3))
    x = Tensor((3,))
    with trace.inside(collecting=True):
        gradients = [ops.exp(x), ops.exp(x)]
        gradients[place] = fixed
        assigned = [(w, ops.sgd_update(w, gradient, rate)) for w, gradient in zip(weights, gradients)]
        got = values_after(assigned, x, counted(3))
    assert np.array_equal(got[place], counted(3) / 2)


def test_updates_that_write_their_results_crosswise():
    """The new weight becomes the velocity and the velocity the weight, in one of two updates."""
    rate, x = Variable(np.float32(0.5)), Tensor((3,))
    pairs = [(Variable(counted(3)), Variable(counted(3) / 8)) for _ in range(2)]
    with trace.inside(collecting=True):
        assigned = []
        for number, (weight, velocity) in enumerate(pairs):
            new = ops.rmsprop_update(weight, velocity, ops.exp(ops.multiply(x, number + 1.0)), rate, 0.9, 1e-3)
            assigned += zip((weight, velocity), new[::-1] if number else new)
        values_after(assigned, x, counted(3))


def test_attributes_that_differ_in_the_sign_of_zero():
    x = Tensor((2,))
    with trace.inside(collecting=True):
        ends = [ops.pad(x, (0, 1), constant_values=zero) for zero in (0.0, -0.0)]
    outputs = get_engine("cpu").prepare(Program([x], ends, [], Mode(False))).run([counted(2)])
    assert [bool(np.signbit(y[2])) for y in outputs] == [False, True]
    with use_engine("cpu"):
        outputs = [refnet_fast.ops.pad(counted(2), (0, 1), constant_values=zero) for zero in (0.0, -0.0)]
    assert [bool(np.signbit(y[2])) for y in outputs] == [False, True]
